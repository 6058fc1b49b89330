//! `demo`: the whole of it on this machine, in one command: deploys the stack, tunes a sample, shows the result.

use std::fmt;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{tune, up};
use crate::app::parameters::VISUALIZATION_URL;
use crate::build::{self, Flavour, Program};
use crate::context::Context;
use crate::deployment::parameters::Parameters;
use crate::function::Code;
use crate::outcome::Outcome;
use crate::settings::Verbosity;
use crate::site::{self, Chart};

/// The sizes: the smallest, two in between, exactly one vCPU, and nearly two.
const POWER_VALUES: [u32; 5] = [128, 512, 1024, 1769, 3008];

/// Few enough to be done in well under a minute, enough for the trimmed average to be one.
const NUM: u32 = 10;

/// A result, and how to get it oneself. As JSON: `{"deployed","tuned","commands"}`.
#[derive(Debug, Serialize)]
struct Demo {
    deployed: Value,
    tuned: Value,
    commands: [String; 3],
    #[serde(skip)]
    text: String,
}

impl fmt::Display for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\nThe same by hand, and with a function of yours:", self.text)?;
        f.write_str(&self.commands.each_ref().map(|command| format!("  {command}")).join("\n"))
    }
}

/// Deploys, tunes and shows.
///
/// # Errors
/// Whatever `up` and `tune` may end with.
pub async fn run(context: &Context) -> anyhow::Result<Outcome> {
    let samples = build::asset(Program::Samples, Flavour::Host, &context.events).await?;
    let deployed = up::run(
        up::Options {
            flavour: Flavour::Host,
            tags: None,
            role_arn: None,
            assets_bucket: None,
            parameters: Parameters::default().with_default(VISUALIZATION_URL, site::local_url()),
        },
        context,
    )
    .await
    .context("deploying the stack on this machine")?;
    let fields: Map<String, Value> =
        [("powerValues".to_owned(), json!(POWER_VALUES)), ("num".to_owned(), json!(NUM))]
            .into_iter()
            .collect();
    let tuned = tune::run(
        tune::Options {
            function: Some("sample-cpu".to_owned()),
            fields,
            code: Some(Code {
                path: samples.path.clone(),
                handler: Some("cpu".to_owned()),
                ..Code::default()
            }),
            ..tune::Options::default()
        },
        context,
    )
    .await?;
    let sizes = POWER_VALUES.map(|size| size.to_string()).join(",");
    let commands = [
        "deployer up --local --yes".to_owned(),
        format!("deployer tune --local sample-cpu --power-values {sizes} --num {NUM}"),
        "deployer tune --local --code ./a-folder-with-your-bootstrap".to_owned(),
    ];
    // A program that reads the result does not want to wait for anything else.
    let serve = !context.settings.output.json && context.settings.output.verbosity != Verbosity::Quiet;
    let chart = tuned.chart().map(|chart| Chart { serve, ..chart.clone() });
    let demo = Outcome::new(&Demo {
        deployed: deployed.json().clone(),
        tuned: tuned.json().clone(),
        commands,
        text: tuned.text().to_owned(),
    })?;
    Ok(demo.with_chart(chart))
}
