//! Lambda: functions, and leave for other services to invoke them.

use indexmap::IndexMap;

use crate::grant::Grant;
use crate::node::Node;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq)]
pub enum Code {
    /// A zip file in S3.
    Stored {
        /// The bucket's name.
        bucket: Val<String>,
        /// The object's key.
        key: Val<String>,
    },
    /// A path relative to the template, which `aws cloudformation package` replaces.
    Beside(String),
}

/// The network a function is attached to.
#[derive(Debug, Clone, PartialEq)]
pub struct Vpc {
    /// Security groups' ids.
    pub security_group_ids: Val<Vec<String>>,
    /// Subnets' ids.
    pub subnet_ids: Val<Vec<String>>,
}

impl From<Vpc> for Val<Vpc> {
    fn from(vpc: Vpc) -> Self {
        Val::of(
            Properties::new()
                .set("SecurityGroupIds", &vpc.security_group_ids)
                .set("SubnetIds", &vpc.subnet_ids)
                .into_node(),
        )
    }
}

/// `AWS::Lambda::Function`
#[derive(Debug, Clone)]
pub struct Function {
    /// What it does; shown in the console.
    pub description: String,
    /// The code.
    pub code: Code,
    /// What the runtime gets as `_HANDLER`.
    pub handler: String,
    /// The runtime's identifier, such as `provided.al2023`.
    pub runtime: String,
    /// What the code was built for: `arm64` or `x86_64`.
    pub architecture: Val<String>,
    /// Memory in MB.
    pub memory_size: Val<u32>,
    /// The longest an invocation may take, in seconds.
    pub timeout: Val<u32>,
    /// The ARN of the role it runs as.
    pub role: Val<Arn>,
    /// The log group it writes to, by name.
    pub log_group: Val<String>,
    /// Environment variables.
    pub environment: IndexMap<String, Val<String>>,
    /// The network it is attached to, if any.
    pub vpc: Option<Val<Vpc>>,
    /// Tags, beside those that the whole stack is deployed with.
    pub tags: IndexMap<String, Val<String>>,
}

impl Resource for Function {
    fn resource_type(&self) -> &str {
        "AWS::Lambda::Function"
    }

    fn properties(&self) -> Properties {
        let code = match &self.code {
            Code::Stored { bucket, key } => {
                Properties::new().set("S3Bucket", bucket).set("S3Key", key).into_node()
            }
            Code::Beside(path) => Node::text(path.as_str()),
        };
        let properties = Properties::new()
            .set_node("Description", Node::text(self.description.as_str()))
            .set_node("Code", code)
            .set_node("Handler", Node::text(self.handler.as_str()))
            .set_node("Runtime", Node::text(self.runtime.as_str()))
            .set_node("Architectures", Node::List(vec![self.architecture.node.clone()]))
            .set("MemorySize", &self.memory_size)
            .set("Timeout", &self.timeout)
            .set("Role", &self.role)
            .set_node("LoggingConfig", Node::map([("LogGroup", self.log_group.node.clone())]))
            .set_some("VpcConfig", self.vpc.as_ref());
        let variables = self.environment.iter().map(|(name, value)| (name.as_str(), value.node.clone()));
        let properties = if self.environment.is_empty() {
            properties
        } else {
            properties.set_node("Environment", Node::map([("Variables", Node::map(variables))]))
        };
        if self.tags.is_empty() {
            return properties;
        }
        let tag = |(key, value): (&String, &Val<String>)| {
            Properties::new().set_node("Key", Node::text(key.as_str())).set("Value", value).into_node()
        };
        properties.set_node("Tags", Node::List(self.tags.iter().map(tag).collect()))
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let literal = |value: &Val<u32>| match &value.node {
            Node::Number(number) => number.as_u64(),
            _ => None,
        };
        if let Some(memory) = literal(&self.memory_size).filter(|memory| !(128..=10_240).contains(memory)) {
            problems.push(format!("a memory size of {memory} MB is outside Lambda's 128 to 10240"));
        }
        if let Some(timeout) = literal(&self.timeout).filter(|timeout| !(1..=900).contains(timeout)) {
            problems.push(format!("a time-out of {timeout} s is outside Lambda's 1 to 900"));
        }
        if self.handler.is_empty() {
            problems.push("the handler is empty".to_owned());
        }
        for key in self.tags.keys().filter(|key| key.to_ascii_lowercase().starts_with("aws:")) {
            problems.push(format!("the tag '{key}' begins with aws:, which belongs to AWS"));
        }
        problems
    }
}

impl Handle<Function> {
    /// Its ARN, without a version or an alias.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        self.attribute("Arn")
    }

    /// Leave to invoke it.
    #[must_use]
    pub fn grant_invoke(&self) -> Grant {
        Grant::new(["lambda:InvokeFunction"], [self.arn()])
    }
}

/// `AWS::Lambda::Permission`: a service may invoke a function on behalf of one resource.
#[derive(Debug, Clone)]
pub struct Permission {
    /// The ARN of the function.
    pub function: Val<Arn>,
    /// The service, such as `events.amazonaws.com`.
    pub principal: String,
    /// The ARN of the resource on whose behalf.
    pub source_arn: Val<Arn>,
}

impl Resource for Permission {
    fn resource_type(&self) -> &str {
        "AWS::Lambda::Permission"
    }

    fn properties(&self) -> Properties {
        Properties::new()
            .set_node("Action", Node::text("lambda:InvokeFunction"))
            .set("FunctionName", &self.function)
            .set_node("Principal", Node::text(self.principal.as_str()))
            .set("SourceArn", &self.source_arn)
    }
}
