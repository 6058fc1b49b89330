//! A template made ready for a stack: parsed, its conditions decided, its resources in order.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cloudformation::ledger;
use crate::cloudformation::records::{Output, Stack, Wanted};
use crate::cloudformation::resources::Registry;
use crate::store::Store;
use template::eval::{self, Lookup, Pseudo, Scope};
use template::graph::{self, Graph};
use template::references::Conditions;
use template::{Template, parse};

/// A template made ready.
pub struct Plan {
    /// The template.
    pub template: Template,
    /// Which conditions hold.
    pub conditions: Conditions,
    /// The resources whose conditions hold, each with those it is made after.
    pub graph: Graph,
    /// The parameters' values.
    pub parameters: BTreeMap<String, String>,
    /// The pseudo parameters.
    pub pseudo: Pseudo,
}

impl Plan {
    /// Makes ready what a stack is wanted to be.
    ///
    /// # Errors
    /// The message of AWS's `ValidationError`.
    pub fn new(registry: &Registry, stack: &Stack, wanted: &Wanted) -> Result<Self, String> {
        let template = parse::parse(&wanted.template, registry)?;
        let pseudo = stack.pseudo();
        let parameters = wanted.values();
        let conditions = eval::conditions(&template, &parameters, &pseudo)?;
        let graph = graph::graph(&template, &conditions)?;
        Ok(Self { template, conditions, graph, parameters, pseudo })
    }

    /// What its values are evaluated with.
    #[must_use]
    pub fn scope<'a>(&'a self, lookup: &'a dyn Lookup) -> Scope<'a> {
        Scope {
            template: &self.template,
            parameters: &self.parameters,
            conditions: &self.conditions,
            pseudo: &self.pseudo,
            lookup,
        }
    }

    /// A resource's evaluated properties.
    ///
    /// # Errors
    /// AWS's message.
    pub fn properties(&self, name: &str, lookup: &dyn Lookup) -> Result<Value, String> {
        let Some(resource) = self.template.resources.get(name) else { return Ok(Value::Null) };
        Ok(self
            .scope(lookup)
            .value(&resource.properties)?
            .unwrap_or_else(|| Value::Object(serde_json::Map::new())))
    }

    /// A resource's evaluated metadata.
    ///
    /// # Errors
    /// AWS's message.
    pub fn metadata(&self, name: &str, lookup: &dyn Lookup) -> Result<Option<Value>, String> {
        match self.template.resources.get(name).and_then(|r| r.metadata.as_ref()) {
            Some(metadata) => self.scope(lookup).value(metadata),
            None => Ok(None),
        }
    }

    /// The evaluated outputs.
    ///
    /// # Errors
    /// AWS's message.
    pub fn outputs(&self, lookup: &dyn Lookup) -> Result<Vec<Output>, String> {
        let scope = self.scope(lookup);
        let holds = |condition: &str| self.conditions.get(condition).copied().unwrap_or(false);
        let active = self.template.outputs.iter().filter(|(_, o)| o.condition.as_deref().is_none_or(holds));
        active
            .map(|(key, output)| {
                let what = format!("the value of output {key}");
                Ok(Output {
                    key: key.clone(),
                    value: scope.text(&output.value, &what)?,
                    description: output.description.clone(),
                    export: match &output.export {
                        Some(name) => Some(scope.text(name, &format!("the export name of output {key}"))?),
                        None => None,
                    },
                })
            })
            .collect()
    }
}

/// Everything that stacks export: the name, the exporting stack, the value.
#[must_use]
pub fn exported(store: &Store) -> BTreeMap<String, (Stack, String)> {
    let stacks = ledger::all(store)
        .into_iter()
        .filter(|stack| stack.deleted.is_none() || stack.status != "DELETE_COMPLETE");
    stacks
        .flat_map(|stack| {
            let outputs = stack.outputs.clone();
            outputs.into_iter().filter_map(move |o| Some((o.export?, (stack.clone(), o.value))))
        })
        .collect()
}
