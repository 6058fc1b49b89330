//! Predicates: what a condition asks of the parameters.
//!
//! A [`Predicate`] is built from values, given a name by [`Stack::condition`](crate::Stack::condition), and used
//! through the [`Condition`](crate::Condition) that returns.

use crate::node::Node;
use crate::value::Val;

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

    /// Holds where each text of the list is one of these.
    #[must_use]
    pub fn each_in<const N: usize>(list: &Val<Vec<String>>, texts: [&str; N]) -> Self {
        let texts = Node::List(texts.map(Node::text).into());
        Predicate(Node::map([("Fn::EachMemberIn", Node::List(vec![list.node.clone(), texts]))]))
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
