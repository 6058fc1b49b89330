//! The arguments of the verbs that deal with charts: `serve`, `compare`.

use clap::Args;
use serde::Serialize;

use super::{EVERYWHERE, is_false};

/// `serve`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
pub struct ServeArgs {
    /// The port; 0 takes any free one [default: 8723, where links of `--local` lead]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<String>,
    /// The address to listen on; 0.0.0.0 lets other machines in [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    pub(crate) host: Option<String>,
    /// Serve this folder instead of the page that belongs to this program
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<String>,
    /// Open it in a browser
    #[arg(long)]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) open: bool,
}

/// `compare`
#[derive(Debug, Clone, Default, Args, Serialize)]
#[command(after_help = EVERYWHERE)]
#[serde(rename_all = "kebab-case")]
pub struct CompareArgs {
    /// Chart links, or what stands after their `#`; the first run is what the others are compared with
    #[arg(required = true, value_name = "LINK")]
    #[serde(skip)]
    pub(crate) links: Vec<String>,
    /// A run's name, in the order of the runs; may be repeated
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    pub(crate) name: Vec<String>,
    /// The page that the link leads to [default: the first link's]
    #[arg(long, value_name = "URL")]
    pub(crate) visualization_url: Option<String>,
    /// As Markdown, for a pull request or a wiki
    #[arg(long, conflicts_with = "json")]
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) markdown: bool,
}
