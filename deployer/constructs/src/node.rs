//! The tree that a template is: JSON, and CloudFormation's intrinsic functions.
//!
//! The lowest layer. It stays a tree until the very end, so that a stack can be checked for dangling references and
//! cycles before it becomes text.

use indexmap::IndexMap;
use serde::ser::{Serialize, Serializer};
use serde_json::Number;

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
    pub fn map<K: Into<String>>(members: impl IntoIterator<Item = (K, Node)>) -> Node {
        Node::Map(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// A literal string.
    pub fn text(text: impl Into<String>) -> Node {
        Node::Text(text.into())
    }

    /// A JSON value without expressions, its objects' members sorted by name.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Node {
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
}

/// The text with `${name}` escaped as `Fn::Sub` has it, `${!name}`. CloudFormation documents that form alone, so an
/// opening that no brace closes, or with anything but a name in it, is `None`.
fn escaped(text: &str) -> Option<String> {
    let mut pieces = text.split("${");
    let mut escaped = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let name = piece.find('}').map(|end| &piece[..end]).filter(|name| !name.is_empty())?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':')) {
            return None;
        }
        escaped.push_str("${!");
        escaped.push_str(piece);
    }
    Some(escaped)
}

/// The text of `Fn::Sub` for these pieces, or `None` if a piece needs another function.
fn substitution(pieces: &[Node]) -> Option<String> {
    pieces
        .iter()
        .map(|piece| match piece {
            Node::Text(text) => escaped(text),
            Node::Ref(id) => Some(format!("${{{id}}}")),
            Node::GetAtt(id, attribute) => Some(format!("${{{id}.{attribute}}}")),
            _ => None,
        })
        .collect()
}

impl Node {
    /// An expression as the object that CloudFormation reads; `None` for plain JSON.
    pub(crate) fn intrinsic(&self) -> Option<Node> {
        let text = |text: &String| Node::text(text.as_str());
        let (function, argument) = match self {
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => {
                return None;
            }
            Node::Ref(id) => ("Ref", text(id)),
            Node::NoValue => ("Ref", Node::text("AWS::NoValue")),
            Node::GetAtt(id, attribute) => ("Fn::GetAtt", Node::List(vec![text(id), text(attribute)])),
            Node::Concat(pieces) => match substitution(pieces) {
                Some(text) => ("Fn::Sub", Node::Text(text)),
                None => ("Fn::Join", Node::List(vec![Node::text(""), Node::List(pieces.clone())])),
            },
            Node::Join(separator, list) => ("Fn::Join", Node::List(vec![text(separator), (**list).clone()])),
            Node::Select(index, list) => {
                ("Fn::Select", Node::List(vec![Node::Number((*index).into()), (**list).clone()]))
            }
            Node::Split(separator, whole) => {
                ("Fn::Split", Node::List(vec![text(separator), (**whole).clone()]))
            }
            Node::If(condition, then, otherwise) => {
                ("Fn::If", Node::List(vec![text(condition), (**then).clone(), (**otherwise).clone()]))
            }
        };
        Some(Node::map([(function, argument)]))
    }
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
            expression => expression.intrinsic().serialize(serializer),
        }
    }
}
