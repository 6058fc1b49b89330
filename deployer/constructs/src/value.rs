//! Typed values: a literal, or an expression that CloudFormation evaluates at deployment.
//!
//! The lowest layer; everything that ends up in a template is made of these. [`Val<T>`] carries the type for the
//! compiler, [`Node`] is the tree beneath it: kept as a tree until the very end, so that a stack can be checked for
//! dangling references and cycles before it becomes text.

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

use crate::condition::Condition;

/// What a template consists of: JSON with CloudFormation's intrinsic functions as nodes of their own.
///
/// Serializes to the JSON that CloudFormation reads. Maps keep the order in which they were filled, whatever
/// features `serde_json` was built with, so the same stack always gives the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// JSON `null`.
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// A JSON number.
    Number(Number),
    /// A JSON string.
    Text(String),
    /// A JSON array.
    List(Vec<Node>),
    /// A JSON object, in the order of insertion.
    Map(IndexMap<String, Node>),
    /// `Ref` to a parameter, a resource or a pseudo parameter.
    Ref(String),
    /// `Fn::GetAtt`: an attribute of a resource.
    GetAtt(String, String),
    /// Pieces of text put together; `Fn::Sub` where that can express it, `Fn::Join` otherwise.
    Concat(Vec<Node>),
    /// `Fn::Join` of a list with a separator.
    Join(String, Box<Node>),
    /// `Fn::Select`: one element of a list, counted from 0.
    Select(usize, Box<Node>),
    /// `Fn::Split` of a text at a separator.
    Split(String, Box<Node>),
    /// `Fn::If`: the first value where the named condition holds, else the second.
    If(String, Box<Node>, Box<Node>),
    /// `AWS::NoValue`: the property or list element is left out.
    NoValue,
}

impl Node {
    /// Text from pieces: nested pieces are flattened and neighbouring literals merged.
    pub(crate) fn concat(pieces: impl IntoIterator<Item = Node>) -> Node {
        fn push(into: &mut Vec<Node>, piece: Node) {
            match piece {
                Node::Concat(inner) => inner.into_iter().for_each(|inner| push(into, inner)),
                Node::Text(text) if text.is_empty() => {}
                Node::Text(text) => match into.last_mut() {
                    Some(Node::Text(before)) => before.push_str(&text),
                    _ => into.push(Node::Text(text)),
                },
                other => into.push(other),
            }
        }
        let mut flat = Vec::new();
        pieces.into_iter().for_each(|piece| push(&mut flat, piece));
        match flat.len() {
            0 => Node::Text(String::new()),
            1 => flat.remove(0),
            _ => Node::Concat(flat),
        }
    }

    /// An object from its members, in the given order.
    pub(crate) fn map<K: Into<String>>(members: impl IntoIterator<Item = (K, Node)>) -> Node {
        Node::Map(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// A literal string.
    pub(crate) fn text(text: impl Into<String>) -> Node {
        Node::Text(text.into())
    }

    /// A JSON value without expressions, its objects' members sorted by name.
    pub(crate) fn from_json(value: &serde_json::Value) -> Node {
        use serde_json::Value;
        match value {
            Value::Null => Node::Null,
            Value::Bool(flag) => Node::Bool(*flag),
            Value::Number(number) => Node::Number(number.clone()),
            Value::String(text) => Node::Text(text.clone()),
            Value::Array(items) => Node::List(items.iter().map(Node::from_json).collect()),
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                Node::map(members.into_iter().map(|(name, value)| (name.clone(), Node::from_json(value))))
            }
        }
    }

    /// Calls `visit` for this node and everything beneath it.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Node)) {
        visit(self);
        match self {
            Node::List(items) | Node::Concat(items) => items.iter().for_each(|item| item.walk(visit)),
            Node::Map(members) => members.values().for_each(|member| member.walk(visit)),
            Node::Join(_, inner) | Node::Select(_, inner) | Node::Split(_, inner) => inner.walk(visit),
            Node::If(_, then, otherwise) => {
                then.walk(visit);
                otherwise.walk(visit);
            }
            Node::Null
            | Node::Bool(_)
            | Node::Number(_)
            | Node::Text(_)
            | Node::Ref(_)
            | Node::GetAtt(..)
            | Node::NoValue => {}
        }
    }

    /// The node as JSON *text* that may contain expressions: what a property like `DefinitionString` holds.
    ///
    /// Expressions stand inside quotes, so they must yield text free of characters that JSON escapes; ARNs and
    /// names are.
    pub(crate) fn json_text(&self) -> Node {
        let mut pieces = Vec::new();
        self.write_json_text(0, &mut pieces);
        Node::concat(pieces)
    }

    fn write_json_text(&self, depth: usize, out: &mut Vec<Node>) {
        fn line(out: &mut Vec<Node>, depth: usize) {
            out.push(Node::Text(format!("\n{}", "  ".repeat(depth))));
        }
        fn quoted(text: &str) -> Node {
            Node::Text(serde_json::Value::from(text).to_string())
        }
        match self {
            Node::Null => out.push(Node::text("null")),
            Node::Bool(flag) => out.push(Node::Text(flag.to_string())),
            Node::Number(number) => out.push(Node::Text(number.to_string())),
            Node::Text(text) => out.push(quoted(text)),
            Node::List(items) if items.is_empty() => out.push(Node::text("[]")),
            Node::List(items) => {
                out.push(Node::text("["));
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(Node::text(","));
                    }
                    line(out, depth + 1);
                    item.write_json_text(depth + 1, out);
                }
                line(out, depth);
                out.push(Node::text("]"));
            }
            Node::Map(members) if members.is_empty() => out.push(Node::text("{}")),
            Node::Map(members) => {
                out.push(Node::text("{"));
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(Node::text(","));
                    }
                    line(out, depth + 1);
                    out.push(quoted(name));
                    out.push(Node::text(": "));
                    member.write_json_text(depth + 1, out);
                }
                line(out, depth);
                out.push(Node::text("}"));
            }
            expression => {
                out.push(Node::text("\""));
                out.push(expression.clone());
                out.push(Node::text("\""));
            }
        }
    }
}

/// The text of `Fn::Sub` for these pieces, or `None` if a piece needs another function.
fn substitution(pieces: &[Node]) -> Option<String> {
    pieces
        .iter()
        .map(|piece| match piece {
            Node::Text(text) => Some(text.replace("${", "${!")),
            Node::Ref(id) => Some(format!("${{{id}}}")),
            Node::GetAtt(id, attribute) => Some(format!("${{{id}.{attribute}}}")),
            _ => None,
        })
        .collect()
}

fn function<S: Serializer>(serializer: S, name: &str, argument: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, argument)?;
    map.end()
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(flag) => serializer.serialize_bool(*flag),
            Node::Number(number) => number.serialize(serializer),
            Node::Text(text) => serializer.serialize_str(text),
            Node::List(items) => items.serialize(serializer),
            Node::Map(members) => members.serialize(serializer),
            Node::Ref(id) => function(serializer, "Ref", id),
            Node::GetAtt(id, attribute) => function(serializer, "Fn::GetAtt", &[id, attribute]),
            Node::Concat(pieces) => match substitution(pieces) {
                Some(text) => function(serializer, "Fn::Sub", &text),
                None => function(serializer, "Fn::Join", &("", pieces)),
            },
            Node::Join(separator, list) => function(serializer, "Fn::Join", &(separator, list)),
            Node::Select(index, list) => function(serializer, "Fn::Select", &(index, list)),
            Node::Split(separator, text) => function(serializer, "Fn::Split", &(separator, text)),
            Node::If(condition, then, otherwise) => {
                function(serializer, "Fn::If", &(condition, then, otherwise))
            }
            Node::NoValue => function(serializer, "Ref", &"AWS::NoValue"),
        }
    }
}

/// A value of type `T` in a template: known now, or an expression that is evaluated at deployment.
///
/// The type keeps a role's ARN out of a property that wants a name. Literals convert with `into()`; expressions
/// come from parameters, resources' attributes, [`pseudo`] parameters and the methods here.
pub struct Val<T> {
    pub(crate) node: Node,
    kind: PhantomData<fn() -> T>,
}

impl<T> Val<T> {
    pub(crate) fn of(node: Node) -> Self {
        Val { node, kind: PhantomData }
    }

    /// One value where the condition holds, another where it does not.
    pub fn if_else(condition: &Condition, then: impl Into<Val<T>>, otherwise: impl Into<Val<T>>) -> Self {
        Val::of(Node::If(
            condition.id().to_owned(),
            Box::new(then.into().node),
            Box::new(otherwise.into().node),
        ))
    }

    /// The value where the condition holds; elsewhere the property is left out altogether.
    pub fn only_if(condition: &Condition, then: impl Into<Val<T>>) -> Self {
        Val::of(Node::If(condition.id().to_owned(), Box::new(then.into().node), Box::new(Node::NoValue)))
    }

    /// The tree that this value contributes to the template.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl<T> Clone for Val<T> {
    fn clone(&self) -> Self {
        Val::of(self.node.clone())
    }
}

impl<T> fmt::Debug for Val<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

impl<T> PartialEq for Val<T> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl<T> From<&Val<T>> for Val<T> {
    fn from(value: &Val<T>) -> Self {
        value.clone()
    }
}

/// An Amazon Resource Name, as a type for [`Val`].
#[derive(Debug)]
pub enum Arn {}

/// Types whose values are text, so that they can be put together from pieces.
pub trait Textual {}
impl Textual for String {}
impl Textual for Arn {}

impl<T: Textual> Val<T> {
    /// Text put together from literals and values; see the macro [`text!`](crate::text).
    pub fn concat(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Val::of(Node::concat(pieces.into_iter().map(|piece| piece.0)))
    }

    /// The same text without its particular meaning.
    #[must_use]
    pub fn as_text(&self) -> Val<String> {
        Val::of(self.node.clone())
    }
}

impl Val<String> {
    /// The parts of the text between separators (`Fn::Split`).
    #[must_use]
    pub fn split(&self, separator: &str) -> Val<Vec<String>> {
        Val::of(Node::Split(separator.to_owned(), Box::new(self.node.clone())))
    }
}

impl<T> Val<Vec<T>> {
    /// The list's elements as one text with a separator between them (`Fn::Join`).
    #[must_use]
    pub fn join(&self, separator: &str) -> Val<String> {
        Val::of(Node::Join(separator.to_owned(), Box::new(self.node.clone())))
    }

    /// One element, counted from 0 (`Fn::Select`).
    #[must_use]
    pub fn select(&self, index: usize) -> Val<T> {
        Val::of(Node::Select(index, Box::new(self.node.clone())))
    }
}

impl<T> From<Vec<Val<T>>> for Val<Vec<T>> {
    fn from(items: Vec<Val<T>>) -> Self {
        Val::of(Node::List(items.into_iter().map(|item| item.node).collect()))
    }
}

impl From<&str> for Val<String> {
    fn from(text: &str) -> Self {
        Val::of(Node::text(text))
    }
}

impl From<String> for Val<String> {
    fn from(text: String) -> Self {
        Val::of(Node::Text(text))
    }
}

impl From<u32> for Val<u32> {
    fn from(number: u32) -> Self {
        Val::of(Node::Number(number.into()))
    }
}

impl From<bool> for Val<bool> {
    fn from(flag: bool) -> Self {
        Val::of(Node::Bool(flag))
    }
}

/// One piece of a text: a literal or a value that is itself text.
#[derive(Debug, Clone)]
pub struct Piece(Node);

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Piece(Node::text(text))
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Piece(Node::Text(text))
    }
}

impl<T: Textual> From<Val<T>> for Piece {
    fn from(value: Val<T>) -> Self {
        Piece(value.node)
    }
}

impl<T: Textual> From<&Val<T>> for Piece {
    fn from(value: &Val<T>) -> Self {
        Piece(value.node.clone())
    }
}

/// Text put together from literals and values, as a `Val<String>` or a `Val<Arn>`, whichever is wanted.
///
/// ```
/// use constructs::{Arn, Val, pseudo, text};
/// let table: Val<Arn> = text!["arn:", pseudo::partition(), ":s3:::", "my-bucket/*"];
/// assert_eq!(serde_json::to_string(table.node())?, r#"{"Fn::Sub":"arn:${AWS::Partition}:s3:::my-bucket/*"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! text {
    [$($piece:expr),+ $(,)?] => { $crate::Val::concat([$($crate::Piece::from($piece)),+]) };
}

/// CloudFormation's pseudo parameters: what is known about a stack only once it is deployed.
pub mod pseudo {
    use super::{Node, Val};

    fn parameter(name: &str) -> Val<String> {
        Val::of(Node::Ref(format!("AWS::{name}")))
    }

    /// The account's twelve digits.
    #[must_use]
    pub fn account_id() -> Val<String> {
        parameter("AccountId")
    }

    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    #[must_use]
    pub fn partition() -> Val<String> {
        parameter("Partition")
    }

    /// The region, such as `eu-central-1`.
    #[must_use]
    pub fn region() -> Val<String> {
        parameter("Region")
    }

    /// The stack's ARN, which ends in `/<name>/<uuid>`.
    #[must_use]
    pub fn stack_id() -> Val<String> {
        parameter("StackId")
    }

    /// The stack's name.
    #[must_use]
    pub fn stack_name() -> Val<String> {
        parameter("StackName")
    }
}
