//! The plan of a fleet: a TOML file with defaults and an entry for each function, written as a draft by `scan` and edited by people.
//!
//! What an entry says wins over the defaults. Names and values are those of the options of `tune`, read by the same rules, and
//! what comes of both is checked as the input of an execution. All that is wrong is said together, before anything is touched.

mod written;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tuning::input::{Defaults, Input, fields};
use tuning::nearest::nearest;

use crate::failure::Usage;
use crate::options::{self, REGION_PATTERN, Rule, Spec, Verb};
pub use written::{Draft, Drafted, written};

/// What an entry may say besides options of `tune`.
const OWN: [&str; 6] = ["name", "region", "skip", SEEN, PAYLOAD_FILE, IN_PLACE];
const PAYLOAD: &str = "payload";
const PAYLOAD_FILE: &str = "payload-file";
const PAYLOAD_S3: &str = "payload-s3";
const IN_PLACE: &str = "in-place";
const SEEN: &str = "seen";
/// Options of `tune` that are about one run that somebody watches.
const NOT_FOR_FLEETS: [&str; 4] = ["auto-optimize", "auto-optimize-alias", "dry-run", "tune"];
const NAME: &str = r"^[A-Za-z0-9_-]{1,140}$";

/// A plan that was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The functions to tune, in the file's order.
    pub functions: Vec<Planned>,
    /// Those that are not tuned.
    pub left_out: Vec<LeftOut>,
}

/// A function to tune.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Its region; none for the one in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The fields of its execution's input, all but the ARN.
    pub input: Map<String, Value>,
    /// What it did before, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// What a function did when the plan was drafted: what a run will cost and what a result saves are estimated from it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(serialize = "camelCase", deserialize = "kebab-case"), deny_unknown_fields)]
pub struct Seen {
    /// Days that were looked at.
    pub days: u32,
    /// Invocations in these days.
    pub invocations: f64,
    /// Their average duration in milliseconds.
    #[serde(alias = "averageMs")]
    pub average_ms: f64,
    /// The 99th percentile of it.
    #[serde(alias = "p99Ms")]
    pub p99_ms: f64,
    /// The memory size then, in MB.
    #[serde(alias = "memoryMb")]
    pub memory_mb: u32,
}

impl Seen {
    fn read(value: &toml::Value) -> Result<Self, String> {
        let seen: Self =
            value.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        let amounts = [seen.invocations, seen.average_ms, seen.p99_ms];
        if seen.days == 0 || !amounts.iter().all(|amount| amount.is_finite() && *amount >= 0.0) {
            return Err("has a number that cannot be".to_owned());
        }
        Ok(seen)
    }
}

/// A function that is not tuned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Its region; none for the one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Why, as a phrase.
    pub why: String,
}

impl Plan {
    /// Reads a plan file; files that it names are beside it.
    ///
    /// # Errors
    /// [`Usage`] with all that is wrong, each with the function it is about.
    pub fn read(path: &Path) -> Result<Self, Usage> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Usage(format!("cannot read the plan {}: {error}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|problems| match problems.as_slice() {
            [problem] => Usage(format!("{}: {problem}", path.display())),
            _ => {
                let (count, list) = (problems.len(), problems.join("\n  - "));
                Usage(format!("{} has {count} problems:\n  - {list}", path.display()))
            }
        })
    }

    /// Reads a plan's text; files that it names are in the folder.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<String>> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            vec![format!("is not valid TOML: {}", error.to_string().trim_end())]
        })?;
        let mut problems = Vec::new();
        for key in table.keys().filter(|key| !["defaults", "function"].contains(&key.as_str())) {
            problems.push(format!("`{key}` is not known: a plan has [defaults] and [[function]]"));
        }
        let defaults = match table.get("defaults") {
            None => toml::Table::new(),
            Some(toml::Value::Table(defaults)) => defaults.clone(),
            Some(_) => {
                problems.push("`defaults` is no table: write [defaults] on a line of its own".to_owned());
                toml::Table::new()
            }
        };
        let mut common = Said::default();
        for (key, value) in &defaults {
            common.take("[defaults]", key, value, &mut problems);
        }
        for key in ["name", "region", "skip", SEEN, PAYLOAD, PAYLOAD_FILE, PAYLOAD_S3] {
            if defaults.contains_key(key) {
                problems.push(format!(
                    "`{key}` in [defaults]: each function says its own, below its [[function]]"
                ));
            }
        }
        let none = Vec::new();
        let entries = match table.get("function") {
            None => &none,
            Some(toml::Value::Array(entries)) => entries,
            Some(_) => {
                problems.push("`function` is no list: begin each function with [[function]]".to_owned());
                &none
            }
        };
        let mut plan = Self { functions: Vec::new(), left_out: Vec::new() };
        let mut seen = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let toml::Value::Table(entry) = entry else {
                problems.push(format!("function {} is no table: begin it with [[function]]", index + 1));
                continue;
            };
            plan.take(index, entry, &common, folder, &mut problems);
            let named = (text_of(entry, "name"), text_of(entry, "region"));
            if let (Some(name), region) = named
                && !seen.insert((name.to_owned(), region.map(str::to_owned)))
            {
                problems.push(format!("{name} is there twice: leave one of them out"));
            }
        }
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    fn take(
        &mut self,
        index: usize,
        entry: &toml::Table,
        common: &Said,
        folder: &Path,
        problems: &mut Vec<String>,
    ) {
        let before = problems.len();
        let place = text_of(entry, "name").map_or_else(|| format!("function {}", index + 1), str::to_owned);
        let mut said = common.clone();
        for (key, value) in entry {
            said.take(&place, key, value, problems);
        }
        let mut text = |key: &str, rule: Rule| {
            let value = entry.get(key)?;
            let read = value.as_str().map(|text| rule.read(text));
            match read.unwrap_or_else(|| Err(format!("is no text; must be {}", rule.says()))) {
                Ok(_) => value.as_str().map(str::to_owned),
                Err(problem) => {
                    problems.push(format!("{place}: `{key}` {problem}"));
                    None
                }
            }
        };
        let name = text("name", Rule::Pattern(NAME, "a function's name, without version or alias"));
        let region = text("region", Rule::Pattern(REGION_PATTERN, "a region's name, such as eu-west-1"));
        let skip = text("skip", Rule::Pattern(r"\S", "a text that says why"));
        let file = text(PAYLOAD_FILE, Rule::Any);
        let seen = entry.get(SEEN).and_then(|value| {
            let wrong = |problem| {
                format!("{place}: `{SEEN}` {problem}: leave it as `deployer scan` wrote it, or out")
            };
            Seen::read(value).map_err(|problem| problems.push(wrong(problem))).ok()
        });
        if !entry.contains_key("name") {
            problems.push(format!("{place} has no `name`"));
        }
        let payloads = [PAYLOAD, PAYLOAD_FILE, PAYLOAD_S3].into_iter().filter(|key| entry.contains_key(*key));
        let payloads: Vec<&str> = payloads.collect();
        if payloads.len() > 1 {
            problems.push(format!("{place} has {}: one of them is enough", payloads.join(" and ")));
        }
        if let Some(file) = file {
            match payload_of(&folder.join(file)) {
                Ok(payload) => drop(said.fields.insert(fields::PAYLOAD.name.to_owned(), payload)),
                Err(problem) => problems.push(format!("{place}: `{PAYLOAD_FILE}` {problem}")),
            }
        }
        let how = if said.in_place { "in-place" } else { "copy" };
        said.fields.insert(fields::TUNE.name.to_owned(), how.into());
        let Some(name) = name.filter(|_| problems.len() == before) else { return };
        if let Some(why) = skip {
            return self.left_out.push(LeftOut { name, region, why });
        }
        if payloads.is_empty() {
            let why = "it has no payload, and a run invokes real code: `payload = {}` sends an empty one"
                .to_owned();
            return self.left_out.push(LeftOut { name, region, why });
        }
        if let Err(problem) = checked(&name, region.as_deref(), &said.fields) {
            return problems.push(format!("{name}: {problem}"));
        }
        self.functions.push(Planned { name, region, input: said.fields, seen });
    }
}

/// What defaults or an entry say about tuning.
#[derive(Debug, Clone, Default)]
struct Said {
    fields: Map<String, Value>,
    in_place: bool,
}

impl Said {
    fn take(&mut self, place: &str, key: &str, value: &toml::Value, problems: &mut Vec<String>) {
        if key == IN_PLACE {
            match value.as_bool() {
                Some(in_place) => self.in_place = in_place,
                None => problems.push(format!("{place}: `{IN_PLACE}` must be true or false, without quotes")),
            }
            return;
        }
        if OWN.contains(&key) {
            return;
        }
        let Some((spec, field)) = settings().find(|(spec, _)| spec.name == key) else {
            return problems.push(format!("{place}: {}", unknown(key)));
        };
        let read = match key {
            PAYLOAD if has_time(value) => {
                Err("has a time, which JSON has none of: write it in quotes".to_owned())
            }
            PAYLOAD => serde_json::to_value(value).map_err(|error| format!("is no JSON: {error}")),
            _ => spec.rule.read(&options::text_of_toml(value)),
        };
        match read {
            Ok(value) => drop(self.fields.insert(field.to_owned(), value)),
            Err(problem) => problems.push(format!("{place}: `{key}` {problem}")),
        }
    }
}

/// The options of `tune` that a plan has, with the fields they set.
fn settings() -> impl Iterator<Item = (&'static Spec, &'static str)> {
    let of_tune =
        options::ALL.iter().filter(|spec| spec.is_of(Verb::Tune) && !NOT_FOR_FLEETS.contains(&spec.name));
    of_tune.filter_map(|spec| Some((*spec, spec.field?.name)))
}

fn unknown(key: &str) -> String {
    if key == "tune" {
        return format!("`tune` is said as `{IN_PLACE} = true` or false here");
    }
    if NOT_FOR_FLEETS.contains(&key) {
        return format!("`{key}` is not for fleets: results are applied afterwards, when they were read");
    }
    match nearest(key, settings().map(|(spec, _)| spec.name).chain(OWN)) {
        Some(near) => format!("`{key}` is not known; did you mean `{near}`?"),
        None => format!("`{key}` is not known; the names are those of the options of `deployer tune`"),
    }
}

/// Whether there is a time without quotes, which TOML has and JSON has not.
fn has_time(value: &toml::Value) -> bool {
    match value {
        toml::Value::Datetime(_) => true,
        toml::Value::Array(values) => values.iter().any(has_time),
        toml::Value::Table(table) => table.values().any(has_time),
        _ => false,
    }
}

fn text_of<'a>(entry: &'a toml::Table, key: &str) -> Option<&'a str> {
    entry.get(key)?.as_str()
}

fn payload_of(file: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is not JSON: {error}", file.display()))
}

/// Checks fields as an execution's input, in which the ARN stands for any account.
fn checked(name: &str, region: Option<&str>, fields: &Map<String, Value>) -> Result<(), String> {
    let region = region.unwrap_or("us-east-1");
    let mut input = fields.clone();
    let arn = format!("arn:aws:lambda:{region}:000000000000:function:{name}");
    input.insert(fields::LAMBDA_ARN.name.to_owned(), arn.into());
    let defaults = Defaults { power_values: vec![tuning::input::SMALLEST] };
    // One that says nothing of it has the number of the program.
    input.entry(fields::NUM.name).or_insert_with(|| 20.into());
    Input::parse(&Value::Object(input), &defaults).map(drop).map_err(|problems| problems.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Plan, Vec<String>> {
        Plan::parse(text, Path::new("."))
    }

    #[test]
    fn an_entry_wins_over_the_defaults() {
        let plan = read(
            "[defaults]\nstrategy = 'balanced'\npower-values = [128, 512]\nnum = 10\n\
             [[function]]\nname = 'a'\nregion = 'eu-west-1'\npayload = {}\n\
             [[function]]\nname = 'b'\nstrategy = 'speed'\nlimit = 'p95=300ms'\nin-place = true\n\
             payload = [{payload = {n = 1}, weight = 3}, {payload = 'x', weight = 1}]\n",
        )
        .unwrap();
        let input = |index: usize| Value::Object(plan.functions[index].input.clone());
        assert_eq!(
            input(0),
            json!({"strategy": "balanced", "powerValues": [128, 512], "num": 10, "payload": {}, "tune": "copy"})
        );
        let expected = json!({"strategy": "speed", "powerValues": [128, 512], "num": 10, "limit": {"percentile": 95.0, "ms": 300.0},
            "payload": [{"payload": {"n": 1}, "weight": 3}, {"payload": "x", "weight": 1}], "tune": "in-place"});
        assert_eq!(input(1), expected);
        assert_eq!(
            (plan.functions[0].region.as_deref(), plan.functions[1].region.as_deref()),
            (Some("eu-west-1"), None)
        );
        assert!(plan.left_out.is_empty());
    }

    #[test]
    fn functions_are_left_out_with_the_reason() {
        let plan = read(
            "[[function]]\nname = 'a'\n[[function]]\nname = 'b'\nskip = 'it pays people'\npayload = {}\n\
             [[function]]\nname = 'a'\nregion = 'eu-west-1'\npayload-s3 = 's3://bucket/key'\n",
        )
        .unwrap();
        let names: Vec<&str> = plan.functions.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a"]);
        assert_eq!(plan.functions[0].input["payloadS3"], "s3://bucket/key");
        let why: Vec<&str> = plan.left_out.iter().map(|one| one.why.as_str()).collect();
        assert_eq!(
            why,
            [
                "it has no payload, and a run invokes real code: `payload = {}` sends an empty one",
                "it pays people"
            ]
        );
    }

    #[test]
    fn a_payload_may_be_in_a_file_beside_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("event.json"), r#"{"n": 3}"#).unwrap();
        std::fs::write(folder.path().join("wrong.json"), "{").unwrap();
        let plan = folder.path().join("fleet.toml");
        let with = |file: &str| {
            std::fs::write(&plan, format!("[[function]]\nname = 'a'\npayload-file = '{file}'\n")).unwrap();
            Plan::read(&plan).map_err(|error| error.0)
        };
        assert_eq!(with("event.json").unwrap().functions[0].input["payload"], json!({"n": 3}));
        assert!(with("none.json").unwrap_err().contains("none.json: No such file"));
        assert!(with("wrong.json").unwrap_err().contains("wrong.json is not JSON"));
        assert!(
            Plan::read(Path::new("/nowhere.toml"))
                .unwrap_err()
                .0
                .contains("cannot read the plan /nowhere.toml")
        );
    }

    #[test]
    fn all_problems_are_said_together() {
        let problems = read(
            "other = 1\n[defaults]\npayload = {}\nstrategy = 'best'\nin-place = 'no'\n\
             [[function]]\nregion = 'europe'\n[[function]]\nname = 'a:live'\n\
             [[function]]\nname = 'c'\npayload = {}\npayload-file = 'x'\nstratgy = 'cost'\nauto-optimize = true\nskip = ''\n\
             [[function]]\nname = 'd'\npayload = {}\n[[function]]\nname = 'd'\npayload = {}\n",
        )
        .unwrap_err();
        let whole = problems.join("\n");
        for part in [
            "`other` is not known: a plan has [defaults] and [[function]]",
            "[defaults]: `strategy` is \"best\": use \"cost\", \"speed\", \"balanced\"",
            "[defaults]: `in-place` must be true or false, without quotes",
            "`payload` in [defaults]: each function says its own",
            "function 1 has no `name`",
            "function 1: `region` `europe`: must be a region's name",
            "a:live: `name` `a:live`: must be a function's name, without version or alias",
            "c has payload and payload-file: one of them is enough",
            "c: `stratgy` is not known; did you mean `strategy`?",
            "c: `auto-optimize` is not for fleets",
            "c: `skip` ``: must be a text that says why",
            "d is there twice",
        ] {
            assert!(whole.contains(part), "{part} is missing in:\n{whole}");
        }
        for (text, problem) in [
            ("x", "is not valid TOML"),
            ("defaults = 1", "`defaults` is no table"),
            ("function = 1", "`function` is no list"),
            ("function = [1]", "function 1 is no table"),
            ("[[function]]\nname = 3", "function 1: `name` is no text"),
            ("[[function]]\nname = 'a'\npayload = [{payload = 1, weight = -1}]", "weight"),
            ("[[function]]\nname = 'a'\npayload = {}\npower-values = [64]", "`power-values`"),
            ("[[function]]\nname = 'a'\npayload = {at = 2026-01-01}", "`payload` has a time"),
            (
                "[[function]]\nname = 'a'\nseen = {days = 1}",
                "a: `seen` missing field `invocations`: leave it as `deployer scan` wrote it",
            ),
            (
                "[[function]]\nname = 'a'\nseen = {days = 0, invocations = 1, average-ms = 1, p99-ms = 1, memory-mb = 128}",
                "a: `seen` has a number that cannot be",
            ),
        ] {
            let problems = read(text).unwrap_err().join("\n");
            assert!(problems.contains(problem), "{text}: {problems}");
        }
    }

    #[test]
    fn what_is_drafted_is_read_back() {
        const SEEN: Seen =
            Seen { days: 14, invocations: 1e7, average_ms: 10.25, p99_ms: 20.0, memory_mb: 512 };
        let drafted = |name: &str, skip: Option<&str>| Drafted {
            name: name.to_owned(),
            region: "eu-west-1".to_owned(),
            about: "512 MB".to_owned(),
            seen: (name == "a").then_some(SEEN),
            skip: skip.map(str::to_owned),
        };
        let why = "says \"no\" \\ \u{7}and more";
        let draft = Draft {
            about: "Seen today.".to_owned(),
            functions: vec![drafted("a", None), drafted("b", Some(why)), drafted("c", None)],
        };
        let text = written(&draft);
        let plan = read(&text).unwrap();
        assert!(plan.functions.is_empty(), "{plan:?}");
        let left: Vec<(&str, bool)> =
            plan.left_out.iter().map(|one| (one.name.as_str(), one.why.contains("no payload"))).collect();
        assert_eq!(left, [("a", true), ("b", false), ("c", true)]);
        assert_eq!(plan.left_out[1].why, why);
        // As somebody edits it: the mark before the payload taken away.
        let plan = read(&text.replace("\n# payload = {}", "\npayload = {}")).unwrap();
        let names: Vec<&str> = plan.functions.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(plan.functions[0].input["strategy"], "cost");
        assert_eq!(plan.functions[0].input["tune"], "copy");
        assert_eq!((plan.functions[0].seen, plan.functions[1].seen), (Some(SEEN), None));
    }
}
