//! Conditions: what a template decides at deployment from its parameters.
//!
//! A [`Predicate`] is built from values, given a name by [`Stack::condition`](crate::Stack::condition), and used
//! through the [`Condition`] that returns.

use std::fmt;

use crate::node::Node;
use crate::value::Val;

/// A named condition of a stack.
#[derive(Clone, PartialEq, Eq)]
pub struct Condition {
    id: String,
}

impl Condition {
    pub(crate) fn named(id: &str) -> Self {
        Condition { id: id.to_owned() }
    }

    /// The condition's logical id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.id)
    }
}

/// Something that holds or does not, once the parameters are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate(pub(crate) Node);

impl Predicate {
    /// Holds where both values are the same text.
    pub fn equals<T>(left: &Val<T>, right: impl Into<Val<T>>) -> Self {
        Predicate(Node::map([("Fn::Equals", Node::List(vec![left.node.clone(), right.into().node]))]))
    }

    /// Holds where the text is not empty.
    #[must_use]
    pub fn is_given(text: &Val<String>) -> Self {
        Predicate::equals(text, "").negated()
    }

    /// Holds where the list has any text in it. An empty list parameter is a list of one empty text.
    #[must_use]
    pub fn any_given(list: &Val<Vec<String>>) -> Self {
        Predicate::is_given(&list.join(""))
    }

    /// Holds where this one does not.
    #[must_use]
    pub fn negated(self) -> Self {
        Predicate(Node::map([("Fn::Not", Node::List(vec![self.0]))]))
    }

    /// Holds where this or the other does.
    #[must_use]
    pub fn or(self, other: Predicate) -> Self {
        Predicate(Node::map([("Fn::Or", Node::List(vec![self.0, other.0]))]))
    }

    /// Holds where this and the other do.
    #[must_use]
    pub fn and(self, other: Predicate) -> Self {
        Predicate(Node::map([("Fn::And", Node::List(vec![self.0, other.0]))]))
    }
}
