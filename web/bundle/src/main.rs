//! `bundle --out DIR`: the chart page as a folder that any static host can serve.
//!
//! Sources (`viz-wasm`, `web`) in; `index.html`, `style.css`, `loader.js`, `viz.js` and `viz_bg.wasm` out. A tool of the
//! build, apart from `deployer`, because the library that writes the glue takes longer to compile than all it does here.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "web";
const STATIC: [&str; 3] = ["index.html", "style.css", "loader.js"];

fn main() -> Result<()> {
    let out = out_dir(env::args().skip(1))?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;

    let module = compile(&workspace)?;
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(&module)
        .out_name("viz")
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&out)
        .with_context(|| format!("writing the glue of {}", module.display()))?;
    for name in STATIC {
        let from = workspace.join("web").join(name);
        fs::copy(&from, out.join(name)).with_context(|| format!("copying {}", from.display()))?;
    }
    Ok(())
}

fn out_dir(mut arguments: impl Iterator<Item = String>) -> Result<PathBuf> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (Some("--out"), Some(dir), None) => Ok(dir.into()),
        _ => bail!("usage: bundle --out DIR"),
    }
}

/// The page's code as WebAssembly.
fn compile(workspace: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "-p", "viz-wasm", "--lib", "--profile", PROFILE, "--target", TARGET])
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!(
            "cargo could not build viz-wasm for {TARGET}; if the target is missing: rustup target add {TARGET}"
        );
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(workspace.join(target).join(TARGET).join(PROFILE).join("viz_wasm.wasm"))
}
