//! When a function's runtime is updated. The endpoint has one build of each runtime and only keeps what is set.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Aws, Caller, Result};

use super::Lambda;
use super::errors::{invalid, no_function};
use super::input::{Constraints, Named, read};
use super::name::{LATEST, Target, version_number};
use super::record::{Configuration, FUNCTION, Function, VERSION, version_id};

const MODES: [&str; 3] = ["Auto", "FunctionUpdate", "Manual"];

/// What is set for `$LATEST` or a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeManagement {
    /// `Auto`, `FunctionUpdate` or `Manual`.
    pub mode: String,
    /// The version of the runtime, with `Manual` only.
    pub version: Option<String>,
}

impl Default for RuntimeManagement {
    fn default() -> Self {
        Self { mode: "Auto".to_owned(), version: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    function_name: Option<String>,
    qualifier: Option<String>,
    update_runtime_on: Option<String>,
    runtime_version_arn: Option<String>,
}

impl RuntimeManagement {
    fn shown(&self, aws: &Aws, target: &Target) -> Value {
        let mut shown = json!({"FunctionArn": target.arn(aws), "UpdateRuntimeOn": self.mode});
        if let Some(version) = &self.version {
            shown["RuntimeVersionArn"] = json!(version);
        }
        shown
    }
}

impl Lambda {
    pub(super) fn get_runtime_management(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "GetRuntimeManagementConfig")?;
        let function = self.function(aws, &target)?;
        let qualifier = target.qualifier.as_deref().unwrap_or(LATEST);
        let found = super::record::version(&aws.store, &function, qualifier);
        let found = found.ok_or_else(|| no_function(target.arn(aws)))?;
        Ok(found.runtime_management.shown(aws, &target))
    }

    pub(super) fn put_runtime_management(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Put = read(input)?;
        let mut constraints = Constraints::default();
        constraints.required("updateRuntimeOn", input.update_runtime_on.as_ref());
        constraints.one_of("updateRuntimeOn", input.update_runtime_on.as_deref(), &MODES);
        constraints.check()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "PutRuntimeManagementConfig")?;
        let mode = input.update_runtime_on.unwrap_or_default();
        match (&input.runtime_version_arn, mode == "Manual") {
            (None, true) => {
                return Err(invalid("RuntimeVersionArn is required when the runtime update mode is Manual"));
            }
            (Some(_), false) => {
                return Err(invalid("RuntimeVersionArn is taken with the runtime update mode Manual only"));
            }
            _ => {}
        }
        let management = RuntimeManagement { mode, version: input.runtime_version_arn };
        aws.store.transaction(|records| {
            let missing = || no_function(target.arn(aws));
            let mut function: Function = records.get(FUNCTION, &target.name).ok_or_else(missing)?;
            match target.qualifier.as_deref().unwrap_or(LATEST) {
                LATEST => {
                    function.latest.runtime_management = management.clone();
                    function.latest.touch();
                    records.put(FUNCTION, &target.name, &function);
                }
                qualifier => {
                    let id = version_number(qualifier).map(|number| version_id(&target.name, number));
                    let id = id.ok_or_else(missing)?;
                    let mut version: Configuration = records.get(VERSION, &id).ok_or_else(missing)?;
                    version.runtime_management = management.clone();
                    records.put(VERSION, &id, &version);
                }
            }
            Ok(management.shown(aws, &target))
        })
    }
}
