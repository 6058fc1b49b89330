//! The program, its endpoint and the tools beside it, as commands with their exact output.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::schema;

/// The region of every test.
pub const REGION: &str = "us-east-1";

/// Where cargo puts the program and the Lambdas: two folders above this test's own executable.
pub fn built(name: &str) -> PathBuf {
    let me = std::env::current_exe().expect("a test knows its executable");
    let path = me.ancestors().nth(2).expect("target/release/deps/whole").join(name);
    assert!(
        path.exists(),
        "{} is missing: run tests/run, or `cargo build --profile {} -p deployer -p functions` first",
        path.display(),
        profile()
    );
    path
}

/// The profile this test was built with.
fn profile() -> String {
    let me = std::env::current_exe().expect("a test knows its executable");
    let folder = me.ancestors().nth(2).and_then(Path::file_name).expect("target/release/deps/whole");
    folder.to_string_lossy().replace("debug", "dev")
}

/// A tool that `tests/run` installs.
pub fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin").join(name);
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

/// An emulator that `tests/run` installs.
pub fn emulator(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/emulators/bin").join(name);
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

/// A command that cannot reach an account, whatever the machine's own settings are.
pub fn isolated(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") || name.to_string_lossy().starts_with("DEPLOYER_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("NO_COLOR", "1")
        // Many tests share the machine, and few of them are about figures.
        .env("DEPLOYER_DISTURBED", "ignore")
        .stdin(Stdio::null());
    command
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    line: String,
}

impl Said {
    /// Runs a command to its end.
    pub fn by(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        let output = command.output().unwrap_or_else(|e| panic!("{line}: {e}"));
        Self::from_output(line, output)
    }

    fn from_output(line: String, Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { stdout: text(stdout), stderr: text(stderr), status: status.code(), line }.by_the_schemas()
    }

    /// What it wrote as JSON is what `deployer schema` says. A process that a signal ended may not have ended its last line.
    fn by_the_schemas(self) -> Self {
        if self.status.is_some() && self.line.contains(r#""--json""#) {
            for line in self.stderr.lines() {
                schema::check("event", line, &self.line);
            }
            if self.line.contains(r#""tune""#) && !self.stdout.is_empty() {
                schema::check("result", &self.stdout, &self.line);
            }
        }
        self
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn status(self, expected: i32) -> Self {
        assert_eq!(self.status, Some(expected), "{}\n{}\n{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Asserts that it went well.
    #[track_caller]
    pub fn success(self) -> Self {
        self.status(0)
    }

    /// Asserts that standard error holds each text.
    #[track_caller]
    pub fn complains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "no {text:?} in the error output of {}:\n{}",
                self.line,
                self.stderr
            );
        }
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{}: not JSON ({e}):\n{}\n{}", self.line, self.stdout, self.stderr))
    }
}

/// The program with arguments, without an endpoint.
pub fn deployer(arguments: &[&str]) -> Command {
    let mut command = isolated(built("deployer"));
    command.args(arguments);
    command
}

/// `up` for functions that this machine can run.
pub const UP: [&str; 4] = ["up", "--yes", "--architecture", std::env::consts::ARCH];

/// Sends a process a signal.
pub fn send(signal: &str, process: u32) {
    let sent = Command::new("kill").arg(format!("-{signal}")).arg(process.to_string()).status().unwrap();
    assert!(sent.success(), "cannot send {signal} to {process}");
}

/// A program at work, whose error output is read as it comes.
pub struct Running {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    heard: Vec<String>,
    line: String,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, heard: Vec::new(), line: format!("{command:?}") }
    }

    /// Waits until it says something with this text on its error output.
    pub fn hear(&mut self, text: &str) {
        let patience = std::time::Duration::from_secs(120);
        while let Ok(line) = self.lines.recv_timeout(patience) {
            self.heard.push(line);
            if self.heard.last().is_some_and(|line| line.contains(text)) {
                return;
            }
        }
        panic!("it never said {text:?}, but:\n{}", self.heard.join("\n"));
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        send(signal, self.child.id());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Said {
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().expect("piped");
        std::io::Read::read_to_string(&mut out, &mut stdout).expect("output is UTF-8");
        let status = self.child.wait().expect("it ends").code();
        self.heard.extend(self.lines.iter());
        let line = std::mem::take(&mut self.line);
        Said { stdout, stderr: self.heard.join("\n"), status, line }.by_the_schemas()
    }
}

/// A test that fails leaves no program behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `deployer up --local` on `FOLDER/state`.
pub fn up_local(folder: &Path, flags: &[&str]) -> Said {
    let state = folder.join("state");
    let mut command = deployer(&["up", "--local", "--yes", "--state"]);
    Said::by(command.arg(state).args(flags).current_dir(folder))
}

/// Starts `deployer local` and reads its address from the first line.
pub fn serve(state: &Path) -> (Child, String) {
    serve_with(state, &[])
}

/// The same with flags of `deployer local`.
pub fn serve_with(state: &Path, flags: &[&str]) -> (Child, String) {
    let mut child = deployer(&["local", "--port", "0", "--state"])
        .arg(state)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the first line");
    if line.trim().is_empty() {
        let output = child.wait_with_output().expect("it ended");
        panic!("`deployer local` printed no address: {}", String::from_utf8_lossy(&output.stderr));
    }
    let stderr = child.stderr.take().expect("piped");
    std::thread::spawn(move || BufReader::new(stderr).lines().for_each(drop));
    (child, line.trim().to_owned())
}

/// An executable as a deployment package.
pub fn executable_zip(path: &Path) -> Vec<u8> {
    zip_of("bootstrap", &std::fs::read(path).unwrap())
}

/// A zip with one file that may be executed.
pub fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file(name, options).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}
