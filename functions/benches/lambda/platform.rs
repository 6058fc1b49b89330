//! The part of AWS that a function sees from its start to its first answer: a bare Runtime API, and a Lambda API that answers
//! `Invoke`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:target";

/// Where distributions have all root certificates in one file.
const BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// What a function is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The Executor's: one invocation of the tuned function, over plain HTTP.
    Executor,
    /// The Analyzer's, which calls no AWS API.
    Analyzer,
    /// Nothing: the Executor is made ready to call AWS over TLS, and over when it asks for its first event.
    Initialization,
}

impl Work {
    pub fn name(self) -> &'static str {
        match self {
            Self::Executor => "executor",
            Self::Analyzer => "analyzer",
            Self::Initialization => "executor, to its first request for an event, with TLS",
        }
    }

    fn handler(self) -> &'static str {
        if self == Self::Analyzer { "analyzer" } else { "executor" }
    }

    fn event(self) -> String {
        let run = json!({
            "execution": "arn:aws:states:us-east-1:123456789012:execution:tuning:one", "functionName": "target",
            "functionArn": ARN, "region": "us-east-1", "architecture": "arm64", "timeout": 30,
            "powerValues": [128, 512], "num": 1, "baseline": {"memorySize": 256}, "snapshotVersion": "1",
            "codeSha256": "c", "settings": "s", "published": {"next": 2, "total": 2, "done": true, "passes": 1},
        });
        match self {
            Self::Executor | Self::Initialization => json!({
                "input": {"lambdaARN": ARN, "num": 5, "dryRun": true, "payload": {"n": 1}, "run": run},
                "value": 128,
            }),
            Self::Analyzer => json!({
                "lambdaARN": ARN, "num": 5, "run": run,
                "stats": [
                    {"value": 128, "averagePrice": 2.1e-8, "averageDuration": 10.0, "totalCost": 1e-7},
                    {"value": 512, "averagePrice": 2.5e-8, "averageDuration": 3.0, "totalCost": 1.2e-7},
                ],
            }),
        }
        .to_string()
    }
}

/// It runs until the process ends.
pub struct Platform {
    address: SocketAddr,
    answers: Receiver<Answer>,
}

/// The answer that came, and when.
type Answer = (Instant, Result<String, String>);

/// What the next function to ask gets.
static EVENT: Mutex<Option<Work>> = Mutex::new(None);

impl Platform {
    pub fn start() -> Self {
        let (send, answers) = channel();
        let (bound, address) = channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    let send = send.clone();
                    let service = service_fn(move |request| answer(request, send.clone()));
                    let connection = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
                }
            });
        });
        Self { address: address.recv().unwrap(), answers }
    }

    /// Sets the environment of a function as Lambda would, and its first event.
    pub fn prepare(&self, command: &mut Command, work: Work) {
        *EVENT.lock().unwrap() = Some(work);
        // Nothing is sent to it: what it takes to be able to is what is wanted.
        let scheme = if work == Work::Initialization { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}", self.address);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", self.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", work.handler())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_SESSION_TOKEN", "test")
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("_HANDLER", work.handler())
            .stdout(Stdio::null());
        // Debian also has each certificate in a file of its own, and all of them would be read twice.
        if let Some(bundle) = BUNDLES.iter().find(|bundle| Path::new(bundle).exists()) {
            command.env("SSL_CERT_FILE", bundle);
        }
    }

    /// Waits for the function's answer, or what else was to be waited for; when it came.
    pub fn answered(&self) -> Instant {
        let (at, answer) =
            self.answers.recv_timeout(Duration::from_secs(60)).expect("no answer within a minute");
        if let Err(error) = answer {
            panic!("the function failed: {error}");
        }
        at
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: Sender<Answer>,
) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET {
        let next = EVENT.lock().unwrap().take();
        let Some(work) = next else {
            // The function has answered; it waits for its end.
            return std::future::pending().await;
        };
        if work == Work::Initialization {
            let _ = answers.send((Instant::now(), Ok(String::new())));
            return std::future::pending().await;
        }
        let deadline = SystemTime::now() + Duration::from_secs(300);
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        return Response::builder()
            .header("lambda-runtime-aws-request-id", "r")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-invoked-function-arn", ARN)
            .body(Full::from(work.event()));
    }
    let body = request.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    if path.ends_with("/invocations") && path.starts_with("/2015-03-31/") {
        let log = "REPORT RequestId: r\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\t\n";
        let log = aws_smithy_types::base64::encode(log);
        return Response::builder().header("X-Amz-Log-Result", log).body(Full::from("{}"));
    }
    let now = Instant::now();
    let text = String::from_utf8_lossy(&body).into_owned();
    let answer = if path.ends_with("/response") { Ok(text) } else { Err(text) };
    // Nobody listens any more when the benchmark is over.
    let _ = answers.send((now, answer));
    Response::builder().status(202).body(Full::default())
}
