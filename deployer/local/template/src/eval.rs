//! The functions at work: a template's values and conditions for given parameters and existing resources.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use std::collections::BTreeMap;

use crate::Template;
use crate::function::{Function, Piece};
use crate::references::{Conditions, condition_name};

/// Stands in a proposed change for what only making it will tell.
pub const LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// The pseudo parameters' values.
#[derive(Debug, Clone, Default)]
pub struct Pseudo {
    /// `AWS::AccountId`.
    pub account: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::StackId`.
    pub stack_id: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::NotificationARNs`.
    pub notification_arns: Vec<String>,
}

/// Where evaluation learns what resources and other stacks have become.
pub trait Lookup {
    /// What `Ref` of a resource gives.
    ///
    /// # Errors
    /// When there is no such resource yet.
    fn reference(&self, resource: &str) -> Result<Value, String>;
    /// What `Fn::GetAtt` gives.
    ///
    /// # Errors
    /// When there is no such resource yet, or it lacks the attribute.
    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, String>;
    /// What another stack exports under a name.
    ///
    /// # Errors
    /// When none does.
    fn import(&self, name: &str) -> Result<Value, String>;
}

/// What a template is evaluated with.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The template.
    pub template: &'a Template,
    /// The parameters' values.
    pub parameters: &'a BTreeMap<String, String>,
    /// Which conditions hold.
    pub conditions: &'a Conditions,
    /// The pseudo parameters.
    pub pseudo: &'a Pseudo,
    /// Resources and exports.
    pub lookup: &'a dyn Lookup,
}

/// Decides all conditions of a template.
///
/// # Errors
/// AWS's message, such as for conditions that are made of each other.
pub fn conditions(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    pseudo: &Pseudo,
) -> Result<Conditions, String> {
    let mut decided = Conditions::new();
    for name in template.conditions.keys() {
        decide(template, parameters, pseudo, name, &mut decided, &mut BTreeSet::new())?;
    }
    Ok(decided)
}

fn decide(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    pseudo: &Pseudo,
    name: &str,
    decided: &mut Conditions,
    asking: &mut BTreeSet<String>,
) -> Result<bool, String> {
    if let Some(known) = decided.get(name) {
        return Ok(*known);
    }
    if !asking.insert(name.to_owned()) {
        return Err(format!("Template error: Found circular condition dependency with {name}"));
    }
    let body = template.conditions.get(name).ok_or_else(|| {
        format!("Template format error: Unresolved condition dependency {name} in the Conditions block of the template")
    })?;
    let mut holds = |value: &Value, decided: &mut Conditions| -> Result<bool, String> {
        truth(template, parameters, pseudo, value, decided, asking)
    };
    let result = holds(body, decided)?;
    decided.insert(name.to_owned(), result);
    Ok(result)
}

fn truth(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    pseudo: &Pseudo,
    body: &Value,
    decided: &mut Conditions,
    asking: &mut BTreeSet<String>,
) -> Result<bool, String> {
    if let Some(name) = condition_name(body) {
        return decide(template, parameters, pseudo, name, decided, asking);
    }
    match Function::of(body)? {
        Some(Function::Not(one)) => Ok(!truth(template, parameters, pseudo, one, decided, asking)?),
        Some(Function::And(all)) => all.iter().try_fold(true, |so_far, one| {
            Ok(truth(template, parameters, pseudo, one, decided, asking)? && so_far)
        }),
        Some(Function::Or(all)) => all.iter().try_fold(false, |so_far, one| {
            Ok(truth(template, parameters, pseudo, one, decided, asking)? || so_far)
        }),
        Some(Function::Equals(left, right)) => {
            let none = Conditions::new();
            let scope = Scope { template, parameters, conditions: &none, pseudo, lookup: &Nothing };
            let side = |value| scope.value(value).map(|v| v.map(|v| scalar(&v).unwrap_or_else(|| v.to_string())));
            Ok(side(left)? == side(right)?)
        }
        _ => Err("Template format error: Conditions can only be boolean operations on parameters and other conditions"
            .to_owned()),
    }
}

impl Scope<'_> {
    /// Evaluates a value; nothing for `AWS::NoValue`.
    ///
    /// # Errors
    /// AWS's message.
    pub fn value(&self, value: &Value) -> Result<Option<Value>, String> {
        if let Some(function) = Function::of(value)? {
            return self.function(&function);
        }
        Ok(Some(match value {
            Value::Array(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.extend(self.value(item)?);
                }
                Value::Array(list)
            }
            Value::Object(members) => {
                let mut object = Map::new();
                for (name, member) in members {
                    if let Some(member) = self.value(member)? {
                        object.insert(name.clone(), member);
                    }
                }
                Value::Object(object)
            }
            plain => plain.clone(),
        }))
    }

    /// Evaluates a value that must be one text.
    ///
    /// # Errors
    /// AWS's message.
    pub fn text(&self, value: &Value, what: &str) -> Result<String, String> {
        let evaluated = self.value(value)?.unwrap_or(Value::Null);
        scalar(&evaluated)
            .ok_or_else(|| format!("Template error: {what} must be a string, found {evaluated}"))
    }

    fn function(&self, function: &Function<'_>) -> Result<Option<Value>, String> {
        Ok(Some(match function {
            Function::Ref(name) => return self.reference(name),
            Function::GetAtt(resource, attribute) => self.lookup.attribute(resource, attribute)?,
            Function::Sub(pieces, variables) => self.substitute(pieces, *variables)?,
            Function::Join(delimiter, items) => {
                let Some(items) = self.list(items, "Fn::Join")? else { return Ok(Some(Value::from(LATER))) };
                let texts = items.iter().map(scalar).collect::<Option<Vec<_>>>().ok_or(
                    "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a \
                     list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) \
                     to be joined.",
                )?;
                Value::from(texts.join(delimiter))
            }
            Function::Select(index, items) => {
                let index = self.text(index, "the index of Fn::Select")?;
                let Some(items) = self.list(items, "Fn::Select")? else {
                    return Ok(Some(Value::from(LATER)));
                };
                let chosen = index.parse::<usize>().ok().and_then(|i| items.get(i));
                chosen.cloned().ok_or_else(|| {
                    format!("Template error: Fn::Select cannot select nonexistent value at index {index}")
                })?
            }
            Function::Split(delimiter, whole) => {
                let whole = self.text(whole, "what Fn::Split splits")?;
                if whole.contains(LATER) {
                    return Ok(Some(Value::from(LATER)));
                }
                whole.split(delimiter).map(Value::from).collect()
            }
            Function::FindInMap(map, first, second) => {
                let map = self.text(map, "the map name of Fn::FindInMap")?;
                let first = self.text(first, "the map key of Fn::FindInMap")?;
                let second = self.text(second, "the attribute of Fn::FindInMap")?;
                let found = self.template.mappings.get(&map).and_then(|m| m.get(&first)?.get(&second));
                found.cloned().ok_or_else(|| {
                    format!("Template error: Unable to get mapping for {map}::{first}::{second}")
                })?
            }
            Function::Base64(plain) => {
                let plain = self.text(plain, "what Fn::Base64 encodes")?;
                if plain.contains(LATER) { plain.into() } else { STANDARD.encode(plain).into() }
            }
            Function::ImportValue(name) => {
                let name = self.text(name, "the name of Fn::ImportValue")?;
                if name.contains(LATER) { name.into() } else { self.lookup.import(&name)? }
            }
            Function::GetAZs(region) => {
                let region = self.text(region, "the region of Fn::GetAZs")?;
                let region = if region.is_empty() { &self.pseudo.region } else { &region };
                ["a", "b", "c"].iter().map(|zone| Value::from(format!("{region}{zone}"))).collect()
            }
            Function::If(condition, then, other) => {
                let holds = self.conditions.get(*condition).copied().ok_or_else(|| {
                    format!(
                        "Template format error: Unresolved condition dependency {condition} in the Resources block of \
                         the template"
                    )
                })?;
                return self.value(if holds { then } else { other });
            }
            Function::Equals(..) | Function::And(_) | Function::Or(_) | Function::Not(_) => {
                return Err(
                    "Template error: Fn::Equals, Fn::And, Fn::Or and Fn::Not can be used in the Conditions \
                            block only"
                        .to_owned(),
                );
            }
        }))
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, String> {
        if let Some(declaration) = self.template.parameters.get(name) {
            let value = self.parameters.get(name).map_or("", String::as_str);
            return Ok(Some(declaration.value(value)));
        }
        Ok(Some(match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::AccountId" => self.pseudo.account.clone().into(),
            "AWS::Region" => self.pseudo.region.clone().into(),
            "AWS::StackId" => self.pseudo.stack_id.clone().into(),
            "AWS::StackName" => self.pseudo.stack_name.clone().into(),
            "AWS::Partition" => "aws".into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            "AWS::NotificationARNs" => self.pseudo.notification_arns.clone().into(),
            resource => self.lookup.reference(resource)?,
        }))
    }

    fn substitute(
        &self,
        pieces: &[Piece<'_>],
        variables: Option<&Map<String, Value>>,
    ) -> Result<Value, String> {
        let mut whole = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Literal(name) => {
                    whole.push_str("${");
                    whole.push_str(name);
                    whole.push('}');
                }
                Piece::Variable(name) => {
                    let value = match (variables.and_then(|v| v.get(*name)), name.split_once('.')) {
                        (Some(given), _) => self.value(given)?,
                        (None, Some((resource, attribute))) => {
                            Some(self.lookup.attribute(resource, attribute)?)
                        }
                        (None, None) => self.reference(name)?,
                    };
                    let value = value.as_ref().and_then(scalar).ok_or_else(|| {
                        format!(
                            "Template error: the variable {name} of Fn::Sub is not a string; its value is {}",
                            value.unwrap_or(Value::Null)
                        )
                    })?;
                    whole.push_str(&value);
                }
            }
        }
        Ok(whole.into())
    }

    /// Evaluates to a list; nothing when it is not known yet.
    fn list(&self, value: &Value, function: &str) -> Result<Option<Vec<Value>>, String> {
        match self.value(value)? {
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(Value::String(later)) if later.contains(LATER) => Ok(None),
            other => Err(format!(
                "Template error: {function} needs a list, found {}",
                other.unwrap_or(Value::Null)
            )),
        }
    }
}

/// A scalar's text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(s) => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// Whether a value holds something that is not known yet.
#[must_use]
pub fn holds_later(value: &Value) -> bool {
    match value {
        Value::String(s) => s.contains(LATER),
        Value::Array(items) => items.iter().any(holds_later),
        Value::Object(members) => members.values().any(holds_later),
        _ => false,
    }
}

/// A lookup where neither resources nor exports exist.
pub struct Nothing;

impl Lookup for Nothing {
    fn reference(&self, resource: &str) -> Result<Value, String> {
        Err(format!("Template format error: Unresolved dependencies [{resource}]"))
    }
    fn attribute(&self, resource: &str, _attribute: &str) -> Result<Value, String> {
        self.reference(resource)
    }
    fn import(&self, name: &str) -> Result<Value, String> {
        Err(format!("No export named {name} found."))
    }
}
