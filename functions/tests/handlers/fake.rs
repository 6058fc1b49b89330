//! The model of AWS behind HTTP, with faults by call.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use functions::clients::Clients;
use functions::waits::Waits;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::world::{Call, Invoked, Reply, Seen, World};

/// The clients of a role at an endpoint.
pub fn clients_of(url: &str, role: &str, more: &[(&str, &str)]) -> Clients {
    let variables =
        [("AWS_ENDPOINT_URL", url), ("AWS_ACCESS_KEY_ID", role), ("AWS_SECRET_ACCESS_KEY", "test")];
    let all = variables.iter().chain(more);
    // Calls are answered at once here, so what is waited for may be shorter; the order of the waits stays.
    Clients::with(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        .waiting(Waits::AWS.shortened(8))
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused: no permission.
    Denied,
    /// Done, but the answer is held back for ever; the test is told.
    HangAfter,
    /// Somebody sets another memory size just before.
    Resize,
    /// The test is told, and the call goes on a moment later.
    Signal,
    /// The test is told, and the call goes on when it says so, unless its caller has given up by then.
    Hold,
}

#[derive(Debug, Default)]
struct Plan {
    faults: BTreeMap<(String, usize), Fault>,
    calls: Vec<String>,
}

/// A running endpoint.
#[derive(Debug, Clone)]
pub struct Fake {
    url: String,
    world: Arc<Mutex<World>>,
    plan: Arc<Mutex<Plan>>,
    reached: Arc<Notify>,
    signalled: Arc<AtomicBool>,
    going_on: Arc<Notify>,
}

impl Fake {
    pub async fn start(world: World) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self {
            url,
            world: Arc::new(Mutex::new(world)),
            plan: Arc::default(),
            reached: Arc::default(),
            signalled: Arc::default(),
            going_on: Arc::default(),
        };
        let serving = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let fake = fake.clone();
                        async move { fake.serve(request).await }
                    });
                    // An error of the service is how a connection is dropped.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        fake
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The clients of a role: the access key says whose.
    pub fn clients(&self, role: &str) -> Clients {
        clients_of(&self.url, role, &[])
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The call of this description goes wrong, when it comes for the nth time (from 0, counted from now). Among all calls
    /// it would have no number of its own: some are made at once.
    pub fn fault(&self, call: &str, nth: usize, fault: Fault) {
        let mut plan = self.plan.lock().unwrap();
        let before = plan.calls.iter().filter(|before| *before == call).count();
        plan.faults.insert((call.to_owned(), before + nth), fault);
    }

    pub fn clear_faults(&self) {
        self.plan.lock().unwrap().faults.clear();
    }

    pub fn calls(&self) -> Vec<String> {
        self.plan.lock().unwrap().calls.clone()
    }

    /// The call of [`Fault::Hold`] goes on.
    pub fn let_go(&self) {
        self.going_on.notify_one();
    }

    /// As if such a call had been there.
    pub fn tell(&self) {
        self.reached.notify_one();
    }

    /// Waits until a call of a fault that tells the test is there.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Whether a call of [`Fault::Signal`] or [`Fault::Hold`] has been there.
    pub fn signalled(&self) -> bool {
        self.signalled.load(Ordering::SeqCst)
    }

    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, &'static str> {
        let role = role(&request);
        let call = read(request).await;
        if !permitted(&role, &call.operation) {
            let message = format!("the {role}'s role has no permission for {}", call.operation);
            return Ok(response(Reply::error(403, "AccessDeniedException", &message)));
        }
        let fault = {
            let mut plan = self.plan.lock().unwrap();
            let name = if call.name.is_empty() { String::new() } else { format!(" {}", call.name) };
            let description = format!("{}{name}", call.operation);
            let nth = plan.calls.iter().filter(|before| **before == description).count();
            plan.calls.push(description.clone());
            plan.faults.get(&(description, nth)).copied()
        };
        match fault {
            Some(Fault::Denied) => {
                return Ok(response(Reply::error(403, "AccessDeniedException", "User is not authorized")));
            }
            Some(Fault::Signal) => {
                self.signalled.store(true, Ordering::SeqCst);
                self.reached.notify_one();
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            Some(Fault::Hold) => {
                self.signalled.store(true, Ordering::SeqCst);
                self.reached.notify_one();
                self.going_on.notified().await;
            }
            Some(Fault::Resize) => self.world().edit(|world| world.memory = 2048),
            _ => {}
        }
        let reply =
            if call.operation == "Invoke" { self.invoke(&call).await? } else { self.world().answer(&call) };
        match fault {
            Some(Fault::HangAfter) => {
                self.reached.notify_one();
                std::future::pending::<Infallible>().await;
                Err("hung")
            }
            _ => Ok(response(reply)),
        }
    }

    async fn invoke(&self, call: &Call) -> Result<Reply, &'static str> {
        let invoked = {
            let mut world = self.world();
            if world.denied.contains("Invoke") {
                return Ok(Reply::error(403, "AccessDeniedException", "User is not authorized"));
            }
            let invoked = world.script.pop_front().unwrap_or_else(|| Invoked::took(100.0));
            world.seen.push(Seen {
                function: call.name.clone(),
                qualifier: call.qualifier.clone(),
                payload: String::from_utf8_lossy(&call.body).into_owned(),
            });
            invoked
        };
        let Invoked::Answer { log, payload, failed, after_ms } = invoked;
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        let mut reply = Reply::ok(payload);
        reply.headers.push(("x-amz-log-result", aws_smithy_types::base64::encode(log)));
        if failed {
            reply.headers.push(("x-amz-function-error", "Unhandled".to_owned()));
        }
        Ok(reply)
    }
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(reply.body))).unwrap()
}

fn role(request: &Request<Incoming>) -> String {
    let header =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credential = header.split("Credential=").nth(1).unwrap_or_default();
    credential.split('/').next().unwrap_or_default().to_owned()
}

/// What the handlers' own documentation says they need, and the stack grants.
fn permitted(role: &str, operation: &str) -> bool {
    let granted: &[&str] = match role {
        "Initializer" => &[
            "GetFunction",
            "ListAliases",
            "CreateAlias",
            "PublishVersion",
            "UpdateAlias",
            "ListVersionsByFunction",
            "UpdateFunctionConfiguration",
            "DeleteAlias",
            "DeleteFunction",
            "DescribeExecution",
        ],
        "Publisher" => &[
            "GetAlias",
            "UpdateAlias",
            "GetFunction",
            "UpdateFunctionConfiguration",
            "PublishVersion",
            "CreateAlias",
        ],
        "Executor" => &["Invoke", "GetObject"],
        "Cleaner" => &[
            "ListAliases",
            "ListVersionsByFunction",
            "GetFunction",
            "UpdateFunctionConfiguration",
            "UpdateAlias",
            "DeleteAlias",
            "DeleteFunction",
            "DescribeExecution",
        ],
        "Optimizer" => &[
            "ListAliases",
            "GetFunction",
            "UpdateFunctionConfiguration",
            "CreateAlias",
            "UpdateAlias",
            "PublishVersion",
            "DeleteAlias",
        ],
        // The user's own key.
        "test" => return true,
        _ => &[],
    };
    granted.contains(&operation)
}

async fn read(request: Request<Incoming>) -> Call {
    let method = request.method().clone();
    let target = request.headers().get("x-amz-target").map(|t| t.to_str().unwrap_or_default().to_owned());
    let path = request.uri().path().to_owned();
    let query: BTreeMap<String, String> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decode(value)))
        .collect();
    let body = request.into_body().collect().await.map(|b| b.to_bytes().to_vec()).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (operation, name) = match (&method, parts.as_slice()) {
        _ if target.as_deref() == Some("AWSStepFunctions.DescribeExecution") => {
            ("DescribeExecution", String::new())
        }
        (&Method::POST, [_, "functions", function, "invocations"]) => ("Invoke", decode(function)),
        (&Method::GET, [_, "functions", _]) => ("GetFunction", String::new()),
        (&Method::PUT, [_, "functions", _, "configuration"]) => {
            ("UpdateFunctionConfiguration", String::new())
        }
        (&Method::POST, [_, "functions", _, "versions"]) => ("PublishVersion", String::new()),
        (&Method::GET, [_, "functions", _, "versions"]) => ("ListVersionsByFunction", String::new()),
        (&Method::DELETE, [_, "functions", _]) => ("DeleteFunction", String::new()),
        (&Method::GET, [_, "functions", _, "aliases"]) => ("ListAliases", String::new()),
        (&Method::POST, [_, "functions", _, "aliases"]) => ("CreateAlias", String::new()),
        (&Method::GET, [_, "functions", _, "aliases", name]) => ("GetAlias", (*name).to_owned()),
        (&Method::PUT, [_, "functions", _, "aliases", name]) => ("UpdateAlias", (*name).to_owned()),
        (&Method::DELETE, [_, "functions", _, "aliases", name]) => ("DeleteAlias", (*name).to_owned()),
        (&Method::GET, [bucket, key @ ..]) => ("GetObject", format!("{bucket}/{}", decode(&key.join("/")))),
        _ => panic!("unexpected request: {method} {path}"),
    };
    Call {
        operation: operation.to_owned(),
        name,
        qualifier: query.get("Qualifier").cloned(),
        marker: query.get("Marker").cloned(),
        body,
    }
}

/// Percent-decoding, for the few characters ARNs and markers bring.
fn decode(text: &str) -> String {
    text.replace("%3A", ":").replace("%24", "$").replace("%2F", "/")
}
