//! A stack on an endpoint in this very process, so that a plan of faults can be given to it, and a function on it with
//! everything a run might disturb. Many of these work side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_aws::lambda::{APPARATUS, Behaviour, Invocation};
use local_aws::s3::PutObject;
use local_aws::{ApiError, Aws, Caller, Endpoint, Options, Service};
use serde_json::{Value, json};

use crate::harness::{REGION, deployed, fork, samples_zip, zip_of};
use crate::in_process::{self, Stage};

/// The tuned function's name.
pub const FUNCTION: &str = "tuned";
/// The role of functions, which may do nothing.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/sample";

/// How the stack is deployed where nothing else is said.
const STACK: [&str; 2] = ["--power-values", "128,512"];

/// The endpoint, the stack and the function.
pub struct Bench {
    endpoint: Option<Endpoint>,
    folder: tempfile::TempDir,
    stage: Arc<Stage>,
    /// The package of functions, in base64.
    pub code: String,
    machine: String,
    /// The names of the stack's functions.
    functions: Vec<String>,
    rule: String,
}

/// What a Lambda answered, or its error: type and message.
pub type Handled = Result<Value, Refused>;

/// An error that a Lambda raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    pub kind: String,
    pub message: String,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct Over {
    /// Its ARN.
    pub arn: String,
    /// `SUCCEEDED`, `FAILED`, `ABORTED` or `TIMED_OUT`.
    pub status: String,
    /// Its output, when it succeeded.
    pub output: Value,
    /// Error and cause, when it failed.
    pub cause: String,
}

/// A folder in memory where the system has such a thing: hundreds of runs write a lot.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

impl Bench {
    /// With the function as [`Bench::renew`] makes it. The functions run as processes, as the program has them.
    pub async fn new() -> Self {
        Self::open(&STACK, false).await
    }

    /// The same, with the stack deployed with other flags of `up`.
    pub async fn processes_with(flags: &[&str]) -> Self {
        Self::open(flags, false).await
    }

    /// The same, but the functions run in this process.
    pub async fn in_process() -> Self {
        Self::open(&STACK, true).await
    }

    /// The same, with the stack deployed with other flags of `up`.
    pub async fn in_process_with(flags: &[&str]) -> Self {
        Self::open(flags, true).await
    }

    async fn open(flags: &[&str], in_process: bool) -> Self {
        let folder = folder();
        let state = folder.path().join("state");
        fork(&deployed(flags), &state);
        let options = Options { port: 0, state, region: REGION.to_owned(), cpu_share: None };
        let endpoint = Endpoint::start(options).await.expect("the endpoint starts");
        let mut bench = Self {
            endpoint: Some(endpoint),
            folder,
            stage: Arc::default(),
            // Where no process runs it, it need not be unpacked for each machine either.
            code: STANDARD.encode(if in_process {
                zip_of("bootstrap", b"#!/bin/false\n")
            } else {
                samples_zip()
            }),
            machine: String::new(),
            functions: Vec::new(),
            rule: String::new(),
        };
        if in_process {
            in_process::host(bench.aws(), &bench.stage);
        }
        // Nothing has to be polled for, so that runs make the same calls each time. Idle processes cost memory, but a run of five lanes on
        // four copies needs twenty environments: with fewer it would meet cold starts again and again.
        bench.behave(|behaviour| Behaviour {
            settle: Duration::ZERO,
            retry_pauses: [Duration::from_millis(50); 2],
            idle_limit: if in_process { behaviour.idle_limit } else { 16 },
            ..behaviour
        });
        let machines = bench.ok(Service::States, "ListStateMachines", json!({})).await;
        let machines = machines["stateMachines"].as_array().unwrap();
        let mut machines = machines.iter().map(|machine| machine["stateMachineArn"].as_str().unwrap());
        bench.machine = machines.find(|arn| !arn.contains("-fleet-")).unwrap().to_owned();
        let functions = bench.ok(Service::Lambda, "ListFunctions", json!({})).await;
        let functions = functions["Functions"].as_array().unwrap();
        bench.functions = functions.iter().map(|f| f["FunctionName"].as_str().unwrap().to_owned()).collect();
        let rules = bench.ok(Service::Events, "ListRules", json!({})).await;
        bench.rule = rules["Rules"][0]["Name"].as_str().unwrap().to_owned();
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        let role = json!({"RoleName": "sample", "AssumeRolePolicyDocument": trust.to_string()});
        bench.ok(Service::Iam, "CreateRole", role).await;
        bench.renew().await;
        bench
    }

    /// The services.
    pub fn aws(&self) -> &Arc<Aws> {
        self.endpoint.as_ref().expect("it runs").aws()
    }

    /// The endpoint's address, for clients of other processes.
    pub fn url(&self) -> &str {
        self.endpoint.as_ref().expect("it runs").url()
    }

    /// The folder for the test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the functions in this process do.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The stack's function of this handler.
    pub fn function(&self, handler: &str) -> &str {
        self.functions.iter().find(|name| name.contains(handler)).expect("it is in the stack")
    }

    /// The ARN of the stack's machine.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Changes what AWS leaves to itself.
    pub fn behave(&self, change: impl FnOnce(Behaviour) -> Behaviour) {
        let lambda = &self.aws().lambda;
        lambda.behave(change(lambda.behaviour()));
    }

    /// A call of the owner's.
    pub async fn call(&self, service: Service, operation: &str, input: Value) -> Result<Value, ApiError> {
        self.aws().call(&Caller::Owner, service, operation, input).await
    }

    /// A call of the owner's that must succeed.
    pub async fn ok(&self, service: Service, operation: &str, input: Value) -> Value {
        self.call(service, operation, input).await.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    /// A call about the function.
    pub async fn lambda(&self, operation: &str, input: Value) -> Value {
        self.lambda_of(FUNCTION, operation, input).await
    }

    async fn lambda_of(&self, name: &str, operation: &str, mut input: Value) -> Value {
        input["FunctionName"] = json!(name);
        self.ok(Service::Lambda, operation, input).await
    }

    /// Puts an object into a bucket.
    pub async fn put_object(&self, bucket: &str, key: &str, content: &str) {
        let put = PutObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            body: content.to_owned().into(),
            ..PutObject::default()
        };
        self.aws().s3.put_object(self.aws(), &Caller::Owner, put).await.expect("the object is put");
    }

    /// The file in which the function notes its invocations.
    pub fn invocations_file(&self) -> PathBuf {
        self.folder.path().join("invocations")
    }

    /// The invocations that the function noted since they were last forgotten, by the power value of the alias, or by the number of
    /// the copy.
    pub fn invocations(&self) -> BTreeMap<u64, u64> {
        let text = std::fs::read_to_string(self.invocations_file()).unwrap_or_default();
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let arn = line.split(' ').nth(1).unwrap();
            let name = arn.rsplit(':').next().unwrap();
            if let Some((_, number)) = tuning::copies::parse(name) {
                *counts.entry(number.into()).or_default() += 1;
            } else if let Some(alias) = name.strip_prefix("deployer-tuning-") {
                *counts.entry(alias.split('-').next().unwrap().parse().unwrap()).or_default() += 1;
            }
        }
        counts
    }

    /// Forgets the invocations so far.
    pub fn forget_invocations(&self) {
        let _ = std::fs::remove_file(self.invocations_file());
    }

    /// Makes the function anew, of the sample `echo` at 256 MB, with what a user might have on it: published versions, aliases
    /// (one named like those of others' tools, one that splits its traffic), tags, settings for events, permissions.
    pub async fn renew(&self) {
        self.make(FUNCTION).await;
        self.forget_invocations();
    }

    /// Makes such a function of another name.
    pub async fn make(&self, name: &str) {
        self.make_with(name, json!({})).await;
    }

    /// Makes such a function with further settings.
    pub async fn make_with(&self, name: &str, settings: Value) {
        let _ = self.call(Service::Lambda, "DeleteFunction", json!({"FunctionName": name})).await;
        let mut create = json!({
            "Runtime": "provided.al2023", "Handler": "echo", "Role": ROLE, "MemorySize": 256, "Timeout": 20,
            "Description": "a production function", "Code": {"ZipFile": self.code},
            "Environment": {"Variables": {"INVOCATIONS_FILE": self.invocations_file(), "STAGE": "production"}},
            // Not to be kept waiting for a core: what is measured here is not time.
            "Tags": {APPARATUS: "true", "team": "payments"},
        });
        create.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        self.lambda_of(name, "CreateFunction", create).await;
        self.lambda_of(name, "PublishVersion", json!({"Description": "first"})).await;
        self.lambda_of(name, "UpdateFunctionConfiguration", json!({"MemorySize": 300})).await;
        self.lambda_of(name, "PublishVersion", json!({"Description": "second"})).await;
        self.lambda_of(name, "UpdateFunctionConfiguration", json!({"MemorySize": 256})).await;
        self.lambda_of(
            name,
            "CreateAlias",
            json!({"Name": "live", "FunctionVersion": "2", "Description": "what users call"}),
        )
        .await;
        self.lambda_of(name, "CreateAlias", json!({"Name": "RAM128", "FunctionVersion": "1"})).await;
        self.lambda_of(name, "CreateAlias", json!({"Name": "chosen", "FunctionVersion": "1"})).await;
        let weights = json!({"AdditionalVersionWeights": {"2": 0.25}});
        self.lambda_of(
            name,
            "CreateAlias",
            json!({"Name": "canary", "FunctionVersion": "1", "RoutingConfig": weights}),
        )
        .await;
        self.lambda_of(name, "PutFunctionConcurrency", json!({"ReservedConcurrentExecutions": 40})).await;
        let permission = json!({
            "StatementId": "topic", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com",
        });
        self.lambda_of(name, "AddPermission", permission).await;
    }

    /// Everything there is to see of the function.
    pub async fn snapshot(&self) -> Value {
        self.snapshot_of(FUNCTION).await
    }

    /// Everything there is to see of another function.
    pub async fn snapshot_of(&self, name: &str) -> Value {
        let shown = |operation: &'static str| async move {
            match self.call(Service::Lambda, operation, json!({"FunctionName": name})).await {
                Ok(answer) => answer,
                Err(e) => json!(e.to_string()),
            }
        };
        let mut latest = shown("GetFunctionConfiguration").await;
        // What every change of `$LATEST` changes, and putting it back is one.
        for member in ["RevisionId", "LastModified"] {
            latest.as_object_mut().unwrap().remove(member);
        }
        let mut policy = shown("GetPolicy").await;
        policy.as_object_mut().unwrap().remove("RevisionId");
        let mut versions = shown("ListVersionsByFunction").await;
        assert!(versions["NextMarker"].is_null(), "more versions than a page: {versions}");
        versions["Versions"].as_array_mut().unwrap().retain(|version| version["Version"] != "$LATEST");
        let arn = function_arn(name);
        json!({
            "configuration": latest,
            "versions": versions["Versions"],
            "aliases": shown("ListAliases").await["Aliases"],
            "tags": self.ok(Service::Lambda, "ListTags", json!({"Resource": arn})).await["Tags"],
            "policy": policy,
            "concurrency": shown("GetFunctionConcurrency").await,
        })
    }

    /// Starts an execution; its ARN.
    pub async fn start(&self, input: Value) -> String {
        self.start_on(FUNCTION, input, None).await.unwrap()
    }

    /// Starts an execution on a function, with a name of one's own or a made-up one; its ARN.
    pub async fn start_on(
        &self,
        function: &str,
        mut input: Value,
        name: Option<&str>,
    ) -> Result<String, ApiError> {
        input["lambdaARN"] = json!(function_arn(function));
        let mut start = json!({"stateMachineArn": self.machine, "input": input.to_string()});
        if let Some(name) = name {
            start["name"] = json!(name);
        }
        let started = self.call(Service::States, "StartExecution", start).await?;
        Ok(started["executionArn"].as_str().unwrap().to_owned())
    }

    /// Waits until the run that holds the function has come so far that its lock names a version, the copy of the function
    /// as it was; its number.
    pub async fn snapshot_version(&self) -> String {
        for _ in 0..20_000 {
            let lock = json!({"FunctionName": FUNCTION, "Name": "deployer-tuning"});
            if let Ok(alias) = self.call(Service::Lambda, "GetAlias", lock).await
                && alias["FunctionVersion"] != "$LATEST"
            {
                return alias["FunctionVersion"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("no run has made its copy of the function");
    }

    /// Waits until an execution has ended.
    pub async fn ended(&self, arn: &str) -> Over {
        for _ in 0..120_000 {
            let over = self.ok(Service::States, "DescribeExecution", json!({"executionArn": arn})).await;
            if over["status"] != "RUNNING" {
                let text = |name: &str| over[name].as_str().unwrap_or_default().to_owned();
                return Over {
                    arn: arn.to_owned(),
                    status: text("status"),
                    output: serde_json::from_str(&text("output")).unwrap_or_default(),
                    cause: format!("{}: {}", text("error"), text("cause")),
                };
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{arn} is still running after ten minutes");
    }

    /// Runs an execution to its end.
    pub async fn run(&self, input: Value) -> Over {
        let arn = self.start(input).await;
        self.ended(&arn).await
    }

    /// Stops an execution.
    pub async fn abort(&self, execution: &str) {
        self.ok(Service::States, "StopExecution", json!({"executionArn": execution})).await;
    }

    /// From now on executions of the stack's machine do nothing until they are stopped: their states are gone through by hand.
    pub async fn idle(&self) {
        let waiting =
            json!({"StartAt": "wait", "States": {"wait": {"Type": "Wait", "Seconds": 3600, "End": true}}});
        let update = json!({"stateMachineArn": self.machine, "definition": waiting.to_string()});
        self.ok(Service::States, "UpdateStateMachine", update).await;
    }

    /// Waits until nothing is under way any more: no event, no function.
    pub async fn quiet(&self) {
        self.aws().states.announced(self.aws()).await;
        // The end of the one may be the beginning of the other.
        for _ in 0..2 {
            self.aws().events.stop(self.aws()).await;
            self.aws().lambda.drain().await;
        }
    }

    /// Switches the rule that cleans up after stopped executions on or off.
    pub async fn rule(&self, on: bool) {
        let operation = if on { "EnableRule" } else { "DisableRule" };
        self.ok(Service::Events, operation, json!({"Name": self.rule})).await;
    }

    /// What `deployer cleanup` does: the Cleaner's answer, or its error.
    pub async fn cleanup(&self) -> Handled {
        self.handle("cleaner", json!({"cleanup": {"lambdaARN": function_arn(FUNCTION)}})).await
    }

    /// Invokes the stack's function of this handler.
    pub async fn handle(&self, handler: &str, event: Value) -> Handled {
        let invocation = Invocation {
            function: self.function(handler).to_owned(),
            payload: event.to_string().into(),
            ..Invocation::default()
        };
        let invoked = self.aws().lambda.invoke(self.aws(), &Caller::Owner, invocation).await.unwrap();
        let answer: Value = serde_json::from_slice(&invoked.payload).unwrap();
        if invoked.function_error.is_none() {
            return Ok(answer);
        }
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Err(Refused { kind: text("errorType"), message: text("errorMessage") })
    }

    /// The events of an execution that its history has, in order.
    pub async fn history(&self, execution: &str) -> Vec<Value> {
        let history = json!({"executionArn": execution, "maxResults": 1000});
        let history = self.ok(Service::States, "GetExecutionHistory", history).await;
        history["events"].as_array().unwrap().clone()
    }

    /// Stops the endpoint.
    pub async fn stop(mut self) {
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.stop().await;
        }
    }
}

/// A function's ARN.
pub fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:{name}")
}

/// How much to do: by the variable `SWEEP` all (`full`) or so much, otherwise the usual.
pub fn amount(usual: usize, full: usize) -> usize {
    match std::env::var("SWEEP") {
        Err(_) => usual,
        Ok(value) if value == "full" => full,
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("SWEEP={value}: say full or a number")),
    }
}

/// What differs between two documents, as lines of `path: before -> after`.
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
        match (before, after) {
            (Value::Object(a), Value::Object(b)) => {
                let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for name in names {
                    walk(&format!("{path}/{name}"), &before[name.as_str()], &after[name.as_str()], found);
                }
            }
            (Value::Array(a), Value::Array(b)) => {
                let gone =
                    a.iter().filter(|item| !b.contains(item)).map(|item| format!("{path}: gone: {item}"));
                let new =
                    b.iter().filter(|item| !a.contains(item)).map(|item| format!("{path}: new: {item}"));
                found.extend(gone.chain(new));
            }
            _ if before == after => {}
            _ => found.push(format!("{path}: {before} -> {after}")),
        }
    }
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}
