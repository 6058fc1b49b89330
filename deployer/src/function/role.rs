//! The role of a function that is created on this machine from its code: in a stack of its own, with what the user gives it.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws::Aws;
use crate::deployment::Deployment;
use crate::deployment::change_set::{Proposal, Wanted};
use crate::deployment::parameters::Parameters;
use crate::deployment::stack::Condition;
use crate::events::{Event, Events, Listener};
use crate::failure::Usage;

/// How the stacks' names, and so the roles' names, begin.
const STACK: &str = "deployer-role-of-";

/// The stack's output, and the role's name in its template.
const ROLE: &str = "role";

/// What a role may do besides writing logs: policies by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rights(Vec<(&'static str, Value)>);

impl Rights {
    /// Actions on any resource, and a policy in a file.
    ///
    /// # Errors
    /// [`Usage`]: a file that cannot be read, or is no policy.
    pub fn read(allow: &[String], file: Option<&Path>) -> Result<Self, Usage> {
        let mut policies = Vec::new();
        if !allow.is_empty() {
            let statement = json!({ "Effect": "Allow", "Action": allow, "Resource": "*" });
            policies.push(("allow", json!({ "Version": "2012-10-17", "Statement": [statement] })));
        }
        if let Some(file) = file {
            let wrong =
                |why: &dyn std::fmt::Display| Usage(format!("--policy-file {}: {why}", file.display()));
            let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
            let policy =
                serde_json::from_str(&text).map_err(|error| wrong(&format!("is not JSON: {error}")))?;
            local_aws::iam::check_policy(&policy)
                .map_err(|why| wrong(&format!("is no policy as IAM takes them: {why}")))?;
            policies.push(("policy-file", policy));
        }
        Ok(Self(policies))
    }

    fn template(&self) -> Value {
        let policies: Vec<Value> = self
            .0
            .iter()
            .map(|(name, document)| json!({ "PolicyName": name, "PolicyDocument": document }))
            .collect();
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }]});
        let logs = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        json!({
            "Description": "The role of a function that `deployer tune --code` has created on this machine",
            "Resources": { ROLE: { "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": trust, "ManagedPolicyArns": [logs], "Policies": policies,
            }}},
            "Outputs": { ROLE: { "Value": { "Fn::GetAtt": [ROLE, "Arn"] } } },
        })
    }
}

/// Makes the role of a function, or brings it up to date; gives its ARN.
///
/// # Errors
/// What the endpoint refused.
pub async fn put(aws: &Aws, function: &str, rights: &Rights) -> anyhow::Result<String> {
    let (name, events) = (stack_name(function), Events::new(Silent));
    let deployment = Deployment::new(aws, &name, &events);
    let wanted = Wanted {
        template: rights.template(),
        parameters: Parameters::default(),
        tags: None,
        role_arn: None,
        template_url: None,
    };
    let work = async {
        let mut stack = deployment.at_rest().await?;
        if let Some(failed) = stack.take_if(|stack| stack.condition() == Condition::NeverCreated) {
            deployment.delete(&failed, None).await?;
        }
        if let Some(stack) = &stack
            && deployment.is_up_to_date(stack, &wanted).await?
        {
            return Ok(stack.clone());
        }
        match (deployment.propose(stack.as_ref(), &wanted, false).await?, stack) {
            (Proposal::Unchanged, Some(stack)) => Ok(stack),
            (Proposal::Unchanged, None) => anyhow::bail!("the change set of a new stack is empty"),
            (Proposal::Changes(change_set), _) => deployment.execute(&change_set).await,
        }
    };
    let stack = work.await.with_context(|| format!("making the role of {function}"))?;
    stack.outputs.get(ROLE).cloned().with_context(|| format!("the stack {name} has no output {ROLE}"))
}

/// Stacks' names have no underscores, which functions' may have.
fn stack_name(function: &str) -> String {
    let plain = function.replace('_', "-");
    if plain == function {
        return format!("{STACK}{function}");
    }
    format!("{STACK}{plain}-{}", &hex::encode(Sha256::digest(function))[..8])
}

/// What to do when the failure is that such a role may not do something.
#[must_use]
pub fn advice(failure: &str) -> Option<String> {
    let (user, rest) = failure.split_once(" is not authorized to perform: ")?;
    if !user.rsplit("User: ").next()?.contains(&format!(":assumed-role/{STACK}")) {
        return None;
    }
    let action = rest.split(' ').next()?;
    Some(format!(
        "the function's role on this machine may only write logs and what it is given: --allow {action}, or a policy in JSON with \
         --policy-file FILE"
    ))
}

/// The role is a detail of creating the function, which is told.
struct Silent;

impl Listener for Silent {
    fn event(&self, _: &Event) {}

    fn suspend(&self, action: &mut dyn FnMut()) {
        action();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_stack_of_its_own() {
        assert_eq!(stack_name("a-b"), "deployer-role-of-a-b");
        assert!(stack_name("a_b").starts_with("deployer-role-of-a-b-"));
        assert_ne!(stack_name("a_b"), stack_name("a-b"));
    }

    #[test]
    fn only_denials_of_these_roles_are_answered() {
        let denial = |role: &str| {
            format!(
                "AccessDenied: User: arn:aws:sts::1:assumed-role/{role}/f is not authorized to perform: s3:GetObject on resource: x"
            )
        };
        let advice = |role: &str| super::advice(&denial(role));
        assert!(advice("deployer-role-of-f-role-1").unwrap().contains("--allow s3:GetObject, or"));
        assert_eq!(advice("deployer-power-tuning-executor-1"), None);
    }
}
