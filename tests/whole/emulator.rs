//! An emulator of AWS that somebody else wrote, on a free port of this machine.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::answering::{self, Known};
use crate::harness::{Said, UP, emulator, isolated, release, tool};

/// An emulator on a free port, with a folder of its own for all it writes.
pub struct Emulator {
    /// What it writes, and where commands pointed at it run.
    pub folder: tempfile::TempDir,
    process: Child,
    url: String,
}

impl Emulator {
    fn start(program: &str, arguments: &dyn Fn(u16) -> Vec<String>, known: Vec<Known>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let url =
            if known.is_empty() { format!("http://{address}") } else { answering::before(address, known) };
        let inside = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let process = isolated(emulator(program))
            .args(arguments(port))
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("AWS_ENDPOINT_URL", &url)
            .env("SFTP_ENABLED", "0")
            .env("IOT_MTLS_ENABLED", "0")
            .env("STATE_DIR", inside("state"))
            .env("S3_DATA_DIR", inside("s3"))
            .env("TMPDIR", inside("tmp"))
            .current_dir(folder.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut emulator = Self { folder, process, url };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return emulator;
            }
            let ended = emulator.process.try_wait().unwrap();
            assert!(ended.is_none(), "{program} ended: {}", emulator.log());
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{program} does not listen after a minute: {}", emulator.log());
    }

    /// MiniStack.
    pub fn ministack() -> Self {
        Self::start("ministack", &|_| Vec::new(), Vec::new())
    }

    /// MiniStack with what copies need besides: it has no runtime management, so its functions are those that nobody has pinned to a
    /// version of their runtime.
    pub fn ministack_for_copies() -> Self {
        let unpinned = Known {
            method: "GET",
            path_end: "/runtime-management-config",
            answer: json!({ "UpdateRuntimeOn": "Auto", "RuntimeVersionArn": null }),
        };
        Self::start("ministack", &|_| Vec::new(), vec![unpinned])
    }

    /// moto.
    pub fn moto() -> Self {
        let here = |port: u16| vec!["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string()];
        Self::start("moto_server", &here, Vec::new())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A program that takes it for AWS.
    pub fn pointed(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = isolated(program);
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_PAGER", "").args(arguments);
        command.current_dir(self.folder.path());
        command
    }

    /// Runs the released program against it.
    pub fn deployer(&self, arguments: &[&str]) -> Said {
        Said::by(&mut self.pointed(release().join("deployer"), arguments))
    }

    /// Deploys the stack to it.
    pub fn up(&self, flags: &[&str]) -> Said {
        self.deployer(&[&UP[..], flags].concat())
    }

    /// The AWS command line, pointed at it.
    pub fn aws(&self, arguments: &[&str]) -> Said {
        Said::by(&mut self.pointed(tool("aws"), arguments))
    }

    /// Everything that is there, by boto3.
    pub fn left(&self) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole/left.py");
        Said::by(self.pointed(tool("python"), &[]).arg(script)).success().json()
    }

    /// A function in Python that waits so long and says in its log what Lambda would report of it.
    pub fn python_sample(&self, name: &str, milliseconds: u32) {
        let mut zip =
            zip::ZipWriter::new(std::fs::File::create(self.folder.path().join("sample.zip")).unwrap());
        zip.start_file("sample.py", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, include_bytes!("sample.py")).unwrap();
        zip.finish().unwrap();
        let role = "arn:aws:iam::000000000000:role/sample";
        let create =
            ["lambda", "create-function", "--function-name", name, "--runtime", "python3.12", "--role", role];
        let code =
            ["--handler", "sample.handler", "--zip-file", "fileb://sample.zip", "--memory-size", "256"];
        let environment = format!("Variables={{MILLISECONDS={milliseconds}}}");
        self.aws(&[&create[..], &code, &["--environment", &environment]].concat()).success();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Asked first, so that it ends the functions it has started.
        let _ = Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status();
        for _ in 0..50 {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
