//! What an execution with `autoOptimize` has done to the function.

use serde::{Deserialize, Serialize};

/// What was applied: `false` when the gate kept the choice from being applied. An execution that cannot apply its choice fails
/// and has no output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Applied {
    /// What has changed.
    Change(Change),
    /// Only ever `false`: nothing has changed.
    Whether(bool),
}

/// The change of a function or of an alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The memory size that is live now, in MB.
    pub memory_size: u32,
    /// The size that was live before, in MB; absent when the alias is new or already had this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<u32>,
    /// The alias that was moved; absent when `$LATEST` itself was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The version that the alias points at now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Applied {
    /// Nothing was applied.
    pub const NOTHING: Self = Self::Whether(false);

    /// In words, for a function of this name. `limits` are those that the choice exceeds.
    #[must_use]
    pub fn sentence(&self, function: &str, limits: &[String]) -> String {
        let Self::Change(change) = self else {
            return format!("Not applied, because {}.", limits.join(" and "));
        };
        let Change { memory_size, was, alias, version } = change;
        let what = match alias {
            Some(alias) => format!("The alias {alias} of {function}"),
            None => function.to_owned(),
        };
        let size = match was {
            Some(was) if was == memory_size => format!("still has {memory_size} MB"),
            Some(was) => format!("now has {memory_size} MB (was {was})"),
            None => format!("now has {memory_size} MB"),
        };
        let version = version.as_ref().map(|number| format!(", with version {number}")).unwrap_or_default();
        format!("{what} {size}{version}.")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_live_now_is_said_with_what_was_before() {
        for (applied, says) in [
            (json!({"memorySize": 256, "was": 128}), "mine now has 256 MB (was 128)."),
            (json!({"memorySize": 256, "was": 256}), "mine still has 256 MB."),
            (
                json!({"memorySize": 256, "was": 128, "alias": "live", "version": "7"}),
                "The alias live of mine now has 256 MB (was 128), with version 7.",
            ),
            (
                json!({"memorySize": 256, "alias": "live", "version": "7"}),
                "The alias live of mine now has 256 MB, with version 7.",
            ),
            (json!(false), "Not applied, because it is slow and it is dear."),
        ] {
            let read: Applied = serde_json::from_value(applied.clone()).unwrap();
            assert_eq!(read.sentence("mine", &["it is slow".to_owned(), "it is dear".to_owned()]), says);
            assert_eq!(serde_json::to_value(read).unwrap(), applied);
        }
    }
}
