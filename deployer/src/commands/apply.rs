//! `apply RESULT`: puts the memory size that a result says where the function is defined (`--write`), or into the function itself, and
//! takes that back (`--undo`).
//!
//! Of a fleet's results those are applied that are good enough ([`choice`]), each by itself: what keeps one from being applied is said, and the
//! others go on. Later [`verify`] compares what functions did since then with what they did before.
//!
//! The function is changed only if it is still as the result saw it: by its memory size, its code, and the revision that was read with
//! them. What was there before is in a file beside the result, written before anything is changed.

mod choice;
mod undo;
mod verify;

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use aws_sdk_lambda::types::FunctionConfiguration;
use serde::Serialize;
use tuning::input::{LOCK_ALIAS, LambdaArn, SMALLEST};
use tuning::output::Analysis;

use crate::aws::Aws;
use crate::call::Call;
use crate::context::Context;
use crate::definitions::{Definitions, Deployed, Written, Wrong};
use crate::failure::{self, Usage, hinted};
use crate::function;
use crate::kept::{self, Kept};
use crate::outcome::{Outcome, Status};
use crate::settings::quoted;

pub use choice::Choice;
use undo::{Changed, Record};

/// The resolved options of `apply`.
#[derive(Debug)]
pub struct Options {
    /// The file with the result.
    pub result: PathBuf,
    /// The function, where the result does not name it.
    pub function: Option<String>,
    /// Files that define it.
    pub definitions: Definitions,
    /// Whether to change nothing and say what differs.
    pub check: bool,
    /// Whether to take back what was applied.
    pub undo: bool,
    /// Whether to compare what functions did since it was applied.
    pub verify: bool,
    /// Which results are good enough.
    pub choice: Choice,
}

/// What was applied, or would be. As JSON: `{"functions":[…],"leftOut":[…],"written":[…],"undo"}`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Applied {
    /// The functions themselves.
    functions: Vec<Change>,
    /// Those of a fleet to which nothing was applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<Left>,
    /// The files that define them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written: Vec<Written>,
    /// The file from which it can be taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<PathBuf>,
    #[serde(skip)]
    checked: bool,
    /// The command that takes it back.
    #[serde(skip)]
    take_back: Option<String>,
}

/// A function that is left as it is.
#[derive(Debug, Serialize)]
struct Left {
    function: String,
    /// Why, as a phrase.
    why: String,
    /// Whether it should have been applied.
    #[serde(skip)]
    failed: bool,
}

/// One function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    function: String,
    /// The memory size that the result says, in MB.
    power: u32,
    /// The one that the function had, in MB; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<u32>,
    /// What the change brings, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
}

impl Change {
    fn differs(&self) -> bool {
        self.was.is_some_and(|was| was != self.power)
    }

    fn sentence(&self) -> String {
        let Self { function, power, was, summary } = self;
        let brings = summary.as_ref().map(|summary| format!(": {summary}")).unwrap_or_default();
        match was {
            Some(was) if was != power => format!("{function}: {was} MB \u{2192} {power} MB{brings}"),
            _ => format!("{function} has {power} MB"),
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> =
            self.written.iter().map(|written| written.sentence(self.checked)).collect();
        for change in self.functions.iter().filter(|change| change.was.is_some()) {
            let done = match (change.differs(), self.checked) {
                (true, true) => format!(
                    "{} has {} MB, and the result says {} MB.",
                    change.function,
                    change.was.unwrap_or_default(),
                    change.power
                ),
                (true, false) => format!(
                    "{} now has {} MB (was {}).",
                    change.function,
                    change.power,
                    change.was.unwrap_or_default()
                ),
                (false, _) => format!("{} has {} MB.", change.function, change.power),
            };
            lines.push(done);
        }
        lines.extend(
            self.left_out.iter().map(|left| format!("{} is left as it is: {}.", left.function, left.why)),
        );
        lines.extend(self.take_back.as_ref().map(|command| format!("To take it back: {command}")));
        f.write_str(&lines.join("\n"))
    }
}

/// A result that is to be applied.
struct Wanted {
    /// The function's name or ARN.
    function: String,
    kept: Kept,
}

impl Wanted {
    fn analysis(&self) -> &Analysis {
        &self.kept.analysis
    }

    fn name(&self) -> String {
        Deployed::named(&self.function).name
    }

    fn change(&self, was: Option<u32>) -> Change {
        let baseline = self.analysis().baseline.as_ref();
        let summary =
            baseline.filter(|baseline| baseline.cheaper_percent.is_some() && Some(baseline.power) == was);
        Change {
            function: self.name(),
            power: self.analysis().power,
            was,
            summary: summary.map(|baseline| baseline.summary.clone()),
        }
    }
}

/// Applies a result.
///
/// # Errors
/// [`Usage`]: a file without a result, a result that must not be applied, a function that none of the files defines, a size that is
/// computed there. Otherwise a function that has changed since it was measured, or that is being measured; what AWS refuses.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    if options.undo {
        return undo::run(&options.result, context).await;
    }
    if options.verify {
        return verify::run(&options.result, context).await;
    }
    let (wanted, left_out) = wanted(&options)?;
    if options.definitions.is_empty() {
        return to_functions(&options, &wanted, left_out, context).await;
    }
    let sizes = |functions: Vec<Deployed>| -> Vec<(Deployed, u32)> {
        functions.into_iter().zip(wanted.iter().map(|wanted| wanted.analysis().power)).collect()
    };
    let mut functions = sizes(wanted.iter().map(|wanted| Deployed::named(&wanted.function)).collect());
    let mut found = check(&options.definitions, &functions);
    // The tags that CloudFormation gives a function tell what its template calls it. Without access the files have to do.
    if found.as_ref().is_err_and(|wrong| wrong.unnamed)
        && let Ok(aws) = context.aws().await
    {
        let mut tagged = Vec::new();
        for wanted in &wanted {
            let known = function::deployed(aws, &wanted.function).await;
            tagged.push(known.unwrap_or_else(|_| Deployed::named(&wanted.function)));
        }
        functions = sizes(tagged);
        found = check(&options.definitions, &functions);
    }
    let found = found.map_err(Usage::from)?;
    found.iter().flat_map(Written::notes).for_each(|note| context.events.note(note));
    let written = if options.check { found } else { options.definitions.write(&functions)? };
    let differs = written.iter().any(Written::differs);
    let applied = Applied {
        functions: wanted.iter().map(|wanted| wanted.change(None)).collect(),
        left_out,
        written,
        undo: None,
        checked: options.check,
        take_back: None,
    };
    finished(&applied, options.check && differs)
}

fn check(definitions: &Definitions, functions: &[(Deployed, u32)]) -> Result<Vec<Written>, Wrong> {
    let asked: Vec<_> = functions.iter().map(|(function, size)| (function.clone(), Some(*size))).collect();
    definitions.check(&asked)
}

fn finished(applied: &Applied, differs: bool) -> anyhow::Result<Outcome> {
    let outcome = Outcome::new(applied)?.folded(true);
    let failed = applied.left_out.iter().any(|left| left.failed);
    Ok(match (differs, failed) {
        (true, _) => outcome.with_status(Status::GateNotMet),
        (false, true) => outcome.with_status(Status::Failed),
        (false, false) => outcome,
    })
}

/// The results of the file that are to be applied, each with its function, and those of a fleet that are not.
fn wanted(options: &Options) -> Result<(Vec<Wanted>, Vec<Left>), Usage> {
    let kept = kept::read(&options.result)?;
    let file = options.result.display();
    if options.function.is_some() && kept.len() > 1 {
        return Err(Usage(format!(
            "--function names one function, and {file} has results of {}",
            kept.len()
        )));
    }
    let (mut wanted, mut left_out) = (Vec::new(), Vec::new());
    for kept in kept {
        let Some(function) = options.function.clone().or_else(|| kept.function.clone()) else {
            return Err(Usage(format!("{file} does not say of which function it is: add --function NAME")));
        };
        let name = Deployed::named(&function).name;
        match options.choice.against(&kept) {
            None => wanted.push(Wanted { function, kept }),
            Some(why) if kept.of_fleet => left_out.push(Left { function: name, why, failed: false }),
            Some(why) => {
                let size = kept.analysis.power;
                return Err(Usage(format!("{size} MB is not to be applied to {name}, because {why}")));
            }
        }
    }
    Ok((wanted, left_out))
}

/// A function, as it is now.
struct Now {
    arn: String,
    memory: u32,
    revision: String,
}

impl Now {
    fn of(found: &FunctionConfiguration) -> anyhow::Result<Self> {
        Ok(Self {
            arn: found.function_arn().context("the function has no ARN")?.to_owned(),
            memory: found.memory_size().and_then(|size| u32::try_from(size).ok()).unwrap_or(SMALLEST),
            revision: found.revision_id().context("the function has no revision")?.to_owned(),
        })
    }
}

/// Gives the functions themselves the sizes of their results.
async fn to_functions(
    options: &Options,
    wanted: &[Wanted],
    mut left_out: Vec<Left>,
    context: &Context,
) -> anyhow::Result<Outcome> {
    if !options.check {
        context.can_confirm()?;
    }
    let aws = context.aws().await?;
    let mut changes = Vec::new();
    let (mut planned, mut done) = (Vec::new(), Vec::new());
    for wanted in wanted {
        let now = match unchanged(aws, wanted, context).await {
            Err(error) if wanted.kept.of_fleet && failure::is::<NotAsMeasured>(&error) => {
                let why = format!("{error:#}");
                left_out.push(Left { function: wanted.name(), why, failed: true });
                continue;
            }
            now => now?,
        };
        let change = wanted.change(Some(now.memory));
        if change.differs() {
            planned.push((wanted, now));
        } else {
            done.push(now.arn);
        }
        changes.push(change);
    }
    let differs = !planned.is_empty();
    let mut applied = Applied {
        functions: changes,
        left_out,
        written: Vec::new(),
        undo: None,
        checked: options.check,
        take_back: None,
    };
    if options.check || !differs {
        return finished(&applied, options.check && differs);
    }
    applied.functions.iter().for_each(|change| context.events.note(change.sentence()));
    anyhow::ensure!(context.confirm("Apply it?").await?, "declined; nothing was changed");
    let record = Record::new(planned.iter().map(|(wanted, now)| {
        let analysis = wanted.analysis();
        Changed::new(now.arn.clone(), now.memory, analysis.power, verify::expected(analysis, now.memory))
    }));
    let file = undo::file(&options.result);
    record.keeping(&file, &done)?.write(&file)?;
    for (wanted, now) in &planned {
        match set(aws, now, wanted.analysis().power, &context.events).await {
            Err(error) if wanted.kept.of_fleet && failure::is::<NotAsMeasured>(&error) => {
                let name = wanted.name();
                applied.functions.retain(|change| change.function != name);
                applied.left_out.push(Left { function: name, why: format!("{error:#}"), failed: true });
            }
            done => done?,
        }
    }
    applied.undo = Some(file);
    let result = quoted(&options.result.to_string_lossy());
    applied.take_back = Some(aws.command(&format!("apply {result} --undo")));
    finished(&applied, false)
}

/// A function that is not as its result saw it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotAsMeasured(String);

/// The function, which must be as the result saw it.
async fn unchanged(aws: &Aws, wanted: &Wanted, context: &Context) -> anyhow::Result<Now> {
    let name = wanted.name();
    let place = aws.place();
    let region = wanted
        .kept
        .region
        .clone()
        .or_else(|| LambdaArn::split(&wanted.function).ok().map(|(arn, _)| arn.region));
    if let Some(region) = region.filter(|region| *region != place.region) {
        let why = anyhow::anyhow!("the result is of {name} in {region}, and calls go to {}", place.region);
        return Err(hinted(why, format!("say --region {region}")));
    }
    if let Some(account) = wanted.kept.account.as_ref().filter(|account| **account != place.account) {
        let why = anyhow::anyhow!(
            "the result is of {name} in the account {account}, and calls go to {}",
            place.account
        );
        return Err(hinted(why, "choose its profile with --profile"));
    }
    let found = function::configuration(aws, &name).await?;
    let gone = || NotAsMeasured(format!("the function {name} does not exist in {}", place.region));
    let found = found.ok_or_else(gone)?;
    let now = Now::of(&found)?;
    let power = wanted.analysis().power;
    if now.memory == power {
        return Ok(now);
    }
    let again = || format!("tune it again: `{}`", aws.command(&format!("tune {name}")));
    let measured = wanted.analysis().baseline.as_ref().map(|baseline| baseline.power);
    if let Some(measured) = measured.filter(|measured| *measured != now.memory) {
        let why = NotAsMeasured(format!(
            "{name} had {measured} MB when it was measured and has {} MB now: somebody has changed it",
            now.memory
        ));
        return Err(hinted(why, again()));
    }
    let code = wanted.analysis().code_sha256.as_deref();
    if code.zip(found.code_sha256()).is_some_and(|(measured, now)| measured != now) {
        let why = NotAsMeasured(format!("the code of {name} is another one than was measured"));
        return Err(hinted(why, again()));
    }
    if let Some(owner) = measured_by(aws, &now.arn).await? {
        let why = NotAsMeasured(format!("{name} is being measured by {owner}"));
        return Err(hinted(
            why,
            format!("wait for its end; if there is none, `{}`", aws.command(&format!("cleanup {name}"))),
        ));
    }
    // Whatever deployed the function will put its own size back.
    if let Ok(Deployed { stack: Some(stack), .. }) = function::deployed(aws, &name).await {
        context.events.warning(format!(
            "{name} belongs to the stack {stack}: its next deployment puts the template's memory size back, unless that is changed too (--write)"
        ));
    }
    Ok(now)
}

/// Who holds the lock on a function, by the description of the alias that is the lock.
async fn measured_by(aws: &Aws, arn: &str) -> anyhow::Result<Option<String>> {
    let lock = aws.lambda().get_alias().function_name(arn).name(LOCK_ALIAS).send().await;
    match lock.called("lambda:GetAlias") {
        Ok(lock) => {
            let owner = lock.description().and_then(|text| text.split_whitespace().last()).unwrap_or("a run");
            Ok(Some(owner.to_owned()))
        }
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error).context("asking whether the function is being measured"),
    }
}

async fn memory_of(aws: &Aws, arn: &str) -> anyhow::Result<u32> {
    let found = function::configuration(aws, arn).await?;
    Ok(Now::of(&found.context("the function was deleted meanwhile")?)?.memory)
}

/// Sets a function's memory size, if the function is as it was read.
async fn set(aws: &Aws, now: &Now, memory: u32, events: &crate::events::Events) -> anyhow::Result<()> {
    let name = Deployed::named(&now.arn).name;
    events.started(format!("giving {name} {memory} MB"));
    let size = i32::try_from(memory).context("a memory size")?;
    let update = aws.lambda().update_function_configuration().function_name(&now.arn).memory_size(size);
    let updated = update.revision_id(&now.revision).send().await.called("lambda:UpdateFunctionConfiguration");
    match updated {
        // A call whose answer was lost is repeated, and then it was this very change.
        Err(error)
            if error.is("PreconditionFailedException") && memory_of(aws, &now.arn).await? == memory => {}
        Err(error) if error.is("PreconditionFailedException") => {
            let why = NotAsMeasured(format!("somebody has changed {name} just now; it was left as it is"));
            return Err(hinted(why, "run it again to see what there is now"));
        }
        other => drop(other.with_context(|| format!("giving {name} {memory} MB"))?),
    }
    function::ready(aws, &now.arn).await?;
    events.finished(format!("{name} has {memory} MB"));
    Ok(())
}
