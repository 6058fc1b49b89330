//! `tune`: runs the deployed state machine on a function and says which memory size to choose.

mod files;
mod watch;

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tuning::gate::Gate;
use tuning::input::fields::{
    self, AUTO_OPTIMIZE, AUTO_OPTIMIZE_ALIAS, COLD_STARTS, ONLY_COLD_STARTS, PROGRESS_SECONDS,
};
use tuning::input::{Input, LambdaArn, Tune};

use crate::aws::{self, Aws};
use crate::calibration::Calibration;
use crate::context::Context;
use crate::definitions::{Definitions, Deployed, Written};
use crate::estimate::Estimate;
use crate::execution::{self, Ended, Ending, Machine};
use crate::failure::{Advice, Usage, hinted};
use crate::function::{self, Found};
use crate::interrupt::Interrupted;
use crate::kept::Earlier;
use crate::options;
use crate::outcome::{Outcome, Status};
use crate::render::{Form, Tuned};
use crate::settings::{Target, Verbosity};

pub use files::Files;

/// After so many seconds progress is told for the first time when nothing else is asked for.
const FIRST_PROGRESS: u32 = 5;

/// The resolved options of `tune`.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The function's name or ARN.
    pub function: Option<String>,
    /// A file with an execution input, `-` for stdin.
    pub input: Option<String>,
    /// A file with the payload.
    pub payload_file: Option<PathBuf>,
    /// Fields of the execution input that options set.
    pub fields: Map<String, Value>,
    /// The function's code, to create it from on this machine.
    pub code: Option<function::Code>,
    /// Whether to tune again whenever the code changes.
    pub watch: bool,
    /// Whether to show what the durations would be on a core of Lambda.
    pub calibrated: bool,
    /// What options say the result must keep to; they win over the input's.
    pub gate: Gate,
    /// Above which cost, in the region's currency, a run on AWS is asked about in a terminal.
    pub ask_above: f64,
    /// How many invocations the function has in a month, to say what they cost.
    pub invocations_per_month: Option<u32>,
    /// Whether to write Markdown rather than text.
    pub markdown: bool,
    /// Files to write the result to as well.
    pub files: Files,
    /// Files that define the function, to write the chosen size to.
    pub definitions: Definitions,
    /// A result's file or a chart link to compare with.
    pub baseline: Option<String>,
    /// By which share the function may be slower than there.
    pub max_regression: f64,
    /// Whether to open the chart in a browser.
    pub open: bool,
    /// The state machine's ARN, unless the stack is to tell it.
    pub state_machine: Option<String>,
    /// Whether to leave once it runs.
    pub detach: bool,
    /// An execution to follow instead of starting one: its name or ARN.
    pub attach: Option<String>,
}

/// Starts an execution, follows it to its end and hands back what it found.
///
/// # Errors
/// Input that cannot be, before anything is started; a stack or a function that is not there; a run that failed.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    options.files.check()?;
    if options.watch {
        return watch::run(options, context).await;
    }
    if let Some(execution) = &options.attach {
        return attach(execution, &options, context).await;
    }
    if let (true, Target::Local { state, .. }) = (options.detach, &context.settings.target)
        && local_aws::running(state).is_none()
    {
        return Err(Usage(
            "--detach cannot leave a run to an endpoint that ends with this program; start `deployer local` on the same state, \
             which --local then uses"
                .into(),
        )
        .into());
    }
    let calibration = calibration(&options, context)?;
    let baseline = options.baseline()?;
    let mut input = base(&options)?;
    if let Some(code) = &options.code
        && !aws::leads_here(&context.settings.target).await?
    {
        return Err(Usage(format!(
            "--code {} creates a function on this machine, which needs --local, or --endpoint-url with an endpoint on this \
             machine; on AWS, name a function that exists",
            code.path.display()
        ))
        .into());
    }
    let named = options.function.clone().or_else(|| input.get("lambdaARN")?.as_str().map(str::to_owned));
    let package = match &options.code {
        Some(code) => Some(function::Package::read(code).await?),
        None => None,
    };
    for note in package.iter().flat_map(function::Package::notes) {
        context.events.note(note);
    }
    let named = match (named, &package) {
        (Some(named), _) => named,
        (None, Some(package)) => package.name.clone(),
        (None, None) => {
            return Err(Usage(
                "which function? `deployer tune NAME`, or with --local also --code DIR".into(),
            )
            .into());
        }
    };
    if is_qualified(&named) || of_copies(&input).is_some() {
        // Nothing but a copy can be measured of a version or alias, or on another processor.
        input.entry(fields::TUNE.name).or_insert_with(|| Tune::Copy.name().into());
    }
    // Everything but the ARN can be judged before any call is made.
    let mut asked = function::check(&input, &named, context)?;

    let aws = context.aws().await?;
    let machine = machine(&options, aws, context).await?;
    if let Some(way) = way(&input, machine.copies.as_deref(), &named, context)? {
        input.insert(fields::TUNE.name.to_owned(), way.name().into());
        asked = again(&input, &asked)?;
    }
    let stack_sizes: Option<Vec<u32>> = match machine.sizes {
        // The stack's own choice is to search: with that said, everything here knows it.
        Some(search) if is_search(&search) => {
            if input.entry(fields::POWER_VALUES.name).or_insert_with(|| search.clone()) == &search {
                asked = searching(&mut input, asked);
            }
            None
        }
        sizes => sizes.and_then(|sizes| serde_json::from_value(sizes).ok()),
    };
    let arn = match &package {
        Some(package) => function::put(aws, &named, package, &context.events).await?,
        None if asked.role_arn.is_some() => {
            context.events.note(
                "the function is in another account, so what the run will cost is not known before it starts",
            );
            function::elsewhere(aws, &named)?
        }
        None => {
            let found = function::find(aws, &named, context.settings.is_local()).await?;
            let sizes = input.contains_key(fields::POWER_VALUES.name);
            if !context.settings.is_local()
                && let Some(charges) = found.charges(&aws.place().region, &asked, sizes)
            {
                context.events.warning(charges);
            }
            if !context.settings.is_local() {
                let sizes = match stack_sizes {
                    _ if asked.search.is_some() => Some(Vec::new()),
                    _ if sizes => Some(asked.power_values.clone()),
                    Some(stack) if asked.dry_run => Some(stack),
                    // The state machine adds the present one.
                    stack => stack.map(|sizes| sizes.into_iter().chain([found.memory]).collect()),
                };
                announce(&asked, sizes, &found, options.ask_above, context).await?;
            }
            found.arn
        }
    };
    let deployed = options.deployed(&arn, aws).await?;
    input.insert("lambdaARN".to_owned(), arn.clone().into());
    if !options.detach && context.settings.output.verbosity != Verbosity::Quiet {
        input.entry(PROGRESS_SECONDS.name).or_insert_with(|| FIRST_PROGRESS.into());
    }
    let wanted = input.insert("includeOutputResults".to_owned(), true.into()) == Some(Value::Bool(true));
    let execution = execution::start(aws, &machine.arn, &arn, &Value::Object(input), &context.events).await?;
    if options.detach {
        return Outcome::new(&Detached {
            attach: aws.command(&format!("tune --attach {execution}")),
            execution_arn: execution,
            lambda_arn: arn,
        });
    }
    let ended = execution::follow_or_stop(aws, execution, &arn, &asked, &context.events).await?;
    let reading = Reading { input: Some(asked), keep_stats: wanted, calibration, baseline, deployed };
    result(ended, &arn, reading, &options, aws, context).await
}

impl Options {
    /// What the result is to be compared with, read before anything is started.
    fn baseline(&self) -> Result<Option<Earlier>, Usage> {
        self.baseline.as_deref().map(Earlier::read).transpose()
    }

    /// The function as its definition is looked for, which must be found, too.
    async fn deployed(&self, function: &str, aws: &Aws) -> anyhow::Result<Deployed> {
        if self.definitions.is_empty() {
            return Ok(Deployed::named(function));
        }
        // Its tags are a help only, and a function of another account shows them to nobody here.
        let deployed = function::deployed(aws, function).await.unwrap_or_else(|_| Deployed::named(function));
        self.definitions.check(&[(deployed.clone(), None)]).map_err(Usage::from)?;
        Ok(deployed)
    }
}

/// The input once more, now that it searches.
fn searching(input: &mut Map<String, Value>, asked: Input) -> Input {
    input.remove(fields::NUM.name);
    again(input, &asked).unwrap_or(asked)
}

/// The input once more, after another field was set.
fn again(input: &Map<String, Value>, asked: &Input) -> Result<Input, Usage> {
    let mut whole = input.clone();
    let arn = match &asked.qualifier {
        Some(qualifier) => asked.lambda_arn.qualified(qualifier.as_str()),
        None => asked.lambda_arn.to_string(),
    };
    whole.insert(fields::LAMBDA_ARN.name.to_owned(), arn.into());
    let defaults = tuning::input::Defaults { power_values: asked.power_values.clone() };
    Input::parse(&Value::Object(whole), &defaults).map_err(|problems| Usage(problems.to_string()))
}

/// Whether a version or alias is named.
fn is_qualified(named: &str) -> bool {
    let arn = if named.starts_with("arn:") {
        named.to_owned()
    } else {
        format!("arn:aws:lambda:us-east-1:000000000000:function:{named}")
    };
    LambdaArn::split(&arn)
        .is_ok_and(|(_, qualifier)| qualifier.is_some_and(|qualifier| !qualifier.is_latest()))
}

/// A field of the input that only copies can be given, if there is one.
fn of_copies(input: &Map<String, Value>) -> Option<fields::Field> {
    let only = [fields::ARCHITECTURES, fields::CODE_ARM64, fields::CODE_X86];
    only.into_iter().find(|field| input.contains_key(field.name))
}

/// What is measured where the input does not say, by what the stack makes of copies. Says which way it goes where there is a choice.
fn way(
    input: &Map<String, Value>,
    copies: Option<&str>,
    named: &str,
    context: &Context,
) -> anyhow::Result<Option<Tune>> {
    let asked = input.get(fields::TUNE.name).and_then(Value::as_str).and_then(|word| word.parse().ok());
    let set = |field: fields::Field| input.get(field.name).is_some_and(|value| *value == Value::Bool(true));
    let needs_itself = set(AUTO_OPTIMIZE) && input.contains_key(AUTO_OPTIMIZE_ALIAS.name);
    let name = named.rsplit(":function:").next().unwrap_or(named);
    let (chosen, said) = match (asked, copies) {
        (Some(Tune::Copy), Some("no")) => {
            let up = if context.settings.is_local() { "deployer up --local" } else { "deployer up" };
            let (what, otherwise) = match of_copies(input) {
                Some(field) => (field.name, format!("leave {} out", field.name)),
                None if is_qualified(named) => (
                    "measuring a version or alias",
                    "name the function itself with --tune in-place".to_owned(),
                ),
                None => ("--tune copy", "use --tune in-place".to_owned()),
            };
            return Err(hinted(
                anyhow::anyhow!(
                    "the stack {} makes no copies of functions, which {what} needs",
                    context.settings.stack_name
                ),
                format!("`{up} --copies also --copyable-roles ROLE_ARN` lets it, or {otherwise}"),
            ));
        }
        (Some(tune), _) => (None, tune),
        (None, None | Some("no")) => return Ok(None),
        (None, Some("only")) => (Some(Tune::Copy), Tune::Copy),
        (None, Some(_)) if needs_itself => (Some(Tune::InPlace), Tune::InPlace),
        (None, Some(_)) => (Some(Tune::Copy), Tune::Copy),
    };
    context.events.note(match said {
        Tune::Copy => format!("measuring temporary copies of {name}, which itself is left alone"),
        Tune::InPlace => format!("measuring {name} itself, whose $LATEST gets each memory size for a moment"),
    });
    Ok(chosen)
}

/// What durations are scaled by, if they are to be.
fn calibration(options: &Options, context: &Context) -> anyhow::Result<Option<Calibration>> {
    match &context.settings.target {
        _ if !options.calibrated => Ok(None),
        Target::Local { state, .. } => Calibration::read(state).map(Some),
        Target::Aws { .. } => Err(Usage(
            "--calibrated scales what this machine measures, which needs --local; on AWS durations are Lambda's own".into(),
        )
        .into()),
    }
}

/// The state machine, and what the stack tells of it where it is the stack's.
async fn machine(options: &Options, aws: &Aws, context: &Context) -> anyhow::Result<Machine> {
    match &options.state_machine {
        Some(arn) => {
            execution::same_region(arn, aws)?;
            Ok(Machine { arn: arn.clone(), sizes: None, copies: None })
        }
        None => execution::machine(aws, &context.settings).await,
    }
}

/// Says what the run will do, and asks where somebody is there who can answer and it will not be cheap.
async fn announce(
    input: &Input,
    sizes: Option<Vec<u32>>,
    found: &Found,
    ask_above: f64,
    context: &Context,
) -> anyhow::Result<()> {
    let Some(mut sizes) = sizes else {
        context.events.note(
            "the memory sizes are the state machine's own, so what the run will cost is not known before it starts",
        );
        return Ok(());
    };
    sizes.sort_unstable();
    sizes.dedup();
    let estimate = Estimate::new(input, &sizes, found);
    context.events.note(estimate.sentence());
    if estimate.cost > ask_above && context.can_confirm().is_ok() {
        anyhow::ensure!(context.confirm("Start it?").await?, "declined; nothing was started");
    }
    Ok(())
}

/// Follows an execution that somebody has started to its result.
async fn attach(execution: &str, options: &Options, context: &Context) -> anyhow::Result<Outcome> {
    let baseline = options.baseline()?;
    let aws = context.aws().await?;
    let arn = if execution.starts_with("arn:") {
        execution.to_owned()
    } else {
        execution::named(execution, &machine(options, aws, context).await?.arn)
    };
    execution::same_region(&arn, aws)?;
    let (input, ended) = execution::attach(aws, &arn, &context.events).await?;
    let function = input.get("lambdaARN").and_then(Value::as_str).unwrap_or("the function").to_owned();
    let defaults = tuning::input::Defaults { power_values: vec![128] };
    let input = Input::parse(&input, &defaults).ok();
    let wanted = options.fields.get("includeOutputResults") == Some(&Value::Bool(true));
    let calibration = calibration(options, context)?;
    let deployed = options.deployed(&function, aws).await?;
    let reading = Reading { input, keep_stats: wanted, calibration, baseline, deployed };
    result(ended, &function, reading, options, aws, context).await
}

/// A run that was left to itself.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detached {
    /// The execution.
    execution_arn: String,
    /// The function that it tunes.
    #[serde(rename = "lambdaARN")]
    lambda_arn: String,
    #[serde(skip)]
    attach: String,
}

impl fmt::Display for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.execution_arn)?;
        write!(f, "It runs by itself now; for its progress and result: {}", self.attach)
    }
}

/// How an execution's output is read.
struct Reading {
    /// What was asked for; unknown when somebody else started the execution with an input of other fields than ours.
    input: Option<Input>,
    /// Whether the figures of every size were asked for.
    keep_stats: bool,
    calibration: Option<Calibration>,
    /// What it is compared with.
    baseline: Option<Earlier>,
    /// The function as its definition is looked for.
    deployed: Deployed,
}

/// What an execution that is over comes to.
async fn result(
    ended: Ended,
    function_arn: &str,
    reading: Reading,
    options: &Options,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<Outcome> {
    let name = function_arn.rsplit(":function:").next().unwrap_or(function_arn);
    let tuning = || format!("tuning {name}");
    match ended.ending {
        Ending::Succeeded(output) => {
            let form = if options.markdown { Form::Markdown } else { Form::Text };
            let measured = aws.cpu_share().await;
            let Reading { input, keep_stats, calibration, baseline, deployed } = reading;
            let tuned = Tuned::new(function_arn, ended.arn, output, input, keep_stats, form, measured)
                .context("reading the execution's output")?
                .calibrated(calibration)
                .monthly(options.invocations_per_month)
                .took(ended.took)
                .judged(&options.gate);
            // The result is there, whatever else fails.
            let (compared, incomparable) = match tuned.compare(baseline.as_ref(), options.max_regression) {
                Ok(compared) => (compared, None),
                Err(error) => (None, Some(error)),
            };
            let tuned = tuned.compared(compared);
            let (tuned, unwritten) = write(tuned, &options.definitions, deployed, context);
            for warning in tuned.warnings() {
                context.events.warning(warning);
            }
            let chart = tuned.chart(options.open);
            let outcome = Outcome::new(&tuned)?.folded(!options.markdown).with_chart(chart);
            let met = tuned.exceeded().is_empty() && !tuned.is_slower();
            // The text of the result has the sentence itself.
            let unsaid = tuned.doubtful().filter(|_| context.settings.output.json);
            unsaid.into_iter().for_each(|sentence| context.events.warning(sentence));
            for limit in tuned.exceeded() {
                context.events.warning(format!("the chosen size {limit}"));
            }
            let failures: Vec<anyhow::Error> =
                options.files.write(tuned).into_iter().chain(unwritten).chain(incomparable).collect();
            // The result is there, and is printed.
            failures.iter().for_each(|error| context.events.warning(format!("{error:#}")));
            if !failures.is_empty() {
                return Ok(outcome.with_status(Status::Failed));
            }
            Ok(if met { outcome } else { outcome.with_status(Status::GateNotMet) })
        }
        Ending::Failed(reason) => {
            let tune = reading.input.as_ref().map(|input| input.tune).unwrap_or_default();
            let left = execution::what_is_left(aws, function_arn, tune, &ended.arn).await;
            let error = hinted(anyhow::anyhow!("{reason}"), format!("{left}the execution was {}", ended.arn));
            let advice = options.code.as_ref().and_then(|_| function::advice(&reason));
            let error = match advice {
                Some(advice) => hinted(error, advice),
                None => error,
            };
            Err(error).with_context(tuning)
        }
        Ending::Interrupted => Err(Interrupted::AtWork("the function is as it was before"))
            .hint(format!("the execution was {}", ended.arn))
            .with_context(tuning),
        Ending::Stopped(stopped) => {
            Err(Stopped(stopped)).hint(format!("the execution was {}", ended.arn)).with_context(tuning)
        }
    }
}

/// Writes the chosen size to the files that define the function, unless something speaks against it. A failure is no reason to
/// keep the result back.
fn write(
    tuned: Tuned,
    definitions: &Definitions,
    deployed: Deployed,
    context: &Context,
) -> (Tuned, Option<anyhow::Error>) {
    let Some(power) = tuned.power().filter(|_| !definitions.is_empty()) else { return (tuned, None) };
    let objections = tuned.objections();
    if !objections.is_empty() {
        context.events.warning(format!("no file was changed, because {}", objections.join(" and ")));
        return (tuned, None);
    }
    let written = match definitions.check(&[(deployed.clone(), Some(power))]) {
        Ok(found) => {
            found.iter().flat_map(Written::notes).for_each(|note| context.events.note(note));
            definitions.write(&[(deployed, power)])
        }
        Err(wrong) => Err(Usage::from(wrong).into()),
    };
    match written {
        Ok(written) => (tuned.written(written), None),
        Err(error) => (tuned, Some(error)),
    }
}

/// Somebody stopped the run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Stopped(String);

/// The execution input that the file and the options make up, without the function.
fn base(options: &Options) -> anyhow::Result<Map<String, Value>> {
    let mut input = match &options.input {
        Some(file) => read_object(file)?,
        None => Map::new(),
    };
    input.extend(options.fields.clone());
    if let Some(file) = &options.payload_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Usage(format!("--payload-file {}: {error}", file.display())))?;
        let payload = serde_json::from_str(&text)
            .map_err(|error| Usage(format!("--payload-file {} is not JSON: {error}", file.display())))?;
        input.insert("payload".to_owned(), payload);
    }
    if !options.gate.is_open() {
        let gate = input.entry("gate").or_insert_with(|| json!({}));
        if let (Value::Object(gate), Value::Object(flags)) = (gate, json!(options.gate)) {
            gate.extend(flags);
        }
    }
    with_defaults(&mut input);
    let alias = options.fields.get(AUTO_OPTIMIZE_ALIAS.name).and_then(Value::as_str);
    if let Some(alias) = alias.filter(|_| input.get(AUTO_OPTIMIZE.name) != Some(&Value::Bool(true))) {
        return Err(Usage(format!(
            "--auto-optimize-alias {alias} moves no alias without --auto-optimize: add that to apply the choice, or leave the \
             alias out"
        ))
        .into());
    }
    Ok(input)
}

/// Puts what this program asks for into an input that does not say it: a number of invocations, and cold starts apart.
pub fn with_defaults(input: &mut Map<String, Value>) {
    let searches = input.get(fields::POWER_VALUES.name).is_some_and(is_search);
    let num = options::NUM.spec.rule.read(options::NUM.spec.default);
    if let (false, false, Ok(num)) = (searches, input.contains_key(fields::NUM.name), num) {
        input.insert(fields::NUM.name.to_owned(), num);
    }
    if input.get(ONLY_COLD_STARTS.name) != Some(&Value::Bool(true)) {
        input.entry(COLD_STARTS.name).or_insert_with(|| "apart".into());
    }
}

/// Whether power values are to be searched for.
fn is_search(power_values: &Value) -> bool {
    power_values == "AUTO" || power_values.get("auto").is_some()
}

fn read_object(file: &str) -> anyhow::Result<Map<String, Value>> {
    let text =
        if file == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) }
            .map_err(|error| Usage(format!("--input {file}: {error}")))?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => {
            Err(Usage(format!("--input {file} must be a JSON object, as the state machine takes it")).into())
        }
        Err(error) => Err(Usage(format!("--input {file} is not JSON: {error}")).into()),
    }
}
