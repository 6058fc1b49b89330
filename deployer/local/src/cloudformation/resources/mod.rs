//! The resource types: for each a [`Schema`] (what it may be given, what a change of it means, what it answers) and a
//! [`Handler`] that makes, changes and deletes it by calling its service.
//!
//! A type is one entry of [`Registry::standard`] and one small file. Handlers are asked in an order that lets every one
//! of them be asked again after a kill: `create` comes after `read` said that there is nothing, `update` sets everything
//! it is given, `delete` of what is gone is no failure.

mod bucket;
mod cdk;
mod distribution;
mod function;
mod key;
mod layer;
mod log_group;
mod managed_policy;
mod parameter;
mod published;
mod repository;
mod role;
mod rule;
pub mod schema;
mod site;
mod state_machine;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use schema::Schema;
pub use site::{Failure, Site};

use template::Types;

/// What a handler's method answers, in time.
pub type Answer<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The attributes of an existing resource, or nothing when there is none.
pub type Attributes = Option<Map<String, Value>>;

/// What a service has of a resource's properties.
#[derive(Debug)]
pub enum Actual {
    /// The drift of this type cannot be detected.
    NotChecked,
    /// There is no such resource.
    Deleted,
    /// Those that it has, in the template's words.
    Has {
        /// Values by name; one that is not there is not set.
        properties: Map<String, Value>,
        /// The names of all that can be read. The others, such as a function's code, cannot be compared.
        readable: &'static [&'static str],
    },
}

/// The work of a resource type.
pub trait Handler: Send + Sync {
    /// What the type is.
    fn schema(&self) -> &'static Schema;

    /// The physical id that a resource will have, as far as that is known before it is made.
    fn candidate(&self, site: &Site, properties: &Value) -> String {
        self.schema().name(site, properties)
    }

    /// The attributes of an existing resource, or nothing when there is none.
    fn read<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, Attributes>;

    /// Makes it and waits until it can be used; gives its physical id.
    fn create<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a, String>;

    /// Brings it from one set of properties to another that does not need a replacement. What it has then does not
    /// depend on `before`, but for things to be taken away. Nothing for types that every change replaces.
    fn update<'a>(&'a self, _: &'a Site, _: &'a str, _before: &'a Value, _after: &'a Value) -> Answer<'a> {
        Box::pin(async { Ok(()) })
    }

    /// What it has of the properties that its template states.
    fn actual<'a>(&'a self, _: &'a Site, _: &'a str, _stated: &'a Value) -> Answer<'a, Actual> {
        Box::pin(async { Ok(Actual::NotChecked) })
    }

    /// Deletes it.
    fn delete<'a>(&'a self, site: &'a Site, id: &'a str, properties: &'a Value) -> Answer<'a>;
}

/// The drift of a type whose every change is a replacement: whether it is there.
async fn existence(handler: &dyn Handler, site: &Site, id: &str, stated: &Value) -> Result<Actual, Failure> {
    Ok(match handler.read(site, id, stated).await? {
        Some(_) => Actual::Has { properties: Map::new(), readable: &[] },
        None => Actual::Deleted,
    })
}

/// The types the endpoint knows.
#[derive(Clone)]
pub struct Registry {
    handlers: BTreeMap<&'static str, Arc<dyn Handler>>,
}

impl Registry {
    /// A registry of these types.
    #[must_use]
    pub fn of(handlers: impl IntoIterator<Item = Arc<dyn Handler>>) -> Self {
        Self { handlers: handlers.into_iter().map(|h| (h.schema().kind, h)).collect() }
    }

    /// The types of the local services.
    #[must_use]
    pub fn standard() -> Self {
        Self::of([
            Arc::new(bucket::Bucket) as Arc<dyn Handler>,
            Arc::new(bucket::Policy),
            Arc::new(cdk::Metadata),
            Arc::new(distribution::Distribution),
            Arc::new(distribution::OriginAccessControl),
            Arc::new(function::Function),
            Arc::new(key::Absent::alias()),
            Arc::new(key::Absent::key()),
            Arc::new(layer::LayerVersion),
            Arc::new(log_group::LogGroup),
            Arc::new(managed_policy::ManagedPolicy),
            Arc::new(parameter::Parameter),
            Arc::new(published::Alias),
            Arc::new(published::Permission),
            Arc::new(published::Version),
            Arc::new(repository::Repository),
            Arc::new(role::Policy),
            Arc::new(role::Role),
            Arc::new(rule::Rule),
            Arc::new(state_machine::StateMachine),
        ])
    }

    /// The handler of a type.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Handler>> {
        self.handlers.get(kind)
    }
}

impl Types for Registry {
    fn known(&self, kind: &str) -> bool {
        self.handlers.contains_key(kind)
    }

    fn attribute(&self, kind: &str, attribute: &str) -> bool {
        self.get(kind).is_none_or(|handler| handler.schema().attributes.contains(&attribute))
    }

    fn capability(&self, kind: &str, properties: &Value) -> Option<&'static str> {
        let schema = self.get(kind)?.schema();
        if !kind.starts_with("AWS::IAM::") {
            return None;
        }
        let named = schema.named.is_some_and(|property| properties.get(property).is_some());
        Some(if named { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" })
    }
}
