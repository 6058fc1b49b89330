//! What the tests speak: a `World` with an endpoint and a deployed stack of its own, the program as a command with
//! its exact output, and the function under test as it was before and after.
//!
//! Everything runs on 127.0.0.1 with dummy credentials and ends with the test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use serde_json::{Value, json};

/// The region of every test.
pub const REGION: &str = "us-east-1";

/// Where cargo puts the program and the Lambdas: two folders above this test's own executable.
pub fn built(name: &str) -> PathBuf {
    let me = std::env::current_exe().expect("a test knows its executable");
    let path = me.ancestors().nth(2).expect("target/release/deps/whole").join(name);
    assert!(
        path.exists(),
        "{} is missing: run tests/run, or `cargo build --release -p deployer -p functions` first",
        path.display()
    );
    path
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
        Self { stdout: text(stdout), stderr: text(stderr), status: status.code(), line }
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

/// A machine of one's own: a state folder with the stack deployed, an endpoint on a free port, and clients for it.
pub struct World {
    folder: tempfile::TempDir,
    endpoint: Option<Child>,
    /// The endpoint's address.
    pub url: String,
    /// Lambda, as the owner.
    pub lambda: aws_sdk_lambda::Client,
    /// Step Functions, as the owner.
    pub states: aws_sdk_sfn::Client,
    /// CloudFormation, as the owner.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// S3, as the owner.
    pub s3: aws_sdk_s3::Client,
}

impl World {
    /// With the stack at its defaults, except for the power values 128, 512 and 3008.
    pub async fn new() -> Self {
        static DEPLOYED: OnceLock<tempfile::TempDir> = OnceLock::new();
        let deployed = DEPLOYED.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            up_local(folder.path(), &["--power-values", "128,512,3008"]).success();
            folder
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy(&deployed.path().join("state"), &folder.path().join("state"));
        Self::on(folder).await
    }

    /// With the stack deployed with these flags of `up`.
    pub async fn with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        up_local(folder.path(), flags).success();
        Self::on(folder).await
    }

    /// With nothing deployed.
    pub async fn empty() -> Self {
        Self::on(tempfile::tempdir().expect("a temporary folder")).await
    }

    async fn on(folder: tempfile::TempDir) -> Self {
        let (endpoint, url) = serve(&folder.path().join("state"));
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(REGION)
            .endpoint_url(&url)
            .credentials_provider(aws_credential_types::Credentials::new("test", "test", None, None, "tests"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        let world = Self {
            folder,
            endpoint: Some(endpoint),
            url,
            lambda: aws_sdk_lambda::Client::new(&config),
            states: aws_sdk_sfn::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build(),
            ),
        };
        world.role().await;
        world
    }

    /// The role of the sample functions, which may do nothing.
    async fn role(&self) {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }]});
        let properties = json!({ "RoleName": "sample", "AssumeRolePolicyDocument": trust });
        let template =
            json!({ "Resources": { "role": { "Type": "AWS::IAM::Role", "Properties": properties } } });
        assert_eq!(self.deploy("samples", &template).await, "CREATE_COMPLETE");
    }

    /// Creates a stack of the test's own and waits for its end; gives the state it is in then.
    pub async fn deploy(&self, name: &str, template: &Value) -> String {
        let create = self.cloudformation.create_stack().stack_name(name).template_body(template.to_string());
        create
            .capabilities(aws_sdk_cloudformation::types::Capability::CapabilityNamedIam)
            .send()
            .await
            .unwrap();
        self.at_rest(name).await
    }

    /// The state of a stack, once it is at rest; `gone` when there is none.
    pub async fn at_rest(&self, name: &str) -> String {
        for _ in 0..2400 {
            match self.status(name).await.as_str() {
                busy if busy.ends_with("_IN_PROGRESS") && busy != "REVIEW_IN_PROGRESS" => {
                    tokio::time::sleep(std::time::Duration::from_millis(25)).await;
                }
                other => return other.to_owned(),
            }
        }
        panic!("the stack {name} is not at rest after a minute");
    }

    /// The state of a stack; `gone` when there is none.
    pub async fn status(&self, name: &str) -> String {
        match self.cloudformation.describe_stacks().stack_name(name).send().await {
            Ok(found) => found.stacks()[0].stack_status().unwrap().as_str().to_owned(),
            Err(_) => "gone".to_owned(),
        }
    }

    /// Makes roles that may do everything but some actions, and a profile of the same name for each in this world's
    /// AWS configuration: what [`as_profile`](Self::as_profile) takes.
    pub async fn roles(&self, roles: &[(&str, &[&str])]) {
        let mut resources = serde_json::Map::new();
        let mut profiles =
            "[profile owner]\naws_access_key_id = test\naws_secret_access_key = test\n".to_owned();
        for (index, (name, missing)) in roles.iter().enumerate() {
            let trust = json!({ "Statement": [{
                "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::000000000000:root" }, "Action": "sts:AssumeRole",
            }]});
            let policy =
                json!({ "Statement": [{ "Effect": "Allow", "NotAction": missing, "Resource": "*" }] });
            let properties = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust,
                "Policies": [{ "PolicyName": "most", "PolicyDocument": policy }] });
            resources.insert(
                format!("role{index}"),
                json!({ "Type": "AWS::IAM::Role", "Properties": properties }),
            );
            profiles += &format!(
                "[profile {name}]\nrole_arn = arn:aws:iam::000000000000:role/{name}\nsource_profile = owner\nregion = {REGION}\n"
            );
        }
        std::fs::write(self.folder().join("aws-config"), profiles).unwrap();
        assert_eq!(self.deploy("roles", &json!({ "Resources": resources })).await, "CREATE_COMPLETE");
    }

    /// The program with a profile of [`roles`](Self::roles). The keys in its environment would be the owner's.
    pub fn as_profile(&self, profile: &str, arguments: &[&str]) -> Said {
        let mut command = self.released(arguments);
        Said::by(
            command.env("AWS_CONFIG_FILE", self.folder().join("aws-config")).args(["--profile", profile]),
        )
    }

    /// The program as it is in a release, with this machine's functions beside it, pointed at this world's endpoint.
    pub fn released(&self, arguments: &[&str]) -> Command {
        let mut command = isolated(release().join("deployer"));
        command.args(arguments).env("AWS_ENDPOINT_URL", &self.url).current_dir(self.folder.path());
        command
    }

    /// Runs the program as it is in a release.
    pub fn as_released(&self, arguments: &[&str]) -> Said {
        Said::by(&mut self.released(arguments))
    }

    /// `deployer up --yes` through this world's endpoint.
    pub fn up(&self, flags: &[&str]) -> Said {
        Said::by(self.released(&UP).args(flags))
    }

    /// Sends the endpoint's process a signal, `STOP` or `CONT` for example.
    pub fn signal(&self, signal: &str) {
        send(signal, self.endpoint.as_ref().expect("it runs").id());
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program, pointed at this world's endpoint.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = deployer(arguments);
        command.env("AWS_ENDPOINT_URL", &self.url).current_dir(self.folder.path());
        command
    }

    /// Runs an execution input as it is, past all checks of `tune`, and hands back how the execution ended.
    pub async fn execute(&self, input: &Value) -> Ended {
        let machines = self.states.list_state_machines().send().await.unwrap();
        let machine = machines.state_machines()[0].state_machine_arn().to_owned();
        let started = self
            .states
            .start_execution()
            .state_machine_arn(machine)
            .input(input.to_string())
            .send()
            .await
            .unwrap();
        self.ended(started.execution_arn()).await
    }

    /// How an execution ended, once it has.
    pub async fn ended(&self, arn: &str) -> Ended {
        for _ in 0..1200 {
            let over = self.states.describe_execution().execution_arn(arn).send().await.unwrap();
            if over.status().as_str() != "RUNNING" {
                return Ended {
                    arn: arn.to_owned(),
                    status: over.status().as_str().to_owned(),
                    output: over.output().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default(),
                    cause: over.cause().unwrap_or_default().to_owned(),
                };
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{arn} is still running after two minutes");
    }

    /// Runs the program against this world's endpoint.
    pub fn deployer(&self, arguments: &[&str]) -> Said {
        Said::by(&mut self.command(arguments))
    }

    /// The AWS command line, pointed at this world's endpoint.
    pub fn aws(&self, arguments: &[&str]) -> Said {
        let mut command = isolated(tool("aws"));
        Said::by(command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_PAGER", "").args(arguments))
    }

    /// Creates a sample function with 256 MB, a description and a time-out of 30 s.
    pub async fn sample(&self, name: &str, handler: &str) -> Function<'_> {
        self.sample_with(name, handler, &[]).await
    }

    /// The same with environment variables.
    pub async fn sample_with(&self, name: &str, handler: &str, variables: &[(&str, &str)]) -> Function<'_> {
        let role = "arn:aws:iam::000000000000:role/sample";
        let environment = aws_sdk_lambda::types::Environment::builder()
            .set_variables(Some(variables.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()))
            .build();
        self.lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler(handler)
            .role(role)
            .memory_size(256)
            .timeout(30)
            .description(format!("the {name} sample"))
            .environment(environment)
            .code(FunctionCode::builder().zip_file(Blob::new(samples_zip())).build())
            .send()
            .await
            .unwrap_or_else(|e| panic!("cannot create {name}: {e:?}"));
        let function = Function { world: self, name: name.to_owned() };
        function.settled().await;
        function
    }

    /// The ARN of a function by name.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{REGION}:000000000000:function:{name}")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut endpoint) = self.endpoint.take() {
            let _ = endpoint.kill();
            let _ = endpoint.wait();
        }
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

/// A folder like a release's: the program, and beside it the functions built for this machine.
pub fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release");
        Said::by(deployer(&["build", "functions", "--out"]).arg(&folder)).success();
        let program = folder.join("deployer");
        let _ = std::fs::remove_file(&program);
        // Not copied: what this process writes, no other thread's child could be made to run meanwhile.
        std::fs::hard_link(built("deployer"), &program).unwrap();
        folder
    })
}

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
        Self { child, lines, heard: Vec::new() }
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
        Said { stdout, stderr: self.heard.join("\n"), status, line: "the program".to_owned() }
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
    let mut child = deployer(&["local", "--port", "0", "--state"])
        .arg(state)
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

/// How an execution ended.
#[derive(Debug)]
pub struct Ended {
    /// Its ARN.
    pub arn: String,
    /// `SUCCEEDED`, `FAILED`, `ABORTED` or `TIMED_OUT`.
    pub status: String,
    /// Its output, when it succeeded.
    pub output: Value,
    /// Its error's cause, when it failed.
    pub cause: String,
}

/// A function under test.
pub struct Function<'w> {
    world: &'w World,
    /// Its name.
    pub name: String,
}

/// What a run must leave as it was.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    configuration: BTreeMap<String, String>,
    aliases: BTreeMap<String, (String, String)>,
    versions: BTreeMap<String, String>,
}

impl Function<'_> {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.world.arn(&self.name)
    }

    /// Waits until its last change is done.
    pub async fn settled(&self) {
        for _ in 0..200 {
            let c = self
                .world
                .lambda
                .get_function_configuration()
                .function_name(&self.name)
                .send()
                .await
                .unwrap();
            let pending = c.state().is_some_and(|s| s.as_str() == "Pending");
            if !pending && c.last_update_status().is_none_or(|s| s.as_str() != "InProgress") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("{} is not settled after 5 s", self.name);
    }

    /// Its memory size in MB.
    pub async fn memory(&self) -> i32 {
        let c =
            self.world.lambda.get_function_configuration().function_name(&self.name).send().await.unwrap();
        c.memory_size().unwrap()
    }

    /// Everything a run might change.
    pub async fn snapshot(&self) -> Snapshot {
        self.settled().await;
        let lambda = &self.world.lambda;
        let c = lambda.get_function_configuration().function_name(&self.name).send().await.unwrap();
        let configuration = [
            ("memory", format!("{:?}", c.memory_size())),
            ("description", format!("{:?}", c.description())),
            ("timeout", format!("{:?}", c.timeout())),
            ("handler", format!("{:?}", c.handler())),
            ("code", format!("{:?}", c.code_sha256())),
            ("environment", sorted(c.environment().and_then(|e| e.variables()))),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let mut aliases = lambda.list_aliases().function_name(&self.name).into_paginator().items().send();
        let mut found = BTreeMap::new();
        while let Some(alias) = aliases.next().await {
            let alias = alias.unwrap();
            found.insert(
                alias.name().unwrap().to_owned(),
                (alias.function_version().unwrap().to_owned(), alias.description().unwrap_or("").to_owned()),
            );
        }
        let mut versions =
            lambda.list_versions_by_function().function_name(&self.name).into_paginator().items().send();
        let mut numbers = BTreeMap::new();
        while let Some(version) = versions.next().await {
            let version = version.unwrap();
            if version.version() != Some("$LATEST") {
                let what = format!("{:?} {:?}", version.memory_size(), version.description());
                numbers.insert(version.version().unwrap().to_owned(), what);
            }
        }
        Snapshot { configuration, aliases: found, versions: numbers }
    }

    /// Tunes it with `deployer tune NAME --json …`.
    pub fn tune(&self, flags: &[&str]) -> Said {
        let mut arguments = vec!["tune", &self.name, "--json"];
        arguments.extend(flags);
        self.world.deployer(&arguments)
    }
}

fn sorted(variables: Option<&std::collections::HashMap<String, String>>) -> String {
    format!("{:?}", variables.map(|v| v.iter().collect::<BTreeMap<_, _>>()))
}

/// The samples as a deployment package.
pub fn samples_zip() -> Vec<u8> {
    executable_zip(&built("samples"))
}

/// An executable as a deployment package.
pub fn executable_zip(path: &Path) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("bootstrap", options).unwrap();
    zip.write_all(&std::fs::read(path).unwrap()).unwrap();
    zip.finish().unwrap().into_inner()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
