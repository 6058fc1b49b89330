//! Grants: permissions as values.
//!
//! A resource makes a grant (`function.grant_invoke()`), whoever needs it attaches it to a role. A flow collects
//! the grants of its states ([`Flow::grants`](crate::Flow::grants)), so a machine's role follows from its definition.

use indexmap::{IndexMap, IndexSet};

use crate::condition::Condition;
use crate::node::Node;
use crate::pseudo;
use crate::text;
use crate::value::{Arn, Val};

/// Leave to perform some actions on some resources: one `Allow` statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    actions: IndexSet<String>,
    resources: Vec<Val<Arn>>,
    /// A list that is known at deployment only, beside `resources`.
    listed: Option<Node>,
    /// Operator, key and value of what else must be true of a request.
    requires: Option<[String; 3]>,
    only_if: Option<String>,
}

impl Grant {
    /// Leave to perform these actions on these resources.
    pub fn new<A: Into<String>>(
        actions: impl IntoIterator<Item = A>,
        resources: impl IntoIterator<Item = Val<Arn>>,
    ) -> Self {
        let mut grant = Grant {
            actions: actions.into_iter().map(Into::into).collect(),
            resources: Vec::new(),
            listed: None,
            requires: None,
            only_if: None,
        };
        grant.cover(resources);
        grant
    }

    /// Leave to perform actions that AWS cannot restrict to particular resources: on `*`.
    pub fn on_everything<A: Into<String>>(actions: impl IntoIterator<Item = A>) -> Self {
        Grant::new(actions, [Val::of(Node::text("*"))])
    }

    /// Leave to perform some actions on the resources in a list, such as a parameter's.
    pub fn on_list<A: Into<String>>(
        actions: impl IntoIterator<Item = A>,
        resources: &Val<Vec<String>>,
    ) -> Self {
        Grant { listed: Some(resources.node().clone()), ..Grant::new(actions, []) }
    }

    /// The same, but only for requests of which this is true: `.requires("StringLike", "kms:ViaService", "lambda.*")`.
    #[must_use]
    pub fn requires(mut self, operator: &str, key: &str, value: &str) -> Self {
        self.requires = Some([operator.to_owned(), key.to_owned(), value.to_owned()]);
        self
    }

    /// The same, but only where the condition holds.
    #[must_use]
    pub fn only_if(mut self, condition: &Condition) -> Self {
        self.only_if = Some(condition.id().to_owned());
        self
    }

    /// What may be done, such as `lambda:InvokeFunction`.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.actions.iter().map(String::as_str)
    }

    /// What it may be done to.
    #[must_use]
    pub fn resources(&self) -> &[Val<Arn>] {
        &self.resources
    }

    fn cover(&mut self, resources: impl IntoIterator<Item = Val<Arn>>) {
        for resource in resources {
            if !self.resources.contains(&resource) {
                self.resources.push(resource);
            }
        }
    }

    /// Puts grants of the same actions under the same condition into one, and leaves out what is there twice.
    pub fn merged(grants: impl IntoIterator<Item = Grant>) -> Vec<Grant> {
        let mut merged: Vec<Grant> = Vec::new();
        for grant in grants {
            let same = |other: &&mut Grant| {
                let kind = |grant: &Grant| {
                    (
                        grant.actions.clone(),
                        grant.only_if.clone(),
                        grant.listed.clone(),
                        grant.requires.clone(),
                    )
                };
                kind(other) == kind(&grant)
            };
            match merged.iter_mut().find(same) {
                Some(other) => other.cover(grant.resources),
                None => merged.push(grant),
            }
        }
        merged
    }

    fn statement(&self) -> Node {
        let actions = self.actions.iter().map(Node::text).collect();
        let resources = self.resources.iter().map(|resource| resource.node.clone()).collect();
        let mut members = vec![
            ("Effect", Node::text("Allow")),
            ("Action", Node::List(actions)),
            ("Resource", self.listed.clone().unwrap_or(Node::List(resources))),
        ];
        if let Some([operator, key, value]) = &self.requires {
            let test = Node::map([(key.as_str(), Node::text(value))]);
            members.push(("Condition", Node::map([(operator.as_str(), test)])));
        }
        let statement = Node::map(members);
        match &self.only_if {
            Some(condition) => Node::If(condition.clone(), Box::new(statement), Box::new(Node::NoValue)),
            None => statement,
        }
    }

    /// What is wrong with the grant, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.actions.is_empty() {
            problems.push("a grant names no action".to_owned());
        }
        for action in &self.actions {
            let well_formed = action.split_once(':').is_some_and(|(service, name)| {
                !service.is_empty() && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric())
            });
            if !well_formed {
                problems.push(format!(
                    "'{action}' is no exact action; write the service, a colon and one action's name, without wildcards"
                ));
            }
        }
        if self.resources.is_empty() && self.listed.is_none() {
            problems.push(format!(
                "the grant of {} names no resource",
                self.actions.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            ));
        }
        problems
    }
}

pub(crate) fn policy_document(statements: Vec<Node>) -> Node {
    Node::map([("Version", Node::text("2012-10-17")), ("Statement", Node::List(statements))])
}

pub(crate) fn policy_of(grants: &[Grant]) -> Node {
    policy_document(grants.iter().map(Grant::statement).collect())
}

/// Who may take on a role: an AWS service, and on whose behalf, or another account.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    who: Node,
    conditions: Vec<(&'static str, &'static str, Node)>,
}

impl Principal {
    /// A service, such as `lambda.amazonaws.com`.
    pub fn service(service: impl Into<String>) -> Self {
        let service: String = service.into();
        Principal { who: Node::map([("Service", Node::text(service))]), conditions: Vec::new() }
    }

    /// Whoever in an account (twelve digits) that account allows `sts:AssumeRole` on the role.
    pub fn account(account: &str) -> Self {
        let root: Val<String> = text!["arn:", pseudo::partition(), ":iam::", account, ":root"];
        Principal { who: Node::map([("AWS", root.node)]), conditions: Vec::new() }
    }

    /// Only on behalf of this account, so that the service cannot be talked into it from another one.
    #[must_use]
    pub fn for_account(mut self, account: &Val<String>) -> Self {
        self.conditions.push(("StringEquals", "aws:SourceAccount", account.node.clone()));
        self
    }

    pub(crate) fn trust_policy(&self) -> Node {
        let mut statement = IndexMap::from([
            ("Effect".to_owned(), Node::text("Allow")),
            ("Principal".to_owned(), self.who.clone()),
            ("Action".to_owned(), Node::text("sts:AssumeRole")),
        ]);
        if !self.conditions.is_empty() {
            let tests = self.conditions.iter();
            let tests = tests.map(|(operator, key, value)| (*operator, Node::map([(*key, value.clone())])));
            statement.insert("Condition".to_owned(), Node::map(tests));
        }
        policy_document(vec![Node::Map(statement)])
    }
}
