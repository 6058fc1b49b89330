//! A local AWS with functions in it, without the HTTP front.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_aws::lambda::{Behaviour, Invocation, InvocationType, Mechanism};
use local_aws::{ApiError, Aws, Caller, Service, Settings};
use serde_json::{Value, json};

pub const ROLE: &str = "arn:aws:iam::000000000000:role/function";
pub const ACCOUNT_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function";

/// All services over a state folder of their own.
pub struct Local {
    pub aws: Arc<Aws>,
    folder: tempfile::TempDir,
}

/// What came of an invocation.
#[derive(Debug)]
pub struct Run {
    pub result: Value,
    pub function_error: Option<String>,
    pub log: String,
    pub version: String,
}

impl Run {
    /// A figure of the REPORT line, such as `Duration`.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let report = self.log.lines().find(|l| l.starts_with("REPORT"))?;
        let field = report.split('\t').find_map(|f| f.strip_prefix(name)?.strip_prefix(": "))?;
        field.split(' ').next()?.parse().ok()
    }

    pub fn duration(&self) -> f64 {
        self.figure("Duration").unwrap_or_else(|| panic!("no REPORT line in {:?}", self.log))
    }

    pub fn cold(&self) -> bool {
        self.figure("Init Duration").is_some()
    }
}

impl Local {
    pub async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), Self::quick(), None).await
    }

    pub async fn with(behaviour: Behaviour) -> Self {
        Self::open(tempfile::tempdir().unwrap(), behaviour, None).await
    }

    /// One for each mechanism of CPU shares that this machine has; the duty cycle every machine has.
    pub async fn each() -> Vec<Self> {
        let mut locals = Vec::new();
        for mechanism in [Mechanism::CgroupV2, Mechanism::CgroupV1, Mechanism::DutyCycle] {
            let folder = tempfile::tempdir().unwrap();
            let local = Self::open(folder, Self::quick(), Some(mechanism)).await;
            if local.aws.lambda.mechanism() == mechanism {
                locals.push(local);
            }
        }
        locals
    }

    /// Whether the kernel limits memory.
    pub fn kernel_limits_memory(&self) -> bool {
        self.aws.lambda.cpu_share().memory.starts_with("limited by cgroup")
    }

    pub fn quick() -> Behaviour {
        Behaviour {
            settle: Duration::from_millis(10),
            retry_pauses: [Duration::from_millis(10); 2],
            stop: Duration::from_secs(5),
            ..Behaviour::default()
        }
    }

    async fn open(folder: tempfile::TempDir, behaviour: Behaviour, mechanism: Option<Mechanism>) -> Self {
        let settings = Settings {
            account: local_aws::ACCOUNT.to_owned(),
            state: folder.path().to_owned(),
            region: "us-east-1".to_owned(),
            url: "http://127.0.0.1:9".to_owned(),
            cpu_share: mechanism,
        };
        // A process that another test is starting holds every lock of this one until it runs its own program.
        let mut opened = Aws::open(settings.clone());
        for _ in 0..200 {
            if !matches!(opened, Err(local_aws::store::StoreError::InUse(_))) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            opened = Aws::open(settings.clone());
        }
        let aws = opened.unwrap();
        aws.lambda.behave(behaviour);
        aws.start().await;
        let local = Self { aws, folder };
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        let role = json!({"RoleName": "function", "AssumeRolePolicyDocument": trust.to_string()});
        match local.aws.call(&Caller::Owner, Service::Iam, "CreateRole", role).await {
            Err(e) if e.code != "EntityAlreadyExists" => panic!("{e}"),
            _ => {}
        }
        local
    }

    /// Ends this process's work on the state folder and begins anew.
    pub async fn reopen(self) -> Self {
        let Self { aws, folder } = self;
        let (behaviour, mechanism) = (aws.lambda.behaviour(), aws.settings.cpu_share);
        aws.stop().await;
        drop(aws);
        Self::open(folder, behaviour, mechanism).await
    }

    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub async fn iam(&self, operation: &str, input: Value) -> Value {
        self.aws.call(&Caller::Owner, Service::Iam, operation, input).await.unwrap()
    }

    /// Gives the functions' role a policy.
    pub async fn grant(&self, actions: &[&str], resource: &str) {
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": resource}]});
        let input = json!({"RoleName": "function", "PolicyName": "p", "PolicyDocument": policy.to_string()});
        self.iam("PutRolePolicy", input).await;
    }

    pub async fn as_caller(&self, caller: &Caller, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.aws.call(caller, Service::Lambda, operation, input).await
    }

    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        self.as_caller(&Caller::Owner, operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    pub async fn refused(&self, operation: &str, input: Value) -> ApiError {
        match self.as_caller(&Caller::Owner, operation, input).await {
            Err(error) => error,
            Ok(answer) => panic!("{operation} succeeded: {answer}"),
        }
    }

    /// Creates a function out of the test function and waits until it is there; `settings` are further members.
    pub async fn function(&self, name: &str, settings: Value) {
        let mut input = json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE,
            "Timeout": 10, "MemorySize": 1024, "Code": {"ZipFile": package()},
            "Architectures": [ARCH.replace("aarch64", "arm64")],
            // What is not about CPU shares need not wait for a core while tests run side by side.
            "Tags": {"deployer:apparatus": "true"},
        });
        if let (Value::Object(input), Value::Object(settings)) = (&mut input, settings) {
            input.extend(settings);
        }
        self.ok("CreateFunction", input).await;
        self.settled(name).await;
    }

    /// Changes a function's configuration and waits until that is done.
    pub async fn configure(&self, name: &str, mut settings: Value) {
        settings["FunctionName"] = json!(name);
        self.ok("UpdateFunctionConfiguration", settings).await;
        self.settled(name).await;
    }

    pub async fn publish(&self, name: &str) -> String {
        let version = self.ok("PublishVersion", json!({"FunctionName": name})).await;
        let version = version["Version"].as_str().unwrap().to_owned();
        self.settled(&format!("{name}:{version}")).await;
        version
    }

    pub async fn settled(&self, name: &str) {
        for _ in 0..500 {
            let shown = self.ok("GetFunctionConfiguration", json!({"FunctionName": name})).await;
            if shown["State"] == "Active" && shown["LastUpdateStatus"] == "Successful" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{name} did not settle");
    }

    pub async fn try_invoke(&self, function: &str, event: Value) -> Result<Run, ApiError> {
        let invocation = Invocation {
            function: function.to_owned(),
            payload: event.to_string().into(),
            log_tail: true,
            ..Invocation::default()
        };
        let invoked = self.aws.lambda.invoke(&self.aws, &Caller::Owner, invocation).await?;
        assert_eq!(invoked.status, 200);
        let log = STANDARD.decode(invoked.log_result.unwrap()).unwrap();
        Ok(Run {
            result: serde_json::from_slice(&invoked.payload).unwrap_or(Value::Null),
            function_error: invoked.function_error,
            log: String::from_utf8_lossy(&log).into_owned(),
            version: invoked.executed_version,
        })
    }

    pub async fn invoke(&self, function: &str, event: Value) -> Run {
        self.try_invoke(function, event).await.unwrap_or_else(|e| panic!("{function}: {e}"))
    }

    pub async fn send(&self, function: &str, event: Value) -> u16 {
        let invocation = Invocation {
            function: function.to_owned(),
            payload: event.to_string().into(),
            invocation_type: InvocationType::Event,
            ..Invocation::default()
        };
        self.aws.lambda.invoke(&self.aws, &Caller::Owner, invocation).await.unwrap().status
    }
}

/// The test function as a deployment package, in base64.
pub fn package() -> &'static str {
    static PACKAGE: OnceLock<String> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let program = std::fs::read(env!("CARGO_BIN_EXE_test-function")).unwrap();
        package_of(&[("bootstrap", &program, 0o755)])
    })
}

/// A deployment package of files with their modes, in base64.
pub fn package_of(files: &[(&str, &[u8], u32)]) -> String {
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content, mode) in files {
        zip.start_file(*name, stored.unix_permissions(*mode)).unwrap();
        zip.write_all(content).unwrap();
    }
    STANDARD.encode(zip.finish().unwrap().into_inner())
}

/// Environment variables as CreateFunction takes them.
pub fn variables(pairs: &[(&str, &str)]) -> Value {
    json!({"Variables": pairs.iter().copied().collect::<BTreeMap<_, _>>()})
}

/// Whether a process is there and not only waiting to be reaped.
pub fn runs(pid: &Value) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// The control groups of ours that a process is in, as folders.
pub fn groups_of(pid: &Value) -> Vec<PathBuf> {
    let lines = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let folder = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        let root = PathBuf::from("/sys/fs/cgroup");
        let places = [root.join(controllers).join(path), root.join("unified").join(path)];
        path.contains("deployer-local-").then(|| places.into_iter().find(|p| p.exists()).unwrap())
    };
    lines.lines().filter_map(folder).collect()
}

/// Waits until something holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still not: {what}");
}
