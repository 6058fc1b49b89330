//! The result of synthesis: a template ready to be handed to CloudFormation.

use serde::Serialize;

use crate::asset::Asset;
use crate::node::Node;
use crate::print;

/// A template that passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(crate) root: Node,
    pub(crate) parameters: Vec<ParameterInfo>,
    pub(crate) assets: Vec<Asset>,
}

/// What a deployer may choose: a parameter as the template declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterInfo {
    /// Its name.
    pub name: String,
    /// CloudFormation's name for its type, such as `String` or `List<Number>`.
    pub kind: &'static str,
    /// What it is for.
    pub description: String,
    /// The value when none is given, as text; a parameter without one must be given.
    pub default: Option<String>,
}

impl Template {
    /// The template as JSON text to be read, with a line end after the last line.
    #[must_use]
    pub fn to_json(&self) -> String {
        print::template(&self.root) + "\n"
    }

    /// The template as JSON text without white space: what to send when size counts (CloudFormation takes up to
    /// 51,200 bytes inline and 1 MB from S3).
    #[must_use]
    pub fn to_compact_json(&self) -> String {
        serde_json::to_string(&self.root).expect("a tree of text and numbers is always JSON")
    }

    /// What can be chosen at deployment, in the template's order.
    #[must_use]
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.parameters
    }

    /// The files that must be in place before the template is deployed.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }
}
