//! The template as CloudFormation would have it deployed: functions evaluated, conditions decided, what is left out
//! left out. Written from CloudFormation's documentation, not from `constructs`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::app::{Architecture, Stack};
use constructs::Location;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";

/// A deployed stack.
pub struct Deployed {
    template: Value,
    parameters: BTreeMap<String, String>,
    /// Logical id to resource, properties evaluated.
    pub resources: BTreeMap<String, Value>,
    /// The evaluated value of every output.
    pub outputs: BTreeMap<String, Value>,
}

impl Deployed {
    /// The stack with the defaults, but for these parameters.
    pub fn with(parameters: &[(&str, &str)]) -> Self {
        let bucket = Location::Bucket(crate::app::asset_bucket());
        let template = Stack::new(Architecture::Arm64, "0a".repeat(32), bucket).synth().unwrap();
        let mut values: BTreeMap<String, String> = template
            .parameters()
            .iter()
            .map(|parameter| (parameter.name.clone(), parameter.default.clone().unwrap()))
            .collect();
        for (name, value) in parameters {
            let before = values.insert((*name).to_owned(), (*value).to_owned());
            assert!(before.is_some(), "{name} is no parameter");
        }
        let mut deployed = Deployed {
            template: serde_json::from_str(&template.to_json()).unwrap(),
            parameters: values,
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
        };
        let evaluated = |section: &str, member: &str| -> BTreeMap<String, Value> {
            let members = deployed.template[section].as_object().unwrap();
            let there = |value: &Value| match value.get("Condition") {
                Some(condition) => deployed.is_condition(condition.as_str().unwrap()),
                None => true,
            };
            members
                .iter()
                .filter(|(_, value)| there(value))
                .map(|(id, value)| {
                    let mut value = value.clone();
                    value[member] = deployed.evaluate(&value[member]).unwrap();
                    (id.clone(), value)
                })
                .collect()
        };
        let (resources, outputs) = (evaluated("Resources", "Properties"), evaluated("Outputs", "Value"));
        deployed.resources = resources;
        deployed.outputs = outputs.into_iter().map(|(id, output)| (id, output["Value"].clone())).collect();
        deployed
    }

    /// The evaluated properties of a resource.
    pub fn properties(&self, id: &str) -> &Value {
        &self.resources.get(id).unwrap_or_else(|| panic!("there is no {id}"))["Properties"]
    }

    /// The logical ids of all resources of a type.
    pub fn of_type(&self, kind: &str) -> Vec<&str> {
        self.resources.iter().filter(|(_, r)| r["Type"] == kind).map(|(id, _)| id.as_str()).collect()
    }

    /// The state machine's definition.
    pub fn definition(&self) -> Value {
        self.definition_of("powerTuningStateMachine")
    }

    /// The definition of a state machine.
    pub fn definition_of(&self, id: &str) -> Value {
        serde_json::from_str(self.properties(id)["DefinitionString"].as_str().unwrap()).unwrap()
    }

    /// The statements of a role's only policy.
    pub fn statements(&self, role: &str) -> Vec<Value> {
        let policies = self.properties(role)["Policies"].as_array().unwrap();
        assert_eq!(policies.len(), 1, "{role}");
        policies[0]["PolicyDocument"]["Statement"].as_array().unwrap().clone()
    }

    /// `None` where `AWS::NoValue` leaves the value out.
    fn evaluate(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(items) => Some(items.iter().filter_map(|item| self.evaluate(item)).collect()),
            Value::Object(members) => match single(members) {
                Some((name, argument)) if name == "Ref" || name.starts_with("Fn::") => {
                    self.call(name, argument)
                }
                _ => {
                    let evaluated =
                        |(name, member): (&String, &Value)| Some((name.clone(), self.evaluate(member)?));
                    Some(Value::Object(members.iter().filter_map(evaluated).collect()))
                }
            },
            literal => Some(literal.clone()),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> Option<Value> {
        let list = |value: &Value| self.evaluate(value).unwrap().as_array().unwrap().clone();
        let text = |value: &Value| self.evaluate(value).unwrap().as_str().unwrap().to_owned();
        match name {
            "Ref" => self.reference(argument.as_str().unwrap()),
            "Fn::GetAtt" => {
                let names = [&argument[0], &argument[1]].map(|name| name.as_str().unwrap());
                Some(self.attribute(names[0], names[1]).into())
            }
            "Fn::Sub" => Some(self.substitute(argument.as_str().unwrap()).into()),
            "Fn::Join" => {
                let items = list(&argument[1]);
                let items: Vec<&str> = items.iter().map(|item| item.as_str().unwrap()).collect();
                Some(items.join(argument[0].as_str().unwrap()).into())
            }
            "Fn::Select" => {
                Some(list(&argument[1])[usize::try_from(argument[0].as_u64().unwrap()).unwrap()].clone())
            }
            "Fn::Split" => {
                let (separator, whole) = (argument[0].as_str().unwrap(), text(&argument[1]));
                Some(whole.split(separator).map(Value::from).collect())
            }
            "Fn::If" => {
                let holds = self.is_condition(argument[0].as_str().unwrap());
                self.evaluate(&argument[if holds { 1 } else { 2 }])
            }
            other => panic!("unexpected {other}"),
        }
    }

    fn is_condition(&self, id: &str) -> bool {
        self.holds(&self.template["Conditions"][id])
    }

    fn holds(&self, predicate: &Value) -> bool {
        let (name, arguments) = single(predicate.as_object().unwrap()).unwrap();
        let arguments = arguments.as_array().unwrap();
        match name.as_str() {
            "Fn::Equals" => self.evaluate(&arguments[0]) == self.evaluate(&arguments[1]),
            "Fn::Not" => !self.holds(&arguments[0]),
            "Fn::And" => arguments.iter().all(|argument| self.holds(argument)),
            "Fn::Or" => arguments.iter().any(|argument| self.holds(argument)),
            other => panic!("unexpected {other}"),
        }
    }

    fn reference(&self, id: &str) -> Option<Value> {
        let pseudo = match id {
            "AWS::NoValue" => return None,
            "AWS::AccountId" => ACCOUNT,
            "AWS::Partition" => "aws",
            "AWS::Region" => REGION,
            "AWS::StackName" => "tuning",
            "AWS::StackId" => "arn:aws:cloudformation:eu-west-1:123456789012:stack/tuning/0b1c-1-2-3-4d5e",
            _ => "",
        };
        if !pseudo.is_empty() {
            return Some(pseudo.into());
        }
        let Some(given) = self.parameters.get(id) else { return Some(self.physical(id).into()) };
        let kind = self.template["Parameters"][id]["Type"].as_str().unwrap();
        Some(match kind {
            "CommaDelimitedList" | "List<Number>" => given.split(',').map(Value::from).collect(),
            _ => given.as_str().into(),
        })
    }

    /// What `Ref` gives for a resource.
    fn physical(&self, id: &str) -> String {
        let resource = &self.template["Resources"][id];
        match resource["Type"].as_str().unwrap_or_else(|| panic!("there is no {id}")) {
            "AWS::Logs::LogGroup" => {
                self.evaluate(&resource["Properties"]["LogGroupName"]).unwrap().as_str().unwrap().to_owned()
            }
            "AWS::StepFunctions::StateMachine" => self.arn(id),
            _ => format!("tuning-{id}-0"),
        }
    }

    /// A resource's ARN, in the form that its service gives it.
    pub fn arn(&self, id: &str) -> String {
        let resource = &self.template["Resources"][id];
        let regional = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        match resource["Type"].as_str().unwrap_or_else(|| panic!("there is no {id}")) {
            "AWS::Lambda::Function" => regional("lambda", format!("function:{}", self.physical(id))),
            "AWS::Logs::LogGroup" => regional("logs", format!("log-group:{}:*", self.physical(id))),
            "AWS::Events::Rule" => regional("events", format!("rule/{}", self.physical(id))),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{}", self.physical(id)),
            "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{}", self.physical(id)),
            "AWS::StepFunctions::StateMachine" => {
                let name = self.evaluate(&resource["Properties"]["StateMachineName"]).unwrap();
                regional("states", format!("stateMachine:{}", name.as_str().unwrap()))
            }
            other => panic!("{other} has no ARN"),
        }
    }

    fn attribute(&self, id: &str, name: &str) -> String {
        let kind =
            self.template["Resources"][id]["Type"].as_str().unwrap_or_else(|| panic!("there is no {id}"));
        match (kind, name) {
            (_, "Arn") => self.arn(id),
            ("AWS::StepFunctions::StateMachine", "Name") => {
                self.arn(id).rsplit(':').next().unwrap_or_default().to_owned()
            }
            ("AWS::S3::Bucket", "RegionalDomainName") => {
                format!("{}.s3.{REGION}.amazonaws.com", self.physical(id))
            }
            ("AWS::CloudFront::Distribution", "DomainName") => "d111111abcdef8.cloudfront.net".to_owned(),
            ("AWS::CloudFront::OriginAccessControl", "Id") => self.physical(id),
            (kind, name) => panic!("{kind} has no {name}"),
        }
    }

    fn substitute(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap();
            out.push_str(before);
            match (name.strip_prefix('!'), name.split_once('.')) {
                (Some(literal), _) => out.push_str(&format!("${{{literal}}}")),
                (None, Some((id, attribute))) => out.push_str(&self.attribute(id, attribute)),
                (None, _) => out.push_str(self.reference(name).unwrap().as_str().unwrap()),
            }
            rest = after;
        }
        out + rest
    }
}

fn single(members: &Map<String, Value>) -> Option<(&String, &Value)> {
    members.iter().next().filter(|_| members.len() == 1)
}
