//! `demo`: the whole of it on this machine, in one command: deploys the stack, tunes a sample, shows the result.

mod faults;

use std::fmt;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{tune, up};
use crate::build::{self, Flavour, Program};
use crate::context::Context;
use crate::deployment::parameters::Parameters;
use crate::failure::Usage;
use crate::function::Code;
use crate::options;
use crate::outcome::{Chart, Outcome};
use crate::settings::{Verbosity, quoted};
use crate::site;

/// The sizes: the smallest, two in between, exactly one vCPU, and nearly two.
const POWER_VALUES: [u32; 5] = [128, 512, 1024, 1769, 3008];

/// The function.
const FUNCTION: &str = "sample-cpu";

/// Few enough to be done in well under a minute, enough for the trimmed average to be one.
const NUM: u32 = 10;

/// A result, and how to get it oneself. As JSON: `{"deployed","tuned","commands"}`, with `faults` where they were asked for.
#[derive(Debug, Serialize)]
struct Demo {
    deployed: Value,
    tuned: Value,
    commands: [String; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<faults::Report>,
    #[serde(skip)]
    text: String,
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        if let Some(faults) = &self.faults {
            writeln!(f, "\n{faults}")?;
        }
        writeln!(f, "\nThe same by hand, and with a function of yours:")?;
        f.write_str(&self.commands.each_ref().map(|command| format!("  {command}")).join("\n"))
    }
}

/// Deploys, tunes and shows; with a seed, under faults.
///
/// # Errors
/// Whatever `up` and `tune` may end with.
pub async fn run(seed: Option<u64>, context: &Context) -> anyhow::Result<Outcome> {
    let samples = build::asset(Program::Samples, Flavour::Host, &context.events).await?;
    let deployed = up::run(
        up::Options {
            flavour: Some(Flavour::Host),
            tags: None,
            role_arn: None,
            assets_bucket: None,
            protection: None,
            parameters: Parameters::default().with_default(&options::VISUALIZATION_URL, site::local_url()),
        },
        context,
    )
    .await
    .context("deploying the stack on this machine")?;
    let code = Code { path: samples.path.clone(), handler: Some("cpu".to_owned()), ..Code::default() };
    let (tuned, faults) = match seed {
        None => (tune::run(run_of(Some(code), NUM), context).await?, None),
        Some(seed) => {
            let (tuned, report) = under_faults(seed, code, context).await?;
            (tuned, Some(report))
        }
    };
    let sizes = POWER_VALUES.map(|size| size.to_string()).join(",");
    let sample = format!("--code {} --handler cpu", quoted(&samples.path.display().to_string()));
    let command = |words: &str| context.settings.command(words);
    let commands = [
        command("up --yes"),
        command(&format!("tune {FUNCTION} {sample} --power-values {sizes} --num {NUM}")),
        command("tune --code ./a-folder-with-your-bootstrap"),
    ];
    // A program that reads the result does not want to wait for anything else.
    let serve = !context.settings.output.json && context.settings.output.verbosity != Verbosity::Quiet;
    let chart = tuned.chart().map(|chart| Chart { serve, ..chart.clone() });
    let demo = Outcome::new(&Demo {
        deployed: deployed.json().clone(),
        tuned: tuned.json().clone(),
        commands,
        faults,
        text: tuned.text().to_owned(),
    })?;
    Ok(demo.folded(true).with_chart(chart))
}

fn run_of(code: Option<Code>, num: u32) -> tune::Options {
    let fields: Map<String, Value> =
        [("powerValues".to_owned(), json!(POWER_VALUES)), ("num".to_owned(), json!(num))]
            .into_iter()
            .collect();
    tune::Options { function: Some(FUNCTION.to_owned()), fields, code, ..tune::Options::default() }
}

/// One run in which calls fail, and another that is ended.
async fn under_faults(seed: u64, code: Code, context: &Context) -> anyhow::Result<(Outcome, faults::Report)> {
    let aws = context.aws().await?.embedded().ok_or_else(|| {
        Usage(
            "--faults: faults are injected into an endpoint of this program's own, and `deployer local` runs on this state; stop it, or \
             name another folder with --state"
                .to_owned(),
        )
    })?;
    let drawn = faults::draw(seed);
    aws.faults.plan(drawn.passing);
    let tuned = tune::run(run_of(Some(code), NUM), context).await;
    let made = aws.faults.end();
    let tuned = tuned?;
    let (before, _) = faults::traces(aws, FUNCTION).await?;

    context.events.started("starting a run that will be ended half-way");
    aws.faults.plan(vec![drawn.ending]);
    let ended = tune::run(run_of(None, 5), context).await;
    // The rule that cleans up after an execution has a function do it.
    aws.events.stop(aws).await;
    aws.lambda.drain().await;
    let fault = faults::injected(&aws.faults.end()).into_iter().next();
    let then = match ended {
        Ok(_) => "and the run went on to its end".to_owned(),
        Err(error) => format!("the run ended: {}", error.root_cause()),
    };
    let fault = fault.context("the second run did not come to the call that was to fail")?;
    let (after, left) = faults::traces(aws, FUNCTION).await?;
    let ended = faults::Ended { fault: faults::Injected { then, ..fault }, memory: (before, after) };
    Ok((tuned, faults::Report { seed, injected: faults::injected(&made), ended, left }))
}
