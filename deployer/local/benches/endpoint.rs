//! How fast the endpoint is, and what it needs with a large state folder, as tables in Markdown. Run it by `tests/endpoint`.
//!
//! The endpoint is the program itself, `deployer local`, spoken to as any client does: over HTTP, one connection for each
//! client. What an invocation takes beyond the function's own time is found by asking the same function through a bare Runtime API.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on says so by panicking")]
#![allow(clippy::print_stdout, reason = "tables are what it is for")]

#[path = "../tests/support/mod.rs"]
#[allow(dead_code, reason = "made for the tests")]
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use local_aws::{Aws, Caller, Service, Settings};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::ROLE;

const VERSIONS: u32 = 10_000;
const INVOCATIONS: u32 = 1_000_000;
/// Over so many functions, since a log group keeps no more than 32 MB here.
const GROUPS: u32 = 10;
const CLIENTS: usize = 8;

/// A connection to a server that answers each request with a body of known length.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request and reads the answer.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=local/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
        let (line, body) = self.receive();
        let status = line.split(' ').nth(1).unwrap_or_default();
        assert!(status == "200", "{method} {path}: {line} {body}");
        body
    }

    /// Reads a message: its first line and its body.
    fn receive(&mut self) -> (String, String) {
        let mut first = String::new();
        self.0.read_line(&mut first).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (first, String::from_utf8(body).unwrap())
    }
}

/// The program, serving a state folder.
struct Program {
    process: Child,
    address: String,
    started: Duration,
}

impl Program {
    /// Starts it and waits until it says its address.
    fn start(program: &Path, state: &Path) -> Self {
        let before = Instant::now();
        let mut process = Command::new(program)
            .args(["local", "--port", "0", "--quiet", "--state"])
            .arg(state)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").expect("the first line is the address").to_owned();
        Self { process, address, started: before.elapsed() }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// Resident memory in MB: now, and the most it was.
    fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let field = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// CPU time so far.
    fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let spent = tasks.map(|task| {
            let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().unwrap().parse().unwrap_or(0)
        });
        Duration::from_nanos(spent.sum())
    }

    /// Ends it in good order, or as `kill -9` does.
    fn end(&mut self, kill: bool) {
        if kill {
            self.process.kill().unwrap();
        } else {
            signal::kill(Pid::from_raw(self.process.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        }
        self.process.wait().unwrap();
    }
}

impl Drop for Program {
    /// A benchmark that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    f64::midpoint(values[(n - 1) / 2], values[n / 2])
}

/// The median time of a request in ms, one after the other.
fn latency(times: usize, mut request: impl FnMut()) -> f64 {
    // What is done for the first time is not what is measured.
    (0..times / 10).for_each(|_| request());
    let one = |()| {
        let before = Instant::now();
        request();
        ms(before.elapsed())
    };
    median(std::iter::repeat_n((), times).map(one).collect())
}

/// Requests a second of several clients at once.
fn throughput(program: &Program, times: usize, request: impl Fn(&mut Connection) + Sync) -> f64 {
    let each = times / CLIENTS;
    let round = |times: usize| {
        let before = Instant::now();
        std::thread::scope(|threads| {
            for _ in 0..CLIENTS {
                threads.spawn(|| {
                    let mut connection = program.connect();
                    (0..times).for_each(|_| request(&mut connection));
                });
            }
        });
        before.elapsed().as_secs_f64()
    };
    round(each / 10);
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let requests = (each * CLIENTS) as f64;
    requests / round(each)
}

const CONFIGURATION: &str = "/2015-03-31/functions/f/configuration";
const INVOKE: &str = "/2015-03-31/functions/f/invocations";
const EVENT: &str = r#"{"n":1}"#;

/// A state folder with the functions' role, the function `f`, and more if wanted.
async fn furnish(state: &Path, large: bool) {
    let settings = Settings {
        account: local_aws::ACCOUNT.to_owned(),
        state: state.to_owned(),
        region: "us-east-1".to_owned(),
        url: "http://127.0.0.1:9".to_owned(),
        cpu_share: None,
    };
    let aws = Aws::open(settings).unwrap();
    aws.lambda.behave(local_aws::lambda::Behaviour { settle: Duration::ZERO, ..Default::default() });
    aws.start().await;
    let call = |service, operation: &'static str, input: Value| {
        let aws = &aws;
        async move {
            aws.call(&Caller::Owner, service, operation, input)
                .await
                .unwrap_or_else(|e| panic!("{operation}: {e}"))
        }
    };
    if large {
        for n in 1..=VERSIONS {
            let change = json!({"FunctionName": "f", "Description": n.to_string()});
            call(Service::Lambda, "UpdateFunctionConfiguration", change).await;
            call(Service::Lambda, "PublishVersion", json!({"FunctionName": "f"})).await;
        }
        for n in 0..INVOCATIONS {
            let id = format!("{n:08x}-0000-4000-8000-000000000000");
            let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
            let lines = [
                format!("START RequestId: {id} Version: $LATEST"),
                format!("END RequestId: {id}"),
                format!(
                    "REPORT RequestId: {id}\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory \
                     Used: 30 MB\t"
                ),
            ];
            let lines = lines.map(|text| (now, text));
            let group = format!("/aws/lambda/f{}", n % GROUPS);
            // An environment lives for some thousand invocations.
            let stream = format!("2026/01/01/[$LATEST]{:032x}", n / GROUPS / 5000);
            aws.logs.append(&aws, &Caller::Owner, &group, &stream, &lines).unwrap();
        }
    } else {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        let role = json!({"RoleName": "function", "AssumeRolePolicyDocument": trust.to_string()});
        call(Service::Iam, "CreateRole", role).await;
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]});
        let policy =
            json!({"RoleName": "function", "PolicyName": "logs", "PolicyDocument": policy.to_string()});
        call(Service::Iam, "PutRolePolicy", policy).await;
        let function = json!({
            "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE, "Timeout": 10,
            "MemorySize": 1769, "Code": {"ZipFile": support::package()},
            // Admitted at once, as the state machine's own functions are: it is not the wait for a core that is measured.
            "Tags": {"deployer:apparatus": "true"},
        });
        call(Service::Lambda, "CreateFunction", function).await;
    }
    aws.stop().await;
}

/// What an event takes through nothing but a Runtime API, in ms.
fn bare(times: usize) -> f64 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut function = Command::new(env!("CARGO_BIN_EXE_test-function"))
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string())
        .spawn()
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    let mut runtime = Connection(BufReader::new(stream));
    let mut answer = |headers: &str, body: &str| {
        let text = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        runtime.0.get_mut().write_all(text.as_bytes()).unwrap();
        runtime.receive()
    };
    // The first request is there unasked: it is the one that each answer waits for from then on.
    let mut first = true;
    let found = latency(times, || {
        if std::mem::take(&mut first) {
            return;
        }
        let (line, body) = answer("Lambda-Runtime-Aws-Request-Id: r\r\n", EVENT);
        assert!(line.contains("/response") || line.contains("/next"), "{line} {body}");
        answer("", "");
    });
    function.kill().unwrap();
    function.wait().unwrap();
    found
}

fn requests(program: &Program, what: &str, bare: f64) {
    let mut connection = program.connect();
    let (spent, before) = (program.cpu(), Instant::now());
    let get = latency(5000, || drop(connection.ask("GET", CONFIGURATION, "")));
    let invoke = latency(3000, || drop(connection.ask("POST", INVOKE, EVENT)));
    let gets = throughput(program, 20_000, |connection| drop(connection.ask("GET", CONFIGURATION, "")));
    let invokes = throughput(program, 8_000, |connection| drop(connection.ask("POST", INVOKE, EVENT)));
    let busy = (program.cpu() - spent).as_secs_f64() / before.elapsed().as_secs_f64();
    println!(
        "| {what} | {get:.2} ms | {:.0} | {gets:.0} | {invoke:.2} ms | {:+.2} ms | {:.0} | {invokes:.0} | {busy:.1} |",
        1e3 / get,
        invoke - bare,
        1e3 / invoke,
    );
}

fn start(program: &Path, state: &Path, what: &str, times: usize, kill: bool) {
    let mut started = Vec::new();
    let mut cpu = Vec::new();
    let mut memory = (0.0, 0.0);
    for _ in 0..times {
        let mut running = Program::start(program, state);
        let mut connection = running.connect();
        connection.ask("GET", CONFIGURATION, "");
        started.push(ms(running.started));
        cpu.push(ms(running.cpu()));
        memory = running.memory();
        running.end(kill);
    }
    println!(
        "| {what} | {:.0} ms | {:.0} ms | {:.0} MB | {:.0} MB |",
        median(started),
        median(cpu),
        memory.0,
        memory.1
    );
}

fn main() {
    // cargo says `--bench` as well.
    let program = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let program = std::path::PathBuf::from(program.expect("say where the program is: tests/endpoint does"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpus.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "On {} cores of {}; load before: {}\n",
        std::thread::available_parallelism().unwrap(),
        model.map_or("an unnamed processor", |(_, model)| model),
        load.split(' ').next().unwrap()
    );
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let bare = bare(3000);
    println!("The function through a bare Runtime API: {bare:.2} ms.\n");
    runtime.block_on(furnish(&state, false));

    println!(
        "| state folder | GetFunctionConfiguration | a second | {CLIENTS} clients | Invoke, warm | of it added | a second | \
         {CLIENTS} clients | cores busy |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    let mut running = Program::start(&program, &state);
    requests(&running, "one function", bare);
    running.end(false);
    let before = Instant::now();
    runtime.block_on(furnish(&state, true));
    let took = before.elapsed().as_secs_f64();
    let mut running = Program::start(&program, &state);
    requests(&running, "large", bare);
    running.end(false);

    let bytes = std::fs::metadata(state.join("state.redb")).unwrap().len();
    println!(
        "\nLarge: {VERSIONS} versions and {INVOCATIONS} invocations recorded, in {took:.0} s; the database has {:.0} MB.\n",
        bytes as f64 / 1e6
    );
    println!("| start | until it serves | CPU time | resident | at most |\n|---|--:|--:|--:|--:|");
    start(&program, &state, "large", 5, false);
    start(&program, &state, "large, after `kill -9`", 5, true);
    let empty = folder.path().join("small");
    runtime.block_on(furnish(&empty, false));
    start(&program, &empty, "one function", 20, false);
}
