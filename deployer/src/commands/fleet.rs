//! `fleet run`: tunes the functions of a plan in one execution, and says what that would save.
//!
//! The plan is checked and estimated ([`crate::fleet::prepared`]), put into the stack's bucket, and gone over by the stack's machine for
//! fleets ([`crate::fleet::course`]). Everything that is needed to follow it, or to begin again with what failed, is in the bucket and in the
//! execution's input.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tuning::input::fields::NUM;

use super::scan::{Form, functions};
use crate::aws::Aws;
use crate::context::Context;
use crate::deployment::bucket::Bucket;
use crate::deployment::fleets::{PLANS, RESULTS};
use crate::execution;
use crate::failure::{Usage, hinted};
use crate::fleet::course::{self, Fleets, Over};
use crate::fleet::forecast::Forecast;
use crate::fleet::item::{About, Item, Start};
use crate::fleet::plan::Plan;
use crate::fleet::prepared::{self, Limits, Prepared};
use crate::fleet::report::{Report, Run};
use crate::interrupt;
use crate::outcome::{Outcome, Status};
use crate::settings::Target;

/// So many functions that are left out are named before a run; all of them are in its result.
const NAMED: usize = 10;

/// The resolved options of `fleet run`.
#[derive(Debug)]
pub struct Options {
    /// The plan file.
    pub plan: Option<PathBuf>,
    /// A fleet's result, of which to run again what failed.
    pub retry: Option<PathBuf>,
    /// A fleet's execution to follow instead of starting one: its name or ARN.
    pub attach: Option<String>,
    /// Whether to leave once it runs.
    pub detach: bool,
    /// What the user decides about money, time and concurrency.
    pub limits: Limits,
    /// The form of the result.
    pub form: Form,
    /// A file to write the result to as JSON as well.
    pub json_file: Option<PathBuf>,
}

/// A fleet that was left to itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detached {
    execution_arn: String,
    plan: String,
    functions: usize,
    #[serde(skip)]
    attach: String,
}

impl fmt::Display for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.execution_arn)?;
        write!(f, "It runs by itself now; for its progress and result: {}", self.attach)
    }
}

/// Runs a plan, or what failed of an earlier run, or follows one that goes on.
///
/// # Errors
/// [`Usage`] for a plan that cannot be run, before anything is started; a stack without fleets; a fleet of which no function has a result.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    if let (true, Target::Local { state, .. }) = (options.detach, &context.settings.target)
        && local_aws::running(state).is_none()
    {
        return Err(Usage(
            "--detach cannot leave a fleet to an endpoint that ends with this program; start `deployer local` on the same state, \
             which --local then uses"
                .into(),
        )
        .into());
    }
    if let Some(execution) = &options.attach {
        return attach(execution, &options, context).await;
    }
    let source = match (&options.plan, &options.retry) {
        (Some(plan), None) => Source::Plan(Plan::read(plan)?),
        (None, Some(result)) => Source::Failed(Failed::read(result)?),
        _ => {
            return Err(Usage(
                "which functions? `deployer fleet run fleet.toml` (`deployer scan --write fleet.toml` writes one), --retry RESULT for what \
                 failed, or --attach EXECUTION"
                    .into(),
            )
            .into());
        }
    };
    context.can_confirm()?;
    let aws = context.aws().await?;
    let stack = execution::deployed(aws, &context.settings).await?;
    let fleets = Fleets::of(&stack, context.settings.is_local())?;
    let prepared = match source {
        Source::Plan(plan) => {
            context.events.started("checking the plan");
            let machine = execution::machine(aws, &context.settings).await?;
            let prepared = prepared::prepare(plan, options.limits, &machine, aws).await?;
            context.events.finished(format!("{} to tune", functions(prepared.items.len())));
            prepared
        }
        Source::Failed(failed) => failed.prepared(aws, &fleets, options.limits).await?,
    };
    if prepared.items.is_empty() {
        let left = prepared.left_out.iter().map(|one| format!("\n  - {}: {}", one.name, one.why));
        return Err(Usage(format!("there is no function to tune:{}", left.collect::<String>())).into());
    }
    show(&prepared, context);
    anyhow::ensure!(context.confirm("Start it?").await?, "declined; nothing was started");
    let (arn, start) = begin(&prepared, &fleets, aws, context).await?;
    let plan = format!("s3://{}/{}", fleets.bucket, start.plan);
    if options.detach {
        return Outcome::new(&Detached {
            attach: aws.command(&format!("fleet run --attach {arn}")),
            execution_arn: arn,
            plan,
            functions: prepared.items.len(),
        });
    }
    context.events.note(format!("execution {arn}"));
    context.events.note("Ctrl-C stops all runs and puts everything back; what was measured by then is kept");
    let Prepared { items, left_out, forecast, .. } = prepared;
    let (over, interrupted) = tokio::select! {
        over = course::follow(aws, &arn, items.len(), &context.events) => (over?, false),
        () = interrupt::interrupted() => (course::stop(aws, &arn, &fleets, &context.events).await?, true),
    };
    let about = About { left_out, estimate: forecast };
    result(over, interrupted, items, about, plan, &fleets, &options, aws, context).await
}

/// Where the functions come from.
enum Source {
    Plan(Plan),
    Failed(Failed),
}

/// What is wanted again of an earlier run.
struct Failed {
    /// Where its list of functions is.
    plan: String,
    /// The functions that have no result.
    functions: Vec<String>,
}

impl Failed {
    fn read(file: &std::path::Path) -> Result<Self, Usage> {
        let name = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| Usage(format!("{name}: {error}")))?;
        let document: Value =
            serde_json::from_str(&text).map_err(|error| Usage(format!("{name} is not JSON: {error}")))?;
        let plan = document["plan"].as_str().filter(|plan| plan.starts_with("s3://"));
        let (Some(plan), Some(functions)) = (plan, document["functions"].as_array()) else {
            return Err(Usage(format!(
                "{name} is not what `deployer fleet run --json` prints, so nothing of it can be run again"
            )));
        };
        let failed = functions.iter().filter(|entry| entry["state"] != "tuned");
        let functions: Vec<String> =
            failed.filter_map(|entry| entry["function"].as_str().map(str::to_owned)).collect();
        if functions.is_empty() {
            return Err(Usage(format!(
                "{name}: every function has a result, so there is nothing to run again"
            )));
        }
        Ok(Self { plan: plan.to_owned(), functions })
    }

    /// The items as they were, under new names. Their functions were looked up then.
    async fn prepared(self, aws: &Aws, fleets: &Fleets, limits: Limits) -> anyhow::Result<Prepared> {
        let Some(key) = self.plan.strip_prefix(&format!("s3://{}/", fleets.bucket)) else {
            return Err(Usage(format!(
                "the plan of that result is {}, and this stack's bucket is {}: say --stack-name and --region of the stack that ran it",
                self.plan, fleets.bucket
            ))
            .into());
        };
        let (items, about): (Vec<Item>, About) = (
            course::read(aws, &fleets.bucket, key).await?,
            course::read(aws, &fleets.bucket, &about_of(key)).await?,
        );
        let all = items.len();
        let now = jiff::Timestamp::now().as_millisecond();
        let items: Vec<Item> = items
            .into_iter()
            .filter(|item| self.functions.contains(&item.function))
            .enumerate()
            .map(|(index, mut item)| {
                let function: String = item.function.chars().take(50).collect();
                item.name = format!("{function}-{now}-{index}");
                item.seconds = limits.seconds.unwrap_or(item.seconds);
                item
            })
            .collect();
        let share = items.len() as f64 / all.max(1) as f64;
        let forecast =
            Forecast { guessed: about.estimate.guessed.min(items.len()), ..about.estimate.times(share) };
        let at_once = limits.at_once.unwrap_or(prepared::AT_ONCE);
        Ok(Prepared { items, left_out: Vec::new(), at_once, forecast })
    }
}

/// Says what would be started.
fn show(prepared: &Prepared, context: &Context) {
    let Prepared { items, left_out, at_once, forecast } = prepared;
    for item in items {
        let sizes = match item.input.get("powerValues") {
            Some(Value::Array(sizes)) => {
                format!("{} sizes × {}", sizes.len(), item.input.get(NUM.name).unwrap_or(&Value::Null))
            }
            Some(sizes) => {
                sizes.as_str().map_or_else(|| "a search".to_owned(), |text| format!("sizes {text}"))
            }
            None => "the stack's sizes".to_owned(),
        };
        let how = if item.input.get("tune").and_then(Value::as_str) == Some("in-place") {
            "itself"
        } else {
            "copies"
        };
        context.events.detail(format!("{}: {} MB now, {sizes}, {how}", item.function, item.memory_mb));
    }
    if !left_out.is_empty() {
        let named = left_out.iter().take(NAMED).map(|one| format!("\n  - {}: {}", one.name, one.why));
        let more = match left_out.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("\n  - and {more} more"),
        };
        context.events.note(format!(
            "{} left out:{}{more}",
            functions(left_out.len()),
            named.collect::<String>()
        ));
    }
    let in_place: Vec<&str> = items
        .iter()
        .filter(|item| item.input.get("tune").and_then(Value::as_str) == Some("in-place"))
        .map(|item| item.function.as_str())
        .collect();
    if !in_place.is_empty() {
        context.events.warning(format!(
            "measured in place, so that $LATEST gets each memory size for a moment: {}",
            in_place.join(", ")
        ));
    }
    context.events.note(format!("{}, {at_once} at a time: an estimated {forecast}", functions(items.len())));
}

/// Puts the plan into the bucket and starts the machine.
async fn begin(
    prepared: &Prepared,
    fleets: &Fleets,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<(String, Start)> {
    context.events.started("starting the fleet");
    let items = serde_json::to_string(&prepared.items).context("writing the plan as JSON")?;
    let about = About { left_out: prepared.left_out.clone(), estimate: prepared.forecast.clone() };
    let about = serde_json::to_string(&about).context("writing the plan as JSON")?;
    let plan = format!("{PLANS}{}.json", hex::encode(Sha256::digest(items.as_bytes())));
    let bucket = Bucket::new(aws, Some(&fleets.bucket), &context.events);
    let about_key = about_of(&plan);
    bucket.upload_text(&plan, &items).await?;
    bucket.upload_text(&about_key, &about).await?;
    let name = format!("fleet-{}-{}", jiff::Timestamp::now().as_millisecond(), std::process::id());
    let start =
        Start { plan, about: about_key, results: format!("{RESULTS}{name}"), at_once: prepared.at_once };
    let arn = execution::start_named(aws, &fleets.machine, &name, &json!(start)).await?;
    context.events.finished(format!("started {name}"));
    Ok((arn, start))
}

/// The key of what there is to know beside the list of this key.
fn about_of(plan: &str) -> String {
    format!("{}.about.json", plan.trim_end_matches(".json"))
}

/// Follows a fleet that somebody has started to its result.
async fn attach(execution: &str, options: &Options, context: &Context) -> anyhow::Result<Outcome> {
    let aws = context.aws().await?;
    let stack = execution::deployed(aws, &context.settings).await?;
    let fleets = Fleets::of(&stack, context.settings.is_local())?;
    let arn = execution::named(execution, &fleets.machine);
    execution::same_region(&arn, aws)?;
    let described = execution::described(aws, &arn).await?;
    let start = course::started_with(&described)?;
    let items: Vec<Item> = course::read(aws, &fleets.bucket, &start.plan).await?;
    let about: About = course::read(aws, &fleets.bucket, &start.about).await?;
    let plan = format!("s3://{}/{}", fleets.bucket, start.plan);
    context.events.note(format!("execution {arn}; Ctrl-C leaves it running"));
    let over = tokio::select! {
        over = course::follow(aws, &arn, items.len(), &context.events) => over?,
        () = interrupt::interrupted() => {
            let how = format!(
                "{}; to stop it: aws stepfunctions stop-execution --execution-arn {arn} (everything is put back then)",
                course::again(aws, &arn)
            );
            return Err(hinted(interrupt::Interrupted::AtWork("the fleet goes on by itself"), how));
        }
    };
    result(over, false, items, about, plan, &fleets, options, aws, context).await
}

/// What a fleet that is over comes to.
#[expect(clippy::too_many_arguments, reason = "the parts of one report, each from another place")]
async fn result(
    over: Over,
    interrupted: bool,
    items: Vec<Item>,
    about: About,
    plan: String,
    fleets: &Fleets,
    options: &Options,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let came = course::results(aws, &fleets.bucket, &over).await?;
    let run = Run {
        execution_arn: over.described.execution_arn().to_owned(),
        status: over.described.status().as_str().to_owned(),
        took_seconds: execution::took(&over.described).map(|took| took.as_secs_f64()),
        plan,
    };
    let report = Report::new(run, items, came, about, options.form);
    if !over.succeeded() && !interrupted {
        let status = over.described.status().as_str().to_lowercase().replace('_', " ");
        let why = match (over.described.error(), over.described.cause()) {
            (None, None) => String::new(),
            (error, cause) => format!(": {}", execution::reason(error, cause)),
        };
        context.events.warning(format!("the fleet's execution was {status}{why}"));
    }
    let outcome = Outcome::new(&report)?.folded(options.form == Form::Text);
    if let Some(file) = &options.json_file {
        let text = serde_json::to_string_pretty(outcome.json()).context("writing the result as JSON")?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("the result could not be written to {}", file.display()))?;
    }
    Ok(match (interrupted, over.succeeded() && report.has_results()) {
        (true, _) => outcome.with_status(Status::Interrupted),
        (false, true) => outcome,
        (false, false) => outcome.with_status(Status::Failed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_found_in_a_result() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("result.json");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Failed::read(&file).map(|failed| (failed.plan, failed.functions)).map_err(|error| error.0)
        };
        let result = r#"{"plan": "s3://b/plans/x.json", "functions": [{"function": "a", "state": "tuned"}, {"function": "b", "state": "failed"},
            {"function": "c", "state": "notRun"}]}"#;
        assert_eq!(
            read(result).unwrap(),
            ("s3://b/plans/x.json".to_owned(), vec!["b".to_owned(), "c".to_owned()])
        );
        let whole = r#"{"plan": "s3://b/plans/x.json", "functions": [{"function": "a", "state": "tuned"}]}"#;
        assert!(read(whole).unwrap_err().contains("every function has a result"));
        assert!(read("{}").unwrap_err().contains("is not what `deployer fleet run --json` prints"));
        assert!(read("x").unwrap_err().contains("is not JSON"));
        assert_eq!(about_of("plans/x.json"), "plans/x.about.json");
    }
}
