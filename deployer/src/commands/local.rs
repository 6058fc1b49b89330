//! `local`: the embedded endpoint in the foreground, for any AWS client, until it is told to stop.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use local_aws::faults::Fault;
use local_aws::lambda::{Disturbed, Mechanism};
use serde::Serialize;

use crate::aws;
use crate::context::Context;
use crate::failure::Usage;
use crate::interrupt;
use crate::outcome::{self, Outcome};

/// The resolved options of `local`.
#[derive(Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The state folder.
    pub state: PathBuf,
    /// The region that ARNs name.
    pub region: String,
    /// What is to enforce CPU shares, unless it is the best this machine has.
    pub cpu_share: Option<Mechanism>,
    /// What becomes of measured invocations that other work on this machine disturbed.
    pub disturbed: Disturbed,
    /// A file with a plan of faults.
    pub faults: Option<PathBuf>,
}

/// Where the endpoint is. As JSON: `{"url","state","region"}`, written when it starts.
#[derive(Debug, Serialize)]
struct Running {
    url: String,
    state: String,
    region: String,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Serves until SIGINT or SIGTERM. The first line on stdout is the address; with `--json` the one document is written
/// at the start as well, on one line, since a client has no use for it later.
///
/// # Errors
/// A plan of faults that is none; a port or a state folder that is in use; stdout that cannot be written to.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let Options { port, state, region, cpu_share, disturbed, faults } = options;
    let faults = faults.map(|file| plan(&file)).transpose()?;
    let endpoint = aws::start_endpoint(port, &state, &region, cpu_share, disturbed).await?;
    if let Some(faults) = faults {
        context.events.warning(format!("{} calls of functions will fail, as --faults says", faults.len()));
        endpoint.aws().faults.plan(faults);
    }
    endpoint.announce().with_context(|| format!("writing to the state folder {}", state.display()))?;
    let running = Running {
        url: endpoint.url().to_owned(),
        state: state.display().to_string(),
        region: region.clone(),
    };
    let text =
        if context.settings.output.json { serde_json::to_string(&running)? } else { running.to_string() };
    outcome::announce(&text)?;
    context.events.note(format!(
        "an AWS endpoint for this machine, state in {}; stop it with Ctrl-C. For other AWS clients:\n\
         export AWS_ENDPOINT_URL={} AWS_REGION={region} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local",
        running.state, running.url,
    ));
    interrupt::interrupted().await;
    context.events.started("stopping the endpoint");
    endpoint.stop().await;
    Ok(Outcome::silent())
}

fn plan(file: &Path) -> Result<Vec<Fault>, Usage> {
    let wrong = |why: &dyn fmt::Display| Usage(format!("--faults {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    local_aws::faults::read(&text).map_err(|error| wrong(&error))
}
