//! A resource of any type, for those that have no struct of their own here.

use serde_json::Value;

use crate::node::Node;
use crate::resource::{Properties, Resource};
use crate::value::Val;

/// A resource by its type's name and its properties, unchecked: CloudFormation judges them when it deploys the stack. Its
/// [`Handle`](crate::Handle) gives references and attributes by name.
///
/// ```
/// use constructs::{Arn, RawResource, Stack, Val};
///
/// let mut stack = Stack::new("tells somebody");
/// let topic = stack.add("topic", RawResource::new("AWS::SNS::Topic").property("DisplayName", &Val::<String>::from("results")));
/// let subscription = RawResource::new("AWS::SNS::Subscription")
///     .property("TopicArn", &topic.reference::<Arn>())
///     .json("Protocol", &"email".into())
///     .json("Endpoint", &"team@example.com".into());
/// stack.add("subscription", subscription);
/// stack.output("TopicName", "The topic's name", &topic.attribute::<String>("TopicName"));
/// assert!(stack.synth()?.to_json().contains(r#""TopicArn": {"Ref": "topic"}"#));
/// # Ok::<(), constructs::Problems>(())
/// ```
#[derive(Debug, Clone)]
pub struct RawResource {
    resource_type: String,
    properties: Properties,
}

impl RawResource {
    /// A resource of this type, such as `AWS::SNS::Topic`, without properties yet.
    pub fn new(resource_type: impl Into<String>) -> Self {
        RawResource { resource_type: resource_type.into(), properties: Properties::new() }
    }

    /// Sets a property to a value.
    #[must_use]
    pub fn property<T>(mut self, name: &str, value: &Val<T>) -> Self {
        self.properties = self.properties.set(name, value);
        self
    }

    /// Sets a property to JSON without expressions.
    #[must_use]
    pub fn json(mut self, name: &str, value: &Value) -> Self {
        self.properties = self.properties.set_node(name, Node::from_json(value));
        self
    }
}

impl Resource for RawResource {
    fn resource_type(&self) -> &str {
        &self.resource_type
    }

    fn properties(&self) -> Properties {
        self.properties.clone()
    }

    fn problems(&self) -> Vec<String> {
        let parts: Vec<&str> = self.resource_type.split("::").collect();
        let named = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
        // `Custom::Name` may have more characters than the others, and registered modules have a fourth part.
        let custom = parts.len() == 2 && parts[0] == "Custom" && !parts[1].is_empty();
        if custom || ((3..=4).contains(&parts.len()) && parts.iter().all(named)) {
            return Vec::new();
        }
        let given = &self.resource_type;
        vec![format!("'{given}' is no resource type; they look like AWS::SNS::Topic or Custom::Name")]
    }
}
