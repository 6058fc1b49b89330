//! A Lambda function for the tests of the local endpoint: a plain Runtime API loop that does what the event's `mode`
//! says, and at its start what the environment variable `INIT` says.

#![allow(
    clippy::print_stdout,
    clippy::exit,
    reason = "what a function writes and how it ends is what is tested"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

struct Answer {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct RuntimeApi {
    stream: BufReader<TcpStream>,
}

impl RuntimeApi {
    fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: runtime\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let stream = self.stream.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let mut answer = Answer { headers: BTreeMap::new(), body: Vec::new() };
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            answer.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = answer.headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        answer.body.resize(length, 0);
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }
}

fn main() -> io::Result<()> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let mut api = RuntimeApi { stream: BufReader::new(TcpStream::connect(api)?) };
    api.stream.get_mut().set_nodelay(true)?;
    match std::env::var("INIT").unwrap_or_default().as_str() {
        "exit" => std::process::exit(3),
        "error" => {
            let error = br#"{"errorType":"Init.Broken","errorMessage":"no database"}"#;
            let kind = "Lambda-Runtime-Function-Error-Type: Init.Broken\r\n";
            api.request("POST", "init/error", kind, error)?;
            std::process::exit(1);
        }
        "hang" => std::thread::sleep(Duration::from_secs(60)),
        "burn" => burn(100),
        "print" => println!("initializing"),
        _ => {}
    }
    let mut count = 0;
    loop {
        let next = api.request("GET", "invocation/next", "", b"")?;
        count += 1;
        let id = next.headers.get("lambda-runtime-aws-request-id").cloned().unwrap_or_default();
        let event: Value = serde_json::from_slice(&next.body).unwrap_or_default();
        match handle(&event, &next, count) {
            Ok(result) => {
                let body = match result {
                    Value::String(raw) if event["mode"] == "big" => format!("\"{raw}\""),
                    other => other.to_string(),
                };
                api.request("POST", &format!("invocation/{id}/response"), "", body.as_bytes())?;
            }
            Err(error) => {
                let kind = "Lambda-Runtime-Function-Error-Type: Sample.Error\r\n";
                let body = json!({"errorType": "SampleError", "errorMessage": error}).to_string();
                api.request("POST", &format!("invocation/{id}/error"), kind, body.as_bytes())?;
            }
        }
        if event["after"] == "exit" {
            std::process::exit(7);
        }
    }
}

fn handle(event: &Value, next: &Answer, count: u32) -> Result<Value, String> {
    let number = |name: &str| event[name].as_u64().unwrap_or_default();
    match event["mode"].as_str().unwrap_or("echo") {
        "echo" => Ok(event.clone()),
        "who" => Ok(json!({"pid": std::process::id(), "count": count})),
        "headers" => Ok(json!(next.headers)),
        "env" => Ok(json!(std::env::vars().collect::<BTreeMap<_, _>>())),
        "burn" => {
            std::thread::sleep(Duration::from_millis(number("sleep")));
            let began = Instant::now();
            let workers: Vec<_> = (1..number("threads")).map(|_| burning(number("ms"))).collect();
            burn(number("ms"));
            for worker in workers {
                worker.join().map_err(|_| "a thread failed".to_owned())?;
            }
            Ok(json!({"wall_ms": began.elapsed().as_millis()}))
        }
        "sleep" => {
            std::thread::sleep(Duration::from_millis(number("ms")));
            Ok(json!("slept"))
        }
        "hog" => {
            let bytes = usize::try_from(number("mb")).unwrap_or_default() << 20;
            let mut memory = vec![0_u8; bytes];
            for page in memory.chunks_mut(4096) {
                page[0] = 1;
            }
            std::thread::sleep(Duration::from_millis(number("ms")));
            Ok(json!(memory.iter().step_by(4096).map(|b| u64::from(*b)).sum::<u64>()))
        }
        "exit" => std::process::exit(i32::try_from(number("code")).unwrap_or(1)),
        "abort" => std::process::abort(),
        "error" => Err("it went wrong".to_owned()),
        "print" => {
            for line in event["lines"].as_array().into_iter().flatten() {
                println!("{}", line.as_str().unwrap_or_default());
            }
            for _ in 0..number("noise") {
                println!("{}", "x".repeat(1000));
            }
            Ok(Value::Null)
        }
        "big" => Ok(Value::String("x".repeat(usize::try_from(number("bytes")).unwrap_or_default()))),
        "child" => {
            let mut child = std::process::Command::new("sleep");
            if event["apart"] == true {
                std::os::unix::process::CommandExt::process_group(&mut child, 0);
            }
            let child = child.arg("600").spawn().map_err(|e| e.to_string())?;
            Ok(json!({"child": child.id(), "pid": std::process::id()}))
        }
        "hog-in-child" => {
            // `tail` keeps what it reads until it ends.
            let mut child = std::process::Command::new("tail")
                .args(["-c", &format!("{}M", number("mb"))])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::null())
                .spawn()
                .map_err(|e| e.to_string())?;
            let mut input = child.stdin.take().ok_or("no input")?;
            for _ in 0..number("mb") {
                input.write_all(&vec![1; 1 << 20]).map_err(|e| e.to_string())?;
            }
            std::thread::sleep(Duration::from_millis(number("ms")));
            Ok(json!("still here"))
        }
        "read" => std::fs::read_to_string(opt(event)).map(Value::String).map_err(|e| e.to_string()),
        "write" => std::fs::write(opt(event), "").map(|()| Value::Null).map_err(|e| e.to_string()),
        "delete-alias" => delete_alias(event["name"].as_str().unwrap_or_default()).map_err(|e| e.to_string()),
        other => Err(format!("unknown mode {other}")),
    }
}

/// A file of the layers: `PATH` ends with their `bin`.
fn opt(event: &Value) -> std::path::PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = std::path::Path::new(path.rsplit(':').next().unwrap_or_default());
    bin.with_file_name(event["path"].as_str().unwrap_or_default())
}

/// Calls the endpoint as the function's role, without a client library, and waits for the end of the connection.
fn delete_alias(name: &str) -> io::Result<Value> {
    let variable = |name: &str| std::env::var(name).map_err(io::Error::other);
    let (url, function) = (variable("AWS_ENDPOINT_URL")?, variable("AWS_LAMBDA_FUNCTION_NAME")?);
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    let scope = format!("{}/20260101/us-east-1/lambda/aws4_request", variable("AWS_ACCESS_KEY_ID")?);
    let request = format!(
        "DELETE /2015-03-31/functions/{function}/aliases/{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(json!(answer.lines().next()))
}

fn burning(ms: u64) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || burn(ms))
}

/// Uses so much CPU time of this thread.
fn burn(ms: u64) {
    let used = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default();
    let until = used() + Duration::from_millis(ms);
    let mut x = 1_u64;
    while used() < until {
        for _ in 0..2000 {
            x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}
