//! The template's parameters: which value goes with a deployment.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Parameter;
use serde_json::Value;

use crate::options::Opt;

/// The values that were given, by the template's names. What is missing keeps its deployed value, or its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    given: BTreeMap<String, String>,
    /// For those that are neither given nor deployed, instead of the template's.
    defaults: BTreeMap<String, String>,
}

impl Parameters {
    /// These values.
    #[must_use]
    pub fn new(given: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { given: given.into_iter().collect(), defaults: BTreeMap::new() }
    }

    /// The same, with a default other than the template's.
    #[must_use]
    pub fn with_default<T>(mut self, option: &Opt<T>, value: String) -> Self {
        self.defaults.extend(option.spec.parameter.map(|parameter| (parameter.name.to_owned(), value)));
        self
    }

    /// The value that an option was given, or that the stack has.
    #[must_use]
    pub fn value<'a, T>(
        &'a self,
        option: &Opt<T>,
        deployed: Option<&'a BTreeMap<String, String>>,
    ) -> Option<&'a str> {
        let name = option.spec.parameter?.name;
        let value = self.given.get(name).or_else(|| deployed?.get(name));
        value.map(String::as_str)
    }

    /// What a change set gets for a template that declares `declared`: values that were given; "as before" for those the
    /// stack has (`deployed`); our own defaults; nothing for the others, so that the template's defaults apply.
    #[must_use]
    pub fn for_change_set(&self, declared: &[String], deployed: &BTreeMap<String, String>) -> Vec<Parameter> {
        let one = |name: &String| {
            let parameter = Parameter::builder().parameter_key(name);
            match self.given.get(name) {
                Some(value) => Some(parameter.parameter_value(value).build()),
                None if deployed.contains_key(name) => Some(parameter.use_previous_value(true).build()),
                None => {
                    self.defaults.get(name.as_str()).map(|value| parameter.parameter_value(value).build())
                }
            }
        };
        declared.iter().filter_map(one).collect()
    }

    /// What a new stack of a template gets for each of its parameters.
    #[must_use]
    pub fn of_new_stack(&self, template: &Value) -> BTreeMap<String, String> {
        let one = |(name, body): (&String, &Value)| {
            let default = || match &body["Default"] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let ours = self.given.get(name).or_else(|| self.defaults.get(name)).cloned();
            (name.clone(), ours.unwrap_or_else(default))
        };
        template["Parameters"].as_object().into_iter().flatten().map(one).collect()
    }

    /// Whether a deployment with these values leaves the stack's parameters as they are.
    #[must_use]
    pub fn change_nothing(&self, deployed: &BTreeMap<String, String>) -> bool {
        self.given.iter().all(|(name, value)| deployed.get(name) == Some(value))
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

    /// With a default for `visualizationURL`.
    fn given(value: &str) -> Parameters {
        let given = Parameters::new([("A".to_owned(), value.to_owned())]);
        given.with_default(&crate::options::VISUALIZATION_URL, "3".to_owned())
    }

    fn deployed() -> BTreeMap<String, String> {
        BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())])
    }

    #[test]
    fn given_values_win_and_the_others_stay_as_they_are() {
        let given = given("9");
        let names = ["A".to_owned(), "B".to_owned(), "New".to_owned(), "visualizationURL".to_owned()];
        let sent = given.for_change_set(&names, &deployed());
        assert_eq!(sent.len(), 3, "a new parameter gets its default");
        assert_eq!((sent[0].parameter_value(), sent[0].use_previous_value()), (Some("9"), None));
        assert_eq!((sent[1].parameter_value(), sent[1].use_previous_value()), (None, Some(true)));
        let sent = given.for_change_set(&names, &BTreeMap::new());
        let values: Vec<_> = sent.iter().map(Parameter::parameter_value).collect();
        assert_eq!(values, [Some("9"), Some("3")], "a default is for what is not deployed");
    }

    #[test]
    fn a_value_that_is_there_already_changes_nothing() {
        assert!(given("1").change_nothing(&deployed()));
        assert!(!given("2").change_nothing(&deployed()));
        assert!(Parameters::default().change_nothing(&deployed()));
    }
}
