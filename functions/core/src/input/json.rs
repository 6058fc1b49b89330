//! The way back: a checked input as the JSON that starts an execution.

use super::Input;
use serde_json::{Map, Value, json};

impl Input {
    /// The execution input, normalised: numbers as numbers, sizes sorted, clamped values as they are used. What has no value is
    /// left out, the rest is explicit, so the execution does not depend on defaults of the stack. Parsing it gives this input again (without
    /// the warnings).
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        let arn = match &self.qualifier {
            Some(qualifier) => self.lambda_arn.qualified(qualifier.as_str()),
            None => self.lambda_arn.to_string(),
        };
        set("lambdaARN", json!(arn));
        set("tune", json!(self.tune.name()));
        set("powerValues", json!(self.power_values));
        set("num", json!(self.num));
        if let Some(payload) = &self.payload {
            set("payload", payload.clone());
        }
        if let Some(object) = &self.payload_s3 {
            set("payloadS3", json!(object.to_string()));
        }
        set("parallelInvocation", json!(self.parallel_invocation));
        set("strategy", json!(self.strategy.name()));
        set("balancedWeight", json!(self.balanced_weight));
        set("autoOptimize", json!(self.auto_optimize));
        for (name, text) in [
            ("autoOptimizeAlias", &self.auto_optimize_alias),
            ("preProcessorARN", &self.pre_processor_arn),
            ("postProcessorARN", &self.post_processor_arn),
            ("roleARN", &self.role_arn),
        ] {
            if let Some(text) = text {
                set(name, json!(text));
            }
        }
        set("dryRun", json!(self.dry_run));
        set("discardTopBottom", json!(self.discard_top_bottom));
        set("sleepBetweenRunsMs", json!(self.sleep_between_runs_ms));
        set("disablePayloadLogs", json!(self.disable_payload_logs));
        set("includeOutputResults", json!(self.include_output_results));
        set("onlyColdStarts", json!(self.only_cold_starts));
        set("allowedExceptions", json!(self.allowed_exceptions));
        if let Some(gate) = &self.gate {
            set("gate", json!(gate));
        }
        Value::Object(fields)
    }
}
