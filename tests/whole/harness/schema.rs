//! Documents against the schemas that the program prints.

use std::collections::BTreeMap;
use std::sync::Mutex;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::deployer;

/// The schema of a document: `input`, `result` or `event`.
pub struct Schema(Schemas, SchemaIndex);

impl Schema {
    /// Asks the program for it.
    pub fn of(document: &str) -> Self {
        let output = deployer(&["schema", document]).output().expect("the program starts");
        let schema = serde_json::from_slice(&output.stdout).expect("a schema is JSON");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let place = format!("file:///{document}.json");
        compiler.add_resource(&place, schema).expect("a schema");
        let index = compiler.compile(&place, &mut schemas).expect("a JSON Schema");
        Self(schemas, index)
    }

    /// What is wrong with a document.
    pub fn judge(&self, value: &Value) -> Result<(), String> {
        self.0.validate(value, self.1).map_err(|wrong| format!("{wrong:#}"))
    }
}

/// Asserts that a text is a document as its schema says.
#[track_caller]
pub fn check(document: &'static str, text: &str, line: &str) {
    static READ: Mutex<BTreeMap<&str, Schema>> = Mutex::new(BTreeMap::new());
    let value =
        serde_json::from_str(text).unwrap_or_else(|wrong| panic!("{line}: not JSON ({wrong}): {text}"));
    let mut read = READ.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let schema = read.entry(document).or_insert_with(|| Schema::of(document));
    schema.judge(&value).unwrap_or_else(|wrong| panic!("{line}: no {document} ({wrong}): {text}"));
}
