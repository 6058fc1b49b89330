//! A machine of a test's own.

use std::path::Path;
use std::process::{Child, Command};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use serde_json::{Value, json};

use super::function::Function;
use super::prepared::{deployed, fork, release, samples_zip};
use super::program::{REGION, Said, UP, deployer, isolated, send, serve_with, tool, up_local, zip_of};

/// A machine of one's own: a state folder with the stack deployed, an endpoint on a free port, and clients for it.
pub struct World {
    folder: tempfile::TempDir,
    endpoint: Option<Child>,
    account: String,
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
        Self::serving(&[]).await
    }

    /// The same on an endpoint with this `--disturbed`.
    pub async fn disturbed(how: &str) -> Self {
        Self::serving(&["--disturbed", how]).await
    }

    async fn serving(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fork(&deployed(&["--power-values", "128,512,3008"]), &folder.path().join("state"));
        Self::at(folder, flags).await
    }

    /// With the stack deployed with these flags of `up`.
    pub async fn with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        up_local(folder.path(), flags).success();
        Self::on(folder).await
    }

    /// The same on an endpoint that takes no notice of other work on the machine: for results that have to be usable.
    pub async fn undisturbed(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        up_local(folder.path(), flags).success();
        Self::at(folder, &["--disturbed", "ignore"]).await
    }

    /// With nothing deployed.
    pub async fn empty() -> Self {
        Self::on(tempfile::tempdir().expect("a temporary folder")).await
    }

    /// With nothing deployed, on an endpoint with a plan of faults.
    pub async fn faulty(plan: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("plan.json");
        std::fs::write(&path, plan.to_string()).expect("the plan can be written");
        Self::at(folder, &["--faults", path.to_str().expect("a path in UTF-8")]).await
    }

    async fn on(folder: tempfile::TempDir) -> Self {
        Self::at(folder, &[]).await
    }

    async fn at(folder: tempfile::TempDir, flags: &[&str]) -> Self {
        let (endpoint, url) = serve_with(&folder.path().join("state"), flags);
        Self::of(folder, Some(endpoint), url, "000000000000").await
    }

    /// Another account on the same endpoint, with no stack of ours.
    pub async fn account(&self, account: &str) -> Self {
        Self::of(tempfile::tempdir().expect("a temporary folder"), None, self.url.clone(), account).await
    }

    async fn of(folder: tempfile::TempDir, endpoint: Option<Child>, url: String, account: &str) -> Self {
        let credentials = aws_credential_types::Credentials::new(account, "test", None, None, "tests");
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(REGION)
            .endpoint_url(&url)
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        let world = Self {
            folder,
            endpoint,
            account: account.to_owned(),
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

    /// Makes roles that may do everything but some actions, and a profile for each, as [`profiles`](Self::profiles) does.
    pub async fn roles(&self, roles: &[(&str, &[&str])]) {
        let all_but = |missing: &[&str]| json!({ "Statement": [{ "Effect": "Allow", "NotAction": missing, "Resource": "*" }] });
        let roles: Vec<(&str, Value)> =
            roles.iter().map(|(name, missing)| (*name, all_but(missing))).collect();
        self.profiles(&roles).await;
    }

    /// Makes roles with these policies, and a profile of the same name for each in this world's AWS configuration: what
    /// [`as_profile`](Self::as_profile) takes.
    pub async fn profiles(&self, roles: &[(&str, Value)]) {
        let mut resources = serde_json::Map::new();
        let mut profiles =
            "[profile owner]\naws_access_key_id = test\naws_secret_access_key = test\n".to_owned();
        for (index, (name, policy)) in roles.iter().enumerate() {
            let trust = json!({ "Statement": [{
                "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::000000000000:root" }, "Action": "sts:AssumeRole",
            }]});
            let properties = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust,
                "Policies": [{ "PolicyName": "own", "PolicyDocument": policy }] });
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

    /// Gives a command a profile of [`profiles`](Self::profiles). The keys in its environment would be the owner's.
    pub fn with_profile<'c>(&self, profile: &str, command: &'c mut Command) -> &'c mut Command {
        command.env("AWS_CONFIG_FILE", self.folder().join("aws-config")).args(["--profile", profile])
    }

    /// Runs the program with such a profile.
    pub fn as_profile(&self, profile: &str, arguments: &[&str]) -> Said {
        Said::by(self.with_profile(profile, &mut self.released(arguments)))
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

    /// Starts an execution with an input as it is, past all checks of `tune`; its ARN.
    pub async fn start(&self, input: &Value) -> String {
        let machines = self.states.list_state_machines().send().await.unwrap();
        let machine = machines.state_machines()[0].state_machine_arn();
        let start = self.states.start_execution().state_machine_arn(machine).input(input.to_string());
        start.send().await.unwrap().execution_arn().to_owned()
    }

    /// The same, and how the execution ended.
    pub async fn execute(&self, input: &Value) -> Ended {
        let execution = self.start(input).await;
        self.ended(&execution).await
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
        let role = self.sample_role();
        let environment = aws_sdk_lambda::types::Environment::builder()
            .set_variables(Some(variables.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()))
            .build();
        self.lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler(handler)
            .architectures(std::env::consts::ARCH.replace("aarch64", "arm64").as_str().into())
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

    /// Creates a function in Python, of the source of `app.py`, in which `handler` is the handler.
    pub async fn python(&self, name: &str, source: &str) -> Function<'_> {
        self.scripted(name, "app.py", source, Runtime::Python313).await
    }

    /// The same in JavaScript, of the source of `app.js`.
    pub async fn node(&self, name: &str, source: &str) -> Function<'_> {
        self.scripted(name, "app.js", source, Runtime::Nodejs22x).await
    }

    async fn scripted(&self, name: &str, file: &str, source: &str, runtime: Runtime) -> Function<'_> {
        let code = FunctionCode::builder().zip_file(Blob::new(zip_of(file, source.as_bytes()))).build();
        let create = self.lambda.create_function().function_name(name).code(code).handler("app.handler");
        let create = create.runtime(runtime).memory_size(256).timeout(30);
        let created = create.role(self.sample_role()).send().await;
        created.unwrap_or_else(|e| panic!("cannot create {name}: {e:?}"));
        let function = Function { world: self, name: name.to_owned() };
        function.settled().await;
        function
    }

    /// The ARN of a function by name.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{REGION}:{}:function:{name}", self.account)
    }

    /// The role that the samples have.
    pub fn sample_role(&self) -> String {
        format!("arn:aws:iam::{}:role/sample", self.account)
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
