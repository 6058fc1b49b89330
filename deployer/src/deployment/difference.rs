//! What a change set would do, for people: parameters, permissions, resources, with values before and after.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_cloudformation::types::{
    Change, ChangeAction, Replacement, RequiresRecreation, ResourceTargetDefinition,
};
use serde::Serialize;
use serde_json::Value;

use super::readable;

/// Values longer than this are cut in the text; the JSON form has them whole.
const SHOWN: usize = 120;

/// A difference between what is deployed and what would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

/// A named value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValueChange {
    /// Its name, or the path of a property.
    pub name: String,
    /// What it was; none when it was not there, or CloudFormation does not say.
    pub before: Option<String>,
    /// What it becomes.
    pub after: Option<String>,
    /// Whether the resource must be made anew for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
}

/// What happens to a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

impl ValueChange {
    fn of_property(target: ResourceTargetDefinition) -> Self {
        let attribute = target.attribute.as_ref().map(|attribute| attribute.as_str()).unwrap_or_default();
        let name = match (target.path, target.name) {
            (Some(path), _) => path.trim_start_matches('/').replace('/', "."),
            (None, Some(name)) => format!("{attribute}.{name}"),
            (None, None) => attribute.to_owned(),
        };
        Self {
            name: name.strip_prefix("Properties.").unwrap_or(&name).to_owned(),
            before: target.before_value,
            after: target.after_value,
            replaces: target.requires_recreation == Some(RequiresRecreation::Always),
        }
    }

    /// Names whose values differ between two maps.
    #[must_use]
    pub fn between(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Self> {
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let change = |name: &String| Self {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
            replaces: false,
        };
        names.into_iter().map(change).filter(|change| change.before != change.after).collect()
    }
}

impl Difference {
    /// The resources of a change set's changes.
    #[must_use]
    pub fn resources(changes: Vec<Change>) -> Vec<ResourceDifference> {
        changes.into_iter().filter_map(ResourceDifference::of).collect()
    }

    /// What a template makes where nothing is: for when CloudFormation cannot be asked yet.
    #[must_use]
    pub fn from_nothing(stack: &str, operation: Operation, template: &Value) -> Self {
        let resources = template["Resources"].as_object().into_iter().flatten();
        let resources = resources.map(|(logical_id, resource)| ResourceDifference {
            action: Action::Add,
            logical_id: logical_id.clone(),
            resource_type: resource["Type"].as_str().unwrap_or_default().to_owned(),
            permissions: readable::statements(&resource["Properties"]),
            properties: Vec::new(),
        });
        Self { stack: stack.to_owned(), operation, resources: resources.collect(), ..Self::default() }
    }
}

fn shown(value: Option<&String>) -> String {
    match value.map(|value| readable::known(value)).as_ref() {
        None => "(none)".to_owned(),
        Some(value) if value.is_empty() => "\"\"".to_owned(),
        Some(value) if value.chars().count() > SHOWN => {
            format!("{}…", value.chars().take(SHOWN).collect::<String>())
        }
        Some(value) => value.clone(),
    }
}

impl fmt::Display for ValueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (&self.before, &self.after) {
            (None, None) => {}
            (None, after) => write!(f, ": {}", shown(after.as_ref()))?,
            (before, after) => write!(f, ": {} → {}", shown(before.as_ref()), shown(after.as_ref()))?,
        }
        if self.replaces { f.write_str("  (needs a new one)") } else { Ok(()) }
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
    use aws_sdk_cloudformation::types::{ResourceAttribute, ResourceChange, ResourceChangeDetail};

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

    #[test]
    fn long_values_are_cut_and_missing_ones_named() {
        let change =
            ValueChange { name: "p".into(), before: None, after: Some("x".repeat(500)), replaces: false };
        assert_eq!(change.to_string(), format!("p: {}…", "x".repeat(SHOWN)));
        let change =
            ValueChange { name: "p".into(), before: Some(String::new()), after: None, replaces: false };
        assert_eq!(change.to_string(), "p: \"\" → (none)");
    }
}
