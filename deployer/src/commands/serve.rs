//! `serve`: the chart page in the foreground, until it is told to stop.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Advice, Usage};
use crate::outcome::{self, Outcome};
use crate::site::{self, ListenError, Server, Site};
use crate::{browser, build, interrupt};

/// The resolved options of `serve`.
#[derive(Debug)]
pub struct Options {
    /// Where to listen; port 0 takes any free one.
    pub address: SocketAddr,
    /// A page's folder; none for the page that belongs to this program.
    pub folder: Option<PathBuf>,
    /// Whether to open a browser.
    pub open: bool,
}

/// Where the page is. As JSON: `{"url","page"}`, written when it starts.
#[derive(Debug, Serialize)]
struct Running {
    url: String,
    page: PathBuf,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Serves until SIGINT or SIGTERM. The first line on stdout is the address; with `--json` the one document is written
/// at the start as well, on one line.
///
/// # Errors
/// A port that is in use, a page that cannot be built or read; stdout that cannot be written to.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let Options { address, folder, open } = options;
    let server = match Server::listen(address).await {
        Ok(server) => server,
        Err(error) => return Err(refused(error).await),
    };
    let (folder, site) = match folder {
        Some(folder) => {
            let site = Site::load(&folder)
                .map_err(|error| Usage(format!("--dir: {error}")))
                .hint("`deployer build web --out DIR` writes a page")?;
            (folder, site)
        }
        None => {
            let folder = build::page_folder(&context.events).await?;
            let site = Site::load(&folder).context("reading the chart page")?;
            (folder, site)
        }
    };
    let running = Running { url: server.url(), page: folder };
    let text =
        if context.settings.output.json { serde_json::to_string(&running)? } else { running.to_string() };
    let private = server.is_private();
    let serving = async {
        outcome::announce(&text)?;
        let reach = if private { "this machine can reach it" } else { "other machines can reach it, too" };
        context.events.note(format!("the chart page; {reach}. Stop it with Ctrl-C"));
        let opening = async {
            if open {
                browser::open(&running.url, &context.events).await;
            }
        };
        let (never, ()) = tokio::join!(server.run(site), opening);
        match never {}
    };
    tokio::select! {
        // First, so that no signal comes between the address and the ear for it.
        biased;
        () = interrupt::interrupted() => Ok(Outcome::silent()),
        ended = serving => ended,
    }
}

/// A port that cannot be had, and what to do about it.
async fn refused(error: ListenError) -> anyhow::Error {
    let in_use = error.error.kind() == std::io::ErrorKind::AddrInUse;
    let hint = if in_use && site::is_served(error.address).await {
        format!("the chart page is served there already: http://{}/", error.address)
    } else {
        "name another port with --port N; --port 0 takes any free one".to_owned()
    };
    crate::failure::hinted(error, hint)
}
