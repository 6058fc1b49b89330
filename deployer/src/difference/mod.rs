//! What a change set would do, for people: parameters, permissions, resources, with values before and after.

mod anew;
mod readable;
pub mod value_change;

use std::fmt;

use aws_sdk_cloudformation::types::{Change, ChangeAction, Replacement};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use value_change::ValueChange;

/// A difference between what is deployed and what would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The stack.
    pub stack: String,
    /// What happens to the stack as a whole.
    pub operation: Operation,
    /// Parameters whose values change.
    pub parameters: Vec<ValueChange>,
    /// Tags that change.
    pub tags: Vec<ValueChange>,
    /// Resources that change, in the change set's order.
    pub resources: Vec<ResourceDifference>,
}

/// What happens to a stack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// It comes into being.
    Create,
    /// It changes.
    #[default]
    Update,
    /// What is left of a first deployment that failed is deleted, then it comes into being.
    Replace,
    /// It goes.
    Delete,
}

/// What happens to a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDifference {
    /// What.
    pub action: Action,
    /// Its name in the template.
    pub logical_id: String,
    /// Its type.
    pub resource_type: String,
    /// The properties that change.
    pub properties: Vec<ValueChange>,
    /// What one that comes into being allows: "allow logs:PutLogEvents on …".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It comes into being.
    Add,
    /// It changes in place.
    #[default]
    Modify,
    /// It is made anew, and the old one deleted.
    Replace,
    /// It may be made anew; that depends on values known only then.
    MayReplace,
    /// It is deleted.
    Remove,
    /// Something else that CloudFormation says.
    Other,
}

impl ResourceDifference {
    /// Whether it decides who may do what.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        self.resource_type.starts_with("AWS::IAM::")
            || self.resource_type.ends_with("Policy")
            || self.resource_type == "AWS::Lambda::Permission"
    }

    fn of(change: Change) -> Option<Self> {
        let change = change.resource_change?;
        let action = match (change.action.as_ref()?, change.replacement.as_ref()) {
            (ChangeAction::Add | ChangeAction::Import, _) => Action::Add,
            (ChangeAction::Remove, _) => Action::Remove,
            (ChangeAction::Modify, Some(Replacement::True)) => Action::Replace,
            (ChangeAction::Modify, Some(Replacement::Conditional)) => Action::MayReplace,
            (ChangeAction::Modify, _) => Action::Modify,
            _ => Action::Other,
        };
        let details = change.details.unwrap_or_default().into_iter().filter_map(|detail| detail.target);
        let mut properties: Vec<ValueChange> = Vec::new();
        if matches!(action, Action::Modify | Action::Replace | Action::MayReplace) {
            for property in details.map(ValueChange::of_property) {
                // One property has several details when several things lead to its change.
                match properties.iter_mut().find(|known| known.name == property.name) {
                    Some(known) => known.replaces |= property.replaces,
                    None => properties.push(property),
                }
            }
        }
        let after = change.after_context.as_deref().filter(|_| action == Action::Add);
        let after: Value = after.and_then(|after| serde_json::from_str(after).ok()).unwrap_or_default();
        Some(Self {
            action,
            permissions: readable::statements(&after["Properties"]),
            logical_id: change.logical_resource_id.unwrap_or_default(),
            resource_type: change.resource_type.unwrap_or_default(),
            properties,
        })
    }
}

impl Difference {
    /// The resources of a change set's changes.
    #[must_use]
    pub fn resources(changes: Vec<Change>) -> Vec<ResourceDifference> {
        changes.into_iter().filter_map(ResourceDifference::of).collect()
    }
}

impl fmt::Display for ResourceDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, note) = match self.action {
            Action::Add => ("+", ""),
            Action::Modify => ("~", ""),
            Action::Replace => ("±", "  replaced"),
            Action::MayReplace => ("±", "  perhaps replaced"),
            Action::Remove => ("-", ""),
            Action::Other => ("?", ""),
        };
        write!(f, "    {sign} {:<32} {}{note}", self.logical_id, self.resource_type)?;
        for permission in &self.permissions {
            write!(f, "\n        {permission}")?;
        }
        for property in &self.properties {
            match readable::permissions(property) {
                Some((taken, given)) => {
                    taken.iter().try_for_each(|statement| write!(f, "\n        - {statement}"))?;
                    given.iter().try_for_each(|statement| write!(f, "\n        + {statement}"))?;
                }
                None => {
                    readable::places(property).iter().try_for_each(|place| write!(f, "\n        {place}"))?
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Operation::Create => write!(f, "The stack {} is created:", self.stack)?,
            Operation::Update => write!(f, "The stack {} is updated:", self.stack)?,
            Operation::Delete => write!(f, "The stack {} is deleted:", self.stack)?,
            Operation::Replace => write!(
                f,
                "The first deployment of the stack {} failed; what is left of it is deleted, and it is created anew:",
                self.stack
            )?,
        }
        for (title, values) in [("Parameters", &self.parameters), ("Tags", &self.tags)] {
            if !values.is_empty() {
                write!(f, "\n  {title}")?;
                values.iter().try_for_each(|value| write!(f, "\n    {value}"))?;
            }
        }
        // The stack's tags are passed on to everything in it: that is said once.
        let mut shown = self.resources.clone();
        if !self.tags.is_empty() {
            let mut retagged = 0;
            shown.retain_mut(|resource| {
                let before = resource.properties.len();
                resource.properties.retain(|property| property.name != "Tags");
                retagged += usize::from(resource.properties.len() < before);
                before == 0 || !resource.properties.is_empty()
            });
            if retagged > 0 {
                write!(f, "\n    passed on to {retagged} resources")?;
            }
        }
        for (title, permissions) in [("Permissions (IAM)", true), ("Resources", false)] {
            let group = shown.iter().filter(|r| r.is_permission() == permissions);
            let mut group = group.peekable();
            if group.peek().is_some() {
                write!(f, "\n  {title}")?;
                group.try_for_each(|resource| write!(f, "\n{resource}"))?;
            }
        }
        let count =
            |actions: &[Action]| self.resources.iter().filter(|r| actions.contains(&r.action)).count();
        write!(
            f,
            "\n  {} to create, {} to change, {} to replace, {} to delete",
            count(&[Action::Add]),
            count(&[Action::Modify, Action::Other]),
            count(&[Action::Replace, Action::MayReplace]),
            count(&[Action::Remove])
        )
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{
        RequiresRecreation, ResourceAttribute, ResourceChange, ResourceChangeDetail, ResourceTargetDefinition,
    };

    use std::collections::BTreeMap;

    use super::*;

    fn target(name: &str, recreation: RequiresRecreation) -> ResourceTargetDefinition {
        ResourceTargetDefinition::builder()
            .attribute(ResourceAttribute::Properties)
            .name(name)
            .path(format!("/Properties/{name}"))
            .before_value("1")
            .after_value("2")
            .requires_recreation(recreation)
            .build()
    }

    fn change(action: ChangeAction, id: &str, kind: &str, targets: Vec<ResourceTargetDefinition>) -> Change {
        let details =
            targets.into_iter().map(|target| ResourceChangeDetail::builder().target(target).build());
        let replaced = match action {
            ChangeAction::Modify if id == "replaced" => Some(Replacement::True),
            ChangeAction::Modify => Some(Replacement::False),
            _ => None,
        };
        let change = ResourceChange::builder()
            .action(action)
            .logical_resource_id(id)
            .resource_type(kind)
            .set_replacement(replaced)
            .set_details(Some(details.collect()));
        Change::builder().resource_change(change.build()).build()
    }

    #[test]
    fn a_change_set_reads_as_a_difference() {
        let values = |value: &str| BTreeMap::from([("PowerValues".to_owned(), value.to_owned())]);
        let difference = Difference {
            stack: "s".into(),
            operation: Operation::Update,
            parameters: ValueChange::between(&values("128"), &values("128,256")),
            tags: Vec::new(),
            resources: Difference::resources(vec![
                change(ChangeAction::Add, "new", "AWS::Logs::LogGroup", vec![]),
                change(
                    ChangeAction::Modify,
                    "role",
                    "AWS::IAM::Role",
                    vec![target("Policies", RequiresRecreation::Never)],
                ),
                change(
                    ChangeAction::Modify,
                    "replaced",
                    "AWS::Lambda::Function",
                    vec![
                        target("Timeout", RequiresRecreation::Never),
                        target("Name", RequiresRecreation::Never),
                        target("Name", RequiresRecreation::Always),
                    ],
                ),
                change(ChangeAction::Remove, "old", "AWS::Logs::LogGroup", vec![]),
            ]),
        };
        let lines: Vec<String> =
            difference.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(
            lines,
            [
                "The stack s is updated:",
                "  Parameters",
                "    PowerValues: 128 → 128,256",
                "  Permissions (IAM)",
                "    ~ role                             AWS::IAM::Role",
                "        Policies: 1 → 2",
                "  Resources",
                "    + new                              AWS::Logs::LogGroup",
                "    ± replaced                         AWS::Lambda::Function  replaced",
                "        Timeout: 1 → 2",
                "        Name: 1 → 2  (needs a new one)",
                "    - old                              AWS::Logs::LogGroup",
                "  1 to create, 1 to change, 1 to replace, 1 to delete",
            ]
        );
    }

    #[test]
    fn tags_that_are_passed_on_are_said_once() {
        let tags = target("Tags", RequiresRecreation::Never);
        let timeout = target("Timeout", RequiresRecreation::Never);
        let difference = Difference {
            stack: "s".into(),
            tags: vec![ValueChange {
                name: "team".into(),
                before: None,
                after: Some("web".into()),
                replaces: false,
            }],
            resources: Difference::resources(vec![
                change(ChangeAction::Modify, "one", "AWS::IAM::Role", vec![tags.clone()]),
                change(ChangeAction::Modify, "two", "AWS::Lambda::Function", vec![tags, timeout]),
            ]),
            ..Difference::default()
        };
        let lines: Vec<String> =
            difference.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(
            lines,
            [
                "The stack s is updated:",
                "  Tags",
                "    team: web",
                "    passed on to 2 resources",
                "  Resources",
                "    ~ two                              AWS::Lambda::Function",
                "        Timeout: 1 → 2",
                "  0 to create, 2 to change, 0 to replace, 0 to delete",
            ]
        );
    }
}
