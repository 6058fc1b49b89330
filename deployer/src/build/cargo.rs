//! Runs cargo, and gets what it needs to build for Lambda.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use super::workspace::Workspace;
use super::{Architecture, BuildError, Flavour, Program};
use crate::events::Events;

/// Where Rust is to be had.
const RUST: &str = "https://rustup.rs";

/// The profile of the program in a release.
const DIST: &str = "dist";

/// What makes that smaller beyond its profile, for Rust's own linker. Addresses to adjust at the start are kept as a bit map
/// (0.8 MB less). Nothing unwinds in this profile, so the tables for it go (1.9 MB less); what is lost are backtraces, which would
/// have no names in a stripped program.
const SMALLER: [&str; 3] = [
    "-Clink-arg=--pack-dyn-relocs=relr",
    "-Clink-arg=--no-eh-frame-hdr",
    // Cargo runs the compiler in the workspace's folder; an absolute path would make the program another one in each clone.
    "-Clink-arg=deployer/no-unwind-tables.ld",
];

/// The executables of one build.
pub(super) struct Executables {
    functions: PathBuf,
    samples: PathBuf,
}

impl Executables {
    pub(super) fn of(&self, program: Program) -> &Path {
        match program {
            Program::Functions => &self.functions,
            Program::Samples => &self.samples,
        }
    }
}

/// Builds the functions and the samples.
pub(super) async fn build(
    workspace: &Workspace,
    flavour: Flavour,
    events: &Events,
) -> Result<Executables, BuildError> {
    let mut cargo = command(workspace);
    cargo.args(["build", "--message-format=json-render-diagnostics"]);
    cargo.args(["-p", "functions", "--bin", Program::Functions.binary(), "--bin", Program::Samples.binary()]);
    match flavour {
        // Chosen together with this program, everything the two share has the same features, and is there already.
        Flavour::Host => {
            cargo.args(["--release", "-p", "deployer"]);
        }
        Flavour::Lambda(architecture) => {
            anywhere(&mut cargo, workspace, "lambda", architecture, events).await?;
        }
    }
    events.started(format!("building the functions for {flavour}"));
    let mut built = executables(cargo, events).await?;
    let mut take = |program: Program| named(built.remove(program.binary()));
    Ok(Executables { functions: take(Program::Functions)?, samples: take(Program::Samples)? })
}

/// Compiles this program as a release has it: static and small, which nobody waits for otherwise.
///
/// # Errors
/// When cargo fails.
pub(super) async fn program(
    workspace: &Workspace,
    architecture: Architecture,
    events: &Events,
) -> Result<(PathBuf, &'static str), BuildError> {
    let mut cargo = command(workspace);
    cargo.args(["rustc", "--message-format=json-render-diagnostics", "-p", "deployer", "--bin", "deployer"]);
    let linker = anywhere(&mut cargo, workspace, DIST, architecture, events).await?;
    // Linkers that somebody chose have other options.
    if linker == Linker::OfRust {
        cargo.arg("--").args(SMALLER);
    }
    events.started(format!("building the program for {architecture}; the first time takes many minutes"));
    let program = named(executables(cargo, events).await?.remove("deployer"))?;
    Ok((program, Toolchain::of(architecture).target))
}

/// The C compiler for a processor.
///
/// # Errors
/// One that is not installed.
pub(super) fn compiler(architecture: Architecture) -> Result<(), BuildError> {
    let toolchain = Toolchain::of(architecture);
    if std::env::var_os(toolchain.compiler_variable()).is_some() {
        return Ok(());
    }
    toolchain.compiler().map(drop)
}

/// Runs cargo; the executables it built, by name.
async fn executables(cargo: Command, events: &Events) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let mut built = BTreeMap::new();
    let on_message = |line: &str| {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        if let (Some(name), Some(path)) = (message["target"]["name"].as_str(), message["executable"].as_str())
        {
            built.insert(name.to_owned(), PathBuf::from(path));
        }
    };
    run(cargo, "cargo", RUST, on_message, events).await?;
    Ok(built)
}

fn named(executable: Option<PathBuf>) -> Result<PathBuf, BuildError> {
    executable.ok_or_else(|| BuildError::Tool {
        command: "cargo build".to_owned(),
        output: "it named no executable".to_owned(),
    })
}

/// Cargo in the workspace.
pub(super) fn command(workspace: &Workspace) -> Command {
    let mut cargo = Command::new(tool("CARGO", "cargo"));
    cargo.current_dir(&workspace.root);
    // What `cargo run` sets for us means other things to the build scripts below; some of them compile again when
    // it differs, and with them everything that depends on them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"]
            .iter()
            .any(|p| text.starts_with(p))
        {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs cargo for what it does, not for what it prints.
pub(super) async fn run_cargo(command: Command, events: &Events) -> Result<(), BuildError> {
    run(command, "cargo", RUST, |_| (), events).await
}

/// What links an executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linker {
    /// The one that comes with Rust.
    OfRust,
    /// This machine's C compiler, or what the environment names.
    Other,
}

/// Static, small, and the same wherever it is built.
async fn anywhere(
    cargo: &mut Command,
    workspace: &Workspace,
    profile: &str,
    architecture: Architecture,
    events: &Events,
) -> Result<Linker, BuildError> {
    let toolchain = Toolchain::of(architecture);
    toolchain.install(events).await?;
    cargo.args(["--profile", profile, "--target", toolchain.target]);
    // What was compiled before must not show in the asset.
    cargo.env("CARGO_INCREMENTAL", "0");
    let upper = toolchain.target.to_uppercase().replace('-', "_");
    let cc = toolchain.compiler_variable();
    if std::env::var_os(&cc).is_none() {
        let compiler = toolchain.compiler()?;
        cargo.env(&cc, compiler);
    }
    let variable = format!("CARGO_TARGET_{upper}_LINKER");
    let needed = architecture != Architecture::host() || profile == DIST;
    let linker = if needed && std::env::var_os(&variable).is_none() { Linker::OfRust } else { Linker::Other };
    if linker == Linker::OfRust {
        cargo.env(&variable, "rust-lld");
    }
    // Panic messages name source files: without this, the place of the build would be part of the asset.
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let remap = [Some((workspace.root.clone(), "/src")), home.map(|home| (home, "/cargo"))];
    let flags: Vec<String> = remap
        .into_iter()
        .flatten()
        .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()))
        .collect();
    // A JSON list of texts is a TOML list of texts as well.
    let flags = Value::from(flags);
    cargo.arg("--config").arg(format!("target.{}.rustflags={flags}", toolchain.target));
    Ok(linker)
}

/// What building for one processor needs.
struct Toolchain {
    architecture: Architecture,
    target: &'static str,
    /// The C compiler that Debian and its relatives have for it.
    cross_compiler: &'static str,
    package: &'static str,
}

impl Toolchain {
    fn of(architecture: Architecture) -> Self {
        match architecture {
            Architecture::Arm64 => Self {
                architecture,
                target: "aarch64-unknown-linux-musl",
                cross_compiler: "aarch64-linux-gnu-gcc",
                package: "gcc-aarch64-linux-gnu",
            },
            Architecture::X86_64 => Self {
                architecture,
                target: "x86_64-unknown-linux-musl",
                cross_compiler: "x86_64-linux-gnu-gcc",
                package: "gcc-x86-64-linux-gnu",
            },
        }
    }

    /// Adds Rust's standard library for the target, when it is not there.
    async fn install(&self, events: &Events) -> Result<(), BuildError> {
        let mut rustc = Command::new(tool("RUSTC", "rustc"));
        rustc.args(["--print", "target-libdir", "--target", self.target]);
        let mut folder = String::new();
        run(rustc, "rustc", RUST, |line| line.clone_into(&mut folder), events).await?;
        if Path::new(folder.trim()).is_dir() {
            return Ok(());
        }
        let install = format!("rustup target add {}", self.target);
        events.started(format!("adding a Rust target: {install}"));
        let mut rustup = Command::new("rustup");
        rustup.args(["target", "add", self.target]);
        let hint = format!(
            "curl https://sh.rustup.rs -sSf | sh, or with your distribution's package of Rust's standard library for {}",
            self.target
        );
        run(rustup, "rustup", &hint, |_| (), events).await?;
        events.finished(format!("added the Rust target {}", self.target));
        Ok(())
    }

    /// The variable that names another C compiler.
    fn compiler_variable(&self) -> String {
        format!("CC_{}", self.target.replace('-', "_"))
    }

    /// The C compiler for the one dependency that has C and assembly in it (ring). Any for the right processor
    /// does: it needs no C library.
    fn compiler(&self) -> Result<&'static str, BuildError> {
        let native = self.architecture == Architecture::host() && cfg!(target_os = "linux");
        let compiler = if native { "gcc" } else { self.cross_compiler };
        if on_path(compiler) {
            return Ok(compiler);
        }
        let package = if native { "gcc" } else { self.package };
        Err(BuildError::ToolMissing {
            tool: compiler.to_owned(),
            what: format!("AWS Lambda on {}", self.architecture),
            install: format!(
                "apt-get install {package} (Debian, Ubuntu), or set {} to a C compiler for it",
                self.compiler_variable()
            ),
        })
    }
}

fn on_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}

fn tool(variable: &str, name: &str) -> std::ffi::OsString {
    std::env::var_os(variable).filter(|path| !path.is_empty()).unwrap_or_else(|| name.into())
}

/// Runs a tool to its end. What it says on stderr is progress; the end of it is the message when it fails.
async fn run(
    mut command: Command,
    name: &str,
    install: &str,
    mut on_line: impl FnMut(&str),
    events: &Events,
) -> Result<(), BuildError> {
    let text = format!("{:?}", command.as_std()).replace('"', "");
    events.detail(text.clone());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |output: String| BuildError::Tool { command: text.clone(), output };
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BuildError::ToolMissing {
            tool: name.to_owned(),
            what: "this".to_owned(),
            install: install.to_owned(),
        },
        _ => failed(error.to_string()),
    })?;
    let mut said = Vec::new();
    let stdout = lines(child.stdout.take(), &mut on_line);
    let on_progress = |line: &str| {
        let line = line.trim();
        match line.strip_prefix("Blocking waiting for ") {
            Some(lock) => events.note(format!("another cargo is at work: waiting for {lock}")),
            None => events.progress(line),
        }
        said.push(line.to_owned());
    };
    let stderr = lines(child.stderr.take(), on_progress);
    tokio::join!(stdout, stderr);
    let status = child.wait().await.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let noise = |line: &&String| {
        ["Compiling ", "Blocking ", "Downloaded ", "Fresh "].iter().any(|w| line.trim_start().starts_with(w))
    };
    let mut end: Vec<&String> = said.iter().filter(|line| !noise(line)).rev().take(40).collect();
    end.reverse();
    Err(failed(end.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n")))
}

async fn lines(stream: Option<impl AsyncRead + Unpin>, mut on_line: impl FnMut(&str)) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream).lines();
    // A line that is not UTF-8 ends the reading, not the build: its status decides.
    while let Ok(Some(line)) = lines.next_line().await {
        on_line(&line);
    }
}
