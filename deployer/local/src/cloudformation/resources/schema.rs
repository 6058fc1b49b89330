//! What a resource type may be given: names, shapes, what is required and what a change of it means. From it follow
//! the check of properties, their conversion to their own types, and whether a change needs a replacement.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Site;
use template::eval::LATER;

/// A resource type.
#[derive(Debug)]
pub struct Schema {
    /// `AWS::SERVICE::THING`.
    pub kind: &'static str,
    /// The properties.
    pub properties: &'static [Property],
    /// What `Fn::GetAtt` knows.
    pub attributes: &'static [&'static str],
    /// The property that names it, if it can be named.
    pub named: Option<&'static str>,
    /// How it is named otherwise.
    pub naming: Naming,
    /// Whether the stack's tags are passed on to it.
    pub taggable: bool,
}

/// A name that CloudFormation makes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `STACK-LOGICALID-RANDOM`, at most so long.
    Stack(usize),
    /// The same in small letters.
    StackLower(usize),
    /// `LOGICALID-RANDOM`, at most so long.
    Logical(usize),
}

/// A property of a type.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Whether a change of it needs a replacement.
    pub replaces: bool,
}

/// What a property may be.
#[derive(Debug)]
pub enum Shape {
    /// A text; numbers and booleans become text.
    Text,
    /// A whole number, also as text.
    Integer,
    /// A number, also as text.
    Number,
    /// A truth value, also as text.
    Boolean,
    /// A JSON object, also as its text.
    Document,
    /// Anything that is left to the service to judge.
    Any,
    /// A list.
    List(&'static Shape),
    /// An object with these members.
    Object(&'static [Property]),
    /// An object of texts with any names.
    Map,
}

impl Property {
    /// An optional property that can be changed in place.
    #[must_use]
    pub const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, required: false, replaces: false }
    }

    /// The same, required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, changed by replacement only.
    #[must_use]
    pub const fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }
}

/// The shape of `Tags` as most types have it.
pub const TAGS: Shape = Shape::List(&Shape::Object(&[
    Property::new("Key", Shape::Text).required(),
    Property::new("Value", Shape::Text).required(),
]));

impl Schema {
    /// Checks properties and gives them in their own types.
    ///
    /// # Errors
    /// The message AWS fails a resource with, naming everything that is wrong.
    pub fn check(&self, logical_id: &str, properties: &Value) -> Result<Value, String> {
        let (checked, wrong) = self.shaped(properties);
        let list = match wrong.as_slice() {
            [] => return Ok(checked),
            [one] => one.clone(),
            many => format!("#: {} schema violations found\n{}", many.len(), many.join("\n")),
        };
        Err(format!("Properties validation failed for resource {logical_id} with message:\n{list}"))
    }

    /// Everything that is wrong with properties, each as `#PATH: MESSAGE`. Values that are known only after their resources
    /// are made are not judged.
    #[must_use]
    pub fn violations(&self, properties: &Value) -> Vec<String> {
        self.shaped(properties).1
    }

    fn shaped(&self, properties: &Value) -> (Value, Vec<String>) {
        let mut wrong = Vec::new();
        let checked = object("", self.properties, properties, &mut wrong);
        wrong.sort();
        (checked, wrong)
    }

    /// The name given to a resource, or the one made up for it.
    #[must_use]
    pub fn name(&self, site: &Site, properties: &Value) -> String {
        let given = self.named.and_then(|property| properties.get(property)).and_then(Value::as_str);
        given.map_or_else(|| self.generated(site), str::to_owned)
    }

    /// The name made up for a resource. It follows from the stack, the logical id and the operation that makes it, so
    /// that whoever takes up the operation comes to the same.
    #[must_use]
    pub fn generated(&self, site: &Site) -> String {
        let random = random(&format!("{}/{}/{}", site.stack_id, site.logical_id, site.generation));
        let (stack, limit) = match self.naming {
            Naming::Stack(limit) | Naming::StackLower(limit) => (format!("{}-", site.stack_name), limit),
            Naming::Logical(limit) => (String::new(), limit),
        };
        let room = limit.saturating_sub(random.len() + 1);
        let mut prefix = format!("{stack}{}", site.logical_id);
        if prefix.len() > room {
            // As AWS does: both names keep their share of what room there is.
            let logical: String = site.logical_id.chars().take(room.saturating_sub(room / 2)).collect();
            let stack: String = stack.chars().take(room - logical.len()).collect();
            prefix = format!("{}{logical}", stack);
        }
        let name = format!("{prefix}-{random}");
        if matches!(self.naming, Naming::StackLower(_)) { name.to_lowercase() } else { name }
    }

    /// The property's description.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|p| p.name == name)
    }

    /// The names of the properties that differ, in order.
    #[must_use]
    pub fn differing(before: &Value, after: &Value) -> Vec<String> {
        let empty = Map::new();
        let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
        let mut names: Vec<String> = before
            .keys()
            .chain(after.keys().filter(|name| !before.contains_key(*name)))
            .filter(|name| before.get(*name) != after.get(*name))
            .cloned()
            .collect();
        names.sort();
        names
    }

    /// Whether a change of these properties needs a replacement.
    #[must_use]
    pub fn replaces(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.property(name).is_some_and(|p| p.replaces))
    }
}

/// Twelve letters and digits that follow from a seed.
#[must_use]
pub fn random(seed: &str) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    Sha256::digest(seed)
        .iter()
        .take(12)
        .map(|b| char::from(ALPHABET[usize::from(*b) % ALPHABET.len()]))
        .collect()
}

fn object(path: &str, properties: &[Property], value: &Value, wrong: &mut Vec<String>) -> Value {
    let at = |path: &str| format!("#{path}");
    if is_later(value) {
        return value.clone();
    }
    let Value::Object(members) = value else {
        wrong.push(format!("{}: expected type: JSONObject, found: {}", at(path), type_of(value)));
        return Value::Null;
    };
    let mut checked = Map::new();
    for (name, member) in members {
        match properties.iter().find(|p| p.name == name) {
            Some(property) => {
                let member = shaped(&format!("{path}/{name}"), &property.shape, member, wrong);
                checked.insert(name.clone(), member);
            }
            None => wrong.push(format!("{}: extraneous key [{name}] is not permitted", at(path))),
        }
    }
    for property in properties.iter().filter(|p| p.required && !members.contains_key(p.name)) {
        wrong.push(format!("{}: required key [{}] not found", at(path), property.name));
    }
    Value::Object(checked)
}

fn shaped(path: &str, shape: &Shape, value: &Value, wrong: &mut Vec<String>) -> Value {
    let mut expected = |name: &str| {
        let mut message = format!("#{path}: expected type: {name}, found: {}", type_of(value));
        if let Some(text) = value.as_str() {
            let _ = write!(message, " '{text}'");
        }
        wrong.push(message);
        Value::Null
    };
    match (shape, value) {
        (Shape::Any, value) => value.clone(),
        (_, value) if is_later(value) => value.clone(),
        (Shape::Text, Value::String(_)) => value.clone(),
        (Shape::Text, Value::Number(n)) => n.to_string().into(),
        (Shape::Text, Value::Bool(b)) => b.to_string().into(),
        (Shape::Text, _) => expected("String"),
        (Shape::Integer, Value::Number(n)) if n.is_i64() || n.is_u64() => value.clone(),
        (Shape::Integer, Value::String(s)) => match s.trim().parse::<i64>() {
            Ok(n) => n.into(),
            Err(_) => expected("Integer"),
        },
        (Shape::Integer, _) => expected("Integer"),
        (Shape::Number, Value::Number(_)) => value.clone(),
        (Shape::Number, Value::String(s)) => match s.trim().parse::<f64>() {
            Ok(n) if n.is_finite() => n.into(),
            _ => expected("Number"),
        },
        (Shape::Number, _) => expected("Number"),
        (Shape::Boolean, Value::Bool(_)) => value.clone(),
        (Shape::Boolean, Value::String(s)) if s.eq_ignore_ascii_case("true") => true.into(),
        (Shape::Boolean, Value::String(s)) if s.eq_ignore_ascii_case("false") => false.into(),
        (Shape::Boolean, _) => expected("Boolean"),
        (Shape::Document, Value::Object(_)) => value.clone(),
        (Shape::Document, Value::String(s)) => match serde_json::from_str::<Value>(s) {
            Ok(document @ Value::Object(_)) => document,
            _ => expected("JSONObject"),
        },
        (Shape::Document, _) => expected("JSONObject"),
        (Shape::List(item), Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(i, value)| shaped(&format!("{path}/{i}"), item, value, wrong))
            .collect(),
        (Shape::List(_), _) => expected("JSONArray"),
        (Shape::Object(properties), value) => object(path, properties, value, wrong),
        (Shape::Map, Value::Object(members)) => Value::Object(
            members
                .iter()
                .map(|(name, member)| {
                    (name.clone(), shaped(&format!("{path}/{name}"), &Shape::Text, member, wrong))
                })
                .collect(),
        ),
        (Shape::Map, _) => expected("JSONObject"),
    }
}

fn is_later(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains(LATER))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(n) if n.is_f64() => "Number",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}
