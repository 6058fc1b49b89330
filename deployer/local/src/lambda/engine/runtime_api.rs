//! The Runtime API that a function's `bootstrap` talks to: one loopback listener per execution environment.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// The largest response of a function, and the largest event of a synchronous invocation, in bytes.
pub const PAYLOAD_LIMIT: usize = 6_291_556;

const PREFIX: &str = "/2018-06-01/runtime/";

/// What the runtime is handed for one invocation.
#[derive(Debug, Clone)]
pub struct Event {
    /// The invocation's id.
    pub request_id: String,
    /// When it times out, milliseconds since the epoch.
    pub deadline_ms: i64,
    /// The ARN it was invoked by, with its qualifier.
    pub function_arn: String,
    /// The X-Ray header.
    pub trace_id: String,
    /// The event.
    pub payload: Bytes,
    /// The client context, JSON.
    pub client_context: Option<String>,
}

/// What the runtime asks or tells, and when it did.
pub enum Call {
    /// It is ready for an event.
    Next(oneshot::Sender<Event>),
    /// It answers an invocation; `None` when the answer is over the limit.
    Response { request_id: String, body: Option<Bytes>, reply: oneshot::Sender<Reply> },
    /// The handler failed.
    Error { request_id: String, body: Bytes, kind: Option<String>, reply: oneshot::Sender<Reply> },
    /// It cannot start.
    InitError { body: Bytes, kind: Option<String>, reply: oneshot::Sender<Reply> },
}

/// What the runtime is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Taken.
    Accepted,
    /// Not the invocation that runs.
    UnknownRequest,
    /// Not now.
    WrongState,
    /// Over the limit.
    TooLarge,
}

/// A listener that turns requests into [`Call`]s.
pub struct RuntimeApi {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl RuntimeApi {
    /// Listens on a free loopback port, with this thread for all there is to do.
    ///
    /// # Errors
    /// When there is none.
    pub async fn listen(
        thread: &tokio::runtime::Handle,
        calls: mpsc::Sender<(Instant, Call)>,
    ) -> std::io::Result<Self> {
        let bound = thread.spawn(TcpListener::bind(("127.0.0.1", 0))).await;
        let listener = bound.map_err(std::io::Error::other)??;
        let address = listener.local_addr()?;
        let task = thread.spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let calls = calls.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request| handle(request, calls.clone()));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, task })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(
    request: Request<Incoming>,
    calls: mpsc::Sender<(Instant, Call)>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    let response = match (request.method(), segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => {
            let (tell, told) = oneshot::channel();
            let sent = calls.send((at, Call::Next(tell))).await.is_ok();
            match if sent { told.await.ok() } else { None } {
                Some(event) => deliver(event),
                None => {
                    error(StatusCode::FORBIDDEN, "InvalidStateTransition", "no invocation can be had now")
                }
            }
        }
        (&Method::POST, ["invocation", id, "response"]) => {
            let request_id = (*id).to_owned();
            let body = match collect(request.into_body()).await {
                Ok(body) => body,
                Err(e) => return Ok(unreadable(&e)),
            };
            let too_large = body.is_none();
            let reply = ask(&calls, at, |reply| Call::Response { request_id, body, reply }).await;
            answer(if reply == Reply::Accepted && too_large { Reply::TooLarge } else { reply })
        }
        (&Method::POST, ["invocation", id, "error"]) => {
            let request_id = (*id).to_owned();
            let kind = error_kind(request.headers());
            let body = match collect(request.into_body()).await {
                Ok(body) => body.unwrap_or_default(),
                Err(e) => return Ok(unreadable(&e)),
            };
            answer(ask(&calls, at, |reply| Call::Error { request_id, body, kind, reply }).await)
        }
        // A runtime of a function with SnapStart asks when to go on after its snapshot: at once, since none is made.
        (&Method::GET, ["restore", "next"]) => Response::default(),
        (&Method::POST, ["init" | "restore", "error"]) => {
            let kind = error_kind(request.headers());
            let body = match collect(request.into_body()).await {
                Ok(body) => body.unwrap_or_default(),
                Err(e) => return Ok(unreadable(&e)),
            };
            answer(ask(&calls, at, |reply| Call::InitError { body, kind, reply }).await)
        }
        _ => error(StatusCode::NOT_FOUND, "UnknownOperation", "the Runtime API has no such path"),
    };
    Ok(response)
}

async fn ask(
    calls: &mpsc::Sender<(Instant, Call)>,
    at: Instant,
    call: impl FnOnce(oneshot::Sender<Reply>) -> Call,
) -> Reply {
    let (tell, told) = oneshot::channel();
    match calls.send((at, call(tell))).await {
        Ok(()) => told.await.unwrap_or(Reply::WrongState),
        Err(_) => Reply::WrongState,
    }
}

/// Reads a body to its end, so that the runtime can read the answer, and keeps it when it is within the limit.
async fn collect(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let mut kept = Some(BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if let Some(bytes) = &mut kept {
            if bytes.len() + data.len() > PAYLOAD_LIMIT {
                kept = None;
            } else {
                bytes.extend_from_slice(&data);
            }
        }
    }
    Ok(kept.map(BytesMut::freeze))
}

fn error_kind(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("lambda-runtime-function-error-type")?.to_str().ok()?.to_owned())
}

fn deliver(event: Event) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(event.payload));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("lambda-runtime-aws-request-id", &event.request_id);
    set("lambda-runtime-deadline-ms", &event.deadline_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &event.function_arn);
    set("lambda-runtime-trace-id", &event.trace_id);
    if let Some(context) = &event.client_context {
        set("lambda-runtime-client-context", context);
    }
    response
}

fn answer(reply: Reply) -> Response<Full<Bytes>> {
    match reply {
        Reply::Accepted => document(StatusCode::ACCEPTED, &json!({"status": "OK"})),
        Reply::UnknownRequest => error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Reply::WrongState => {
            error(StatusCode::FORBIDDEN, "InvalidStateTransition", "Transition is not allowed")
        }
        Reply::TooLarge => error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({PAYLOAD_LIMIT} bytes)."),
        ),
    }
}

fn unreadable(e: &hyper::Error) -> Response<Full<Bytes>> {
    error(StatusCode::BAD_REQUEST, "InvalidRequest", &format!("the body cannot be read: {e}"))
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    document(status, &json!({"errorMessage": message, "errorType": kind}))
}

fn document(status: StatusCode, document: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(document.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_runtime_goes_on_after_its_snapshot_at_once() {
        let (calls, _heard) = mpsc::channel(1);
        let api = RuntimeApi::listen(&tokio::runtime::Handle::current(), calls).await.unwrap();
        let mut runtime = tokio::net::TcpStream::connect(api.address()).await.unwrap();
        let ask = "GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        runtime.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        runtime.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}
