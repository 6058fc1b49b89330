//! `synth`: the template, for people and for other deployers.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

use crate::app;
use crate::build::{self, Flavour, Program};
use crate::context::Context;
use crate::outcome::Outcome;

/// The resolved options of `synth`.
#[derive(Debug)]
pub struct Options {
    /// The folder for template and assets; none for the template alone, on stdout.
    pub out: Option<PathBuf>,
    /// What the functions are built for.
    pub flavour: Flavour,
}

/// The template. As JSON: itself.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Synthesized {
    template: Value,
    #[serde(skip)]
    text: String,
}

impl fmt::Display for Synthesized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What was written. As JSON: `{"template":PATH,"assets":[PATH]}`.
#[derive(Debug, Serialize)]
struct Written {
    template: PathBuf,
    assets: Vec<PathBuf>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.template.display())?;
        self.assets.iter().try_for_each(|asset| writeln!(f, "{}", asset.display()))
    }
}

/// Writes the template of the role by which an account's stacks tune another account's functions.
///
/// # Errors
/// None but mistakes in the template.
pub fn role(trusts: &str) -> anyhow::Result<Outcome> {
    let text = app::elsewhere::synth(trusts)?.to_json();
    let template = serde_json::from_str(&text)?;
    Outcome::new(&Synthesized { template, text })
}

/// Writes the template. In a folder it names its assets as files beside it, so that `aws cloudformation package` and
/// `deploy` take the folder as it is; alone it names them as they lie in our bucket.
///
/// # Errors
/// What stands in the way of building the functions; a folder that cannot be written to.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    let asset = build::asset(Program::Functions, options.flavour, &context.events).await?;
    let place = match options.out {
        Some(_) => constructs::Location::Local,
        None => constructs::Location::Bucket(app::asset_bucket()),
    };
    let stack = app::Stack::new(asset.architecture, &asset.sha256, place);
    let template = stack.synth()?;
    let text = template.to_json();
    let Some(out) = options.out else {
        let template = serde_json::from_str(&text)?;
        return Outcome::new(&Synthesized { template, text });
    };
    std::fs::create_dir_all(&out).with_context(|| format!("making the folder {}", out.display()))?;
    let zip = out.join(stack.functions.file_name());
    std::fs::copy(&asset.path, &zip).with_context(|| format!("writing {}", zip.display()))?;
    let path = out.join("template.json");
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Outcome::new(&Written { template: path, assets: vec![zip] })
}
