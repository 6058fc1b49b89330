//! The template's parameters: how they are called outside, and which value goes with a deployment.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Parameter;
use serde_json::Value;

use crate::settings::layers::Reader;
use crate::settings::values;

type Read = fn(&str) -> Result<String, String>;

/// Option, parameter, and how the option's text is read.
const ALL: [(&str, &str, Read); 15] = [
    ("power-values", "PowerValues", values::power_values),
    ("visualization-url", "visualizationURL", values::page_url),
    ("host-visualization", "hostVisualization", |text| Ok(values::switch(text)?.to_string())),
    ("lambda-resource", "lambdaResource", values::lambda_resource),
    ("processor-resource", "processorResource", values::processor_resource),
    ("optimizable-aliases", "optimizableAliases", values::text),
    ("kms-key-arns", "kmsKeyArns", values::key_arns),
    ("total-execution-timeout", "totalExecutionTimeout", values::total_execution_timeout),
    ("permissions-boundary", "permissionsBoundary", values::policy_arn),
    ("payload-s3-bucket", "payloadS3Bucket", values::bucket),
    ("payload-s3-key", "payloadS3Key", values::key),
    ("log-retention-days", "logGroupRetentionInDays", values::retention_days),
    ("security-group-ids", "securityGroupIds", |text| values::ids("sg-")(text)),
    ("subnet-ids", "subnetIds", |text| values::ids("subnet-")(text)),
    ("state-machine-name-prefix", "stateMachineNamePrefix", values::name_prefix),
];

/// The values that were given, by the template's names. What is missing keeps its deployed value, or its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    given: BTreeMap<&'static str, String>,
    /// For those that are neither given nor deployed, instead of the template's.
    defaults: BTreeMap<&'static str, String>,
}

impl Parameters {
    /// Takes the parameters out of the settings.
    pub fn read(reader: &mut Reader) -> Self {
        let given = ALL.iter().filter_map(|(option, name, read)| Some((*name, reader.take(option, read)?)));
        Self { given: given.collect(), defaults: BTreeMap::new() }
    }

    /// The same, with a default other than the template's.
    #[must_use]
    pub fn with_default(mut self, name: &'static str, value: String) -> Self {
        self.defaults.insert(name, value);
        self
    }

    /// A value that was given, by the template's name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// What a change set gets for a template that declares `declared`: values that were given; "as before" for those the
    /// stack has (`deployed`); our own defaults; nothing for the others, so that the template's defaults apply.
    #[must_use]
    pub fn for_change_set(&self, declared: &[String], deployed: &BTreeMap<String, String>) -> Vec<Parameter> {
        let one = |name: &String| {
            let parameter = Parameter::builder().parameter_key(name);
            match self.get(name) {
                Some(value) => Some(parameter.parameter_value(value).build()),
                None if deployed.contains_key(name) => Some(parameter.use_previous_value(true).build()),
                None => {
                    self.defaults.get(name.as_str()).map(|value| parameter.parameter_value(value).build())
                }
            }
        };
        declared.iter().filter_map(one).collect()
    }

    /// Whether a deployment with these values leaves the stack's parameters as they are.
    #[must_use]
    pub fn change_nothing(&self, deployed: &BTreeMap<String, String>) -> bool {
        self.given.iter().all(|(name, value)| deployed.get(*name) == Some(value))
    }
}

/// The names of the parameters a template declares.
#[must_use]
pub fn declared(template: &Value) -> Vec<String> {
    template["Parameters"].as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &'static str, value: &str) -> Parameters {
        Parameters { given: BTreeMap::from([(name, value.to_owned())]), ..Parameters::default() }
    }

    fn deployed() -> BTreeMap<String, String> {
        BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())])
    }

    #[test]
    fn given_values_win_and_the_others_stay_as_they_are() {
        let given = given("A", "9").with_default("B", "3".to_owned());
        let names = ["A".to_owned(), "B".to_owned(), "New".to_owned()];
        let sent = given.for_change_set(&names, &deployed());
        assert_eq!(sent.len(), 2, "a new parameter gets its default");
        assert_eq!((sent[0].parameter_value(), sent[0].use_previous_value()), (Some("9"), None));
        assert_eq!((sent[1].parameter_value(), sent[1].use_previous_value()), (None, Some(true)));
        let sent = given.for_change_set(&names, &BTreeMap::new());
        let values: Vec<_> = sent.iter().map(Parameter::parameter_value).collect();
        assert_eq!(values, [Some("9"), Some("3")], "a default is for what is not deployed");
    }

    #[test]
    fn a_value_that_is_there_already_changes_nothing() {
        assert!(given("A", "1").with_default("B", "3".to_owned()).change_nothing(&deployed()));
        assert!(!given("A", "2").change_nothing(&deployed()));
        assert!(Parameters::default().change_nothing(&deployed()));
    }
}
