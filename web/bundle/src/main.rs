//! `bundle --out DIR`: the chart page as a folder that any static host can serve.
//!
//! Sources (`viz-wasm`, `web`) in; `index.html`, `style.css`, `loader.js`, `fleet.js`, `viz.js` and `viz_bg.wasm` out. A tool of the
//! build, apart from `deployer`, because the library that writes the glue takes longer to compile than all it does here.

use anyhow::{Context, Result, anyhow, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "web";

fn main() -> Result<()> {
    let out = out_dir(env::args().skip(1))?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    fs::create_dir_all(&out).with_context(|| format!("creating {}", out.display()))?;

    let module = compile(&workspace)?;
    // The glue for bundlers is the one without a loader of its own: `loader.js` starts the module.
    let glue = module.with_extension("glue");
    Bindgen::new()
        .input_path(&module)
        .out_name("viz")
        .bundler(true)?
        .typescript(false)
        // Every browser that has what the module is made of has this as well.
        .encode_into(EncodeInto::Always)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&glue)
        .with_context(|| format!("making the glue of {}", module.display()))?;
    let web = workspace.join("web");
    for (name, from) in [
        ("index.html", web.join("index.html")),
        ("style.css", web.join("style.css")),
        ("loader.js", web.join("loader.js")),
        ("fleet.js", web.join("fleet.js")),
        ("viz.js", glue.join("viz_bg.js")),
        ("viz_bg.wasm", glue.join("viz_bg.wasm")),
    ] {
        fs::copy(&from, out.join(name)).with_context(|| format!("copying {}", from.display()))?;
    }
    for name in ["style.css", "loader.js", "fleet.js", "viz.js"] {
        let file = out.join(name);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        fs::write(&file, minified(name, &text)?).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// A script or stylesheet without what only people read.
fn minified(name: &str, text: &str) -> Result<String> {
    let minified = if name.ends_with(".css") {
        minifier::css::minify(text).map(|css| css.to_string())
    } else {
        minifier::js::minify(text).map(|js| js.to_string())
    };
    minified.map_err(|error| anyhow!("{name} cannot be minified: {error}"))
}

fn out_dir(mut arguments: impl Iterator<Item = String>) -> Result<PathBuf> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (Some("--out"), Some(dir), None) => Ok(dir.into()),
        _ => bail!("usage: bundle --out DIR"),
    }
}

/// The page's code as WebAssembly.
fn compile(workspace: &Path) -> Result<PathBuf> {
    add_target()?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace);
    // What `cargo run` set for this tool means other things to the build scripts below, some of which compile again
    // when it differs.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            cargo.env_remove(&name);
        }
    }
    cargo.args(["build", "-p", "viz-wasm", "--lib", "--profile", PROFILE, "--target", TARGET]);
    // Panic messages name source files: without this, the place of the build would be part of the page.
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let flags: Vec<String> = [Some((workspace, "/src")), home.as_deref().map(|home| (home, "/cargo"))]
        .into_iter()
        .flatten()
        .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()))
        .collect();
    cargo.arg("--config").arg(format!("target.{TARGET}.rustflags={flags:?}"));
    if !cargo.status().context("starting cargo")?.success() {
        bail!("cargo could not build viz-wasm for {TARGET}");
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(workspace.join(target).join(TARGET).join(PROFILE).join("viz_wasm.wasm"))
}

/// Gets Rust's standard library for WebAssembly, when it is not there.
fn add_target() -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("starting rustc")?;
    if Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir() {
        return Ok(());
    }
    match Command::new("rustup").args(["target", "add", TARGET]).status() {
        Ok(status) if status.success() => Ok(()),
        _ => {
            bail!("Rust's standard library for {TARGET} is missing; get it with: rustup target add {TARGET}")
        }
    }
}
