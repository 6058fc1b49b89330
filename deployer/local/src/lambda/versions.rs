//! Published versions: immutable copies of `$LATEST`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Aws, Caller, Result};

use super::Lambda;
use super::errors::{invalid, no_function, stale_revision};
use super::input::{Constraints, Page, read};
use super::name::{LATEST, Target};
use super::publish::{idle, publish};
use super::record::{Configuration, FUNCTION, Function, VERSION, version_id};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Publish {
    function_name: Option<String>,
    description: Option<String>,
    code_sha256: Option<String>,
    revision_id: Option<String>,
}

impl Lambda {
    pub(super) fn publish_version(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Publish = read(input)?;
        let mut constraints = Constraints::default();
        constraints.length("description", input.description.as_deref(), 0, 256);
        constraints.check()?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "PublishVersion")?;
        let delay = self.publishing();
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            idle(aws, &function)?;
            if input.revision_id.as_deref().is_some_and(|r| r != function.latest.revision()) {
                return Err(stale_revision());
            }
            let current = function.latest.content.shown_code_sha256();
            if let Some(expected) = input.code_sha256.filter(|s| !s.is_empty() && *s != current) {
                return Err(invalid(format!(
                    "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({current}). Please try \
                     again with the CodeSHA256 in $LATEST."
                )));
            }
            let description = input.description.filter(|d| !d.is_empty());
            let version = publish(records, &mut function, description, delay);
            Ok(version.shown(aws, &target.name, Some(&version.version)))
        })
    }

    pub(super) fn list_versions(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Page = read(input)?;
        let limit = input.limit()?;
        let target = Target::whole(aws, input.function_name.as_deref())?;
        target.authorize(aws, caller, "ListVersionsByFunction")?;
        let function = self.function(aws, &target)?;
        let mut shown = Vec::new();
        if input.marker.is_none() {
            shown.push(function.latest.summary(aws, &target.name, Some(LATEST)));
        }
        // A marker is the number of the last version shown; `0` comes before the first.
        let after: u64 = match input.marker.as_deref() {
            Some(marker) => marker.parse().map_err(|_| invalid("Invalid marker."))?,
            None => 0,
        };
        let after = version_id(&target.name, after);
        let room = limit - shown.len();
        let page: Vec<(String, Configuration)> =
            aws.store.range(VERSION, &format!("{}/", target.name), Some(&after), room + 1);
        let more = page.len() > room;
        shown.extend(page.iter().take(room).map(|(_, v)| v.summary(aws, &target.name, Some(&v.version))));
        let last = page[..room.min(page.len())].last().map_or("0", |(_, v)| v.version.as_str());
        let mut answer = json!({"Versions": shown});
        if more {
            answer["NextMarker"] = json!(last);
        }
        Ok(answer)
    }
}
