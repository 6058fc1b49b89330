//! Typed values: a literal, or an expression that CloudFormation evaluates at deployment.
//!
//! The lowest layer but one: a [`Node`] with a type for the compiler. Literals convert, expressions come from
//! parameters, handles and the methods here.

use std::fmt;
use std::marker::PhantomData;

use crate::condition::Condition;
use crate::node::Node;

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
