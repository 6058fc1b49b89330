//! EventBridge: rules that pass events on.

use crate::node::Node;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};

/// What an event on the account's default bus must look like: one of the given values in every named field.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPattern {
    /// The `source`, such as `aws.states`.
    pub source: String,
    /// The `detail-type`.
    pub detail_type: String,
    /// Fields of the `detail`, each with the values that match.
    pub detail: Vec<(String, Vec<Val<String>>)>,
}

/// `AWS::Events::Rule`
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it is for; shown in the console.
    pub description: String,
    /// Which events.
    pub pattern: EventPattern,
    /// Where they go: an id unique in this rule, and the target's ARN.
    pub targets: Vec<(String, Val<Arn>)>,
}

impl Resource for Rule {
    fn resource_type(&self) -> &str {
        "AWS::Events::Rule"
    }

    fn properties(&self) -> Properties {
        let list =
            |values: &[Val<String>]| Node::List(values.iter().map(|value| value.node.clone()).collect());
        let pattern = Node::map([
            ("source", Node::List(vec![Node::text(self.pattern.source.as_str())])),
            ("detail-type", Node::List(vec![Node::text(self.pattern.detail_type.as_str())])),
            (
                "detail",
                Node::map(self.pattern.detail.iter().map(|(field, values)| (field.as_str(), list(values)))),
            ),
        ]);
        let target = |(id, arn): &(String, Val<Arn>)| {
            Properties::new().set_node("Id", Node::text(id.as_str())).set("Arn", arn).into_node()
        };
        Properties::new()
            .set_node("Description", Node::text(self.description.as_str()))
            .set_node("EventPattern", pattern)
            .set_node("State", Node::text("ENABLED"))
            .set_node("Targets", Node::List(self.targets.iter().map(target).collect()))
    }

    fn problems(&self) -> Vec<String> {
        // The service's own limit per rule.
        const MOST_TARGETS: usize = 5;
        match self.targets.len() {
            0 => vec!["the rule has no target".to_owned()],
            count if count > MOST_TARGETS => {
                vec![format!("the rule has {count} targets; EventBridge takes at most {MOST_TARGETS}")]
            }
            _ => Vec::new(),
        }
    }
}

impl Handle<Rule> {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        self.attribute("Arn")
    }
}
