//! What a resource is to a stack, and the handle by which others refer to it.

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;

use crate::node::Node;
use crate::value::Val;

/// A resource type of CloudFormation, as a plain struct of typed values.
pub trait Resource {
    /// CloudFormation's name, such as `AWS::IAM::Role`.
    fn resource_type(&self) -> &str;

    /// The properties as the template writes them.
    fn properties(&self) -> Properties;

    /// What is wrong with the resource itself, in words; references are the stack's to check.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A resource that is part of a stack; its methods give the typed values that other resources may use.
pub struct Handle<R> {
    id: String,
    kind: PhantomData<fn() -> R>,
}

impl<R> Handle<R> {
    pub(crate) fn named(id: &str) -> Self {
        Handle { id: id.to_owned(), kind: PhantomData }
    }

    /// The logical id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What CloudFormation's `Ref` gives for the resource: mostly its name, for some types its ARN. `T` is the type it is taken for.
    #[must_use]
    pub fn reference<T>(&self) -> Val<T> {
        Val::of(Node::Ref(self.id.clone()))
    }

    /// An attribute of the resource (`Fn::GetAtt`) by CloudFormation's name, such as `Arn`. `T` is the type it is taken for.
    #[must_use]
    pub fn attribute<T>(&self, name: &str) -> Val<T> {
        Val::of(Node::GetAtt(self.id.clone(), name.to_owned()))
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Handle::named(&self.id)
    }
}

impl<R> fmt::Debug for Handle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.id)
    }
}

/// A resource's properties, or those of a part of it, in the order in which they were set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(IndexMap<String, Node>);

impl Properties {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Properties::default()
    }

    /// Sets a property.
    #[must_use]
    pub fn set<T>(self, name: &str, value: &Val<T>) -> Self {
        self.set_node(name, value.node.clone())
    }

    /// Sets a property if there is a value for it.
    #[must_use]
    pub fn set_some<T>(self, name: &str, value: Option<&Val<T>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Sets a property to a structure.
    #[must_use]
    pub fn set_node(mut self, name: &str, value: Node) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The properties as one object.
    #[must_use]
    pub fn into_node(self) -> Node {
        Node::Map(self.0)
    }
}
