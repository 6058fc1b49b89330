//! The HTTP front: one loopback server for all services. It accepts connections and ends them; what a request means is
//! `front`'s business.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::lambda::Mechanism;
use crate::{Aws, Running, Settings, front};

/// Longer than the SDKs keep idle connections, so that no client writes into a connection as it is closed.
const IDLE: Duration = Duration::from_secs(300);
/// What the answers under way get when the endpoint stops.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
const MOST_HEADER_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 200;

/// Where and on what the endpoint runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The state folder.
    pub state: PathBuf,
    /// The region that ARNs name.
    pub region: String,
    /// How functions are to get their CPU share; the best that the machine has when there is none.
    pub cpu_share: Option<Mechanism>,
}

/// Why the endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The mechanism of CPU shares.
    #[error("cpu-share {}: {why}", wanted.name())]
    CpuShare {
        /// The one asked for.
        wanted: Mechanism,
        /// Why it cannot be.
        why: String,
    },
    /// The port.
    #[error("{}", unavailable(*port, error))]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        error: std::io::Error,
    },
}

fn unavailable(port: u16, error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => format!("port {port} is in use"),
        ErrorKind::PermissionDenied => format!("port {port} is reserved for the administrator"),
        _ => format!("cannot listen on 127.0.0.1:{port}: {error}"),
    }
}

/// A running endpoint. Dropping it ends it at once; [`Endpoint::stop`] ends it in good order.
pub struct Endpoint {
    aws: Arc<Aws>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Endpoint {
    /// Opens the state folder, listens, and takes up what an earlier process left unfinished.
    ///
    /// # Errors
    /// [`StartError`]: the port is taken, the state folder is in use or not readable, or the machine does not have the
    /// mechanism of CPU shares that is asked for.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let refused = |error| StartError::Listen { port: options.port, error };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        // Absolute, since sandboxes run in other folders.
        let state = std::path::absolute(&options.state).unwrap_or(options.state);
        let (region, cpu_share) = (options.region, options.cpu_share);
        let aws = Aws::open(Settings {
            state,
            account: crate::ACCOUNT.to_owned(),
            region,
            url: format!("http://{address}"),
            cpu_share,
        })?;
        if let Some(wanted) = cpu_share.filter(|wanted| *wanted != aws.lambda.mechanism()) {
            let why = aws.lambda.cpu_share().unavailable.join("; ");
            return Err(StartError::CpuShare { wanted, why });
        }
        let (stop, stopping) = watch::channel(false);
        let server = tokio::spawn(serve(Arc::clone(&aws), listener, stopping));
        aws.start().await;
        Ok(Self { aws, stop, server })
    }

    /// Its address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.aws.settings.url
    }

    /// Says to other programs that use the same state folder that it serves them, from now until it ends.
    ///
    /// # Errors
    /// What the system says about writing to the folder.
    pub fn announce(&self) -> std::io::Result<()> {
        let Settings { url, region, .. } = &self.aws.settings;
        self.aws.store.announce(&Running { url: url.clone(), region: region.clone() })
    }

    /// The services behind it, for calls without HTTP.
    #[must_use]
    pub fn aws(&self) -> &Arc<Aws> {
        &self.aws
    }

    /// Ends it: asynchronous work comes to its end, answering requests meanwhile; then connections are closed. The state
    /// folder is free afterwards.
    pub async fn stop(self) {
        self.aws.stop().await;
        // A receiver is there as long as the server runs; without one there is nothing left to stop.
        let _ = self.stop.send(true);
        let _ = self.server.await;
    }
}

async fn serve(aws: Arc<Aws>, listener: TcpListener, stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        tokio::select! {
            () = told(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(Arc::clone(&aws), stream, stopping.clone()));
                }
                // Out of file descriptors, mostly: others will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    drop(listener);
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
    connections.shutdown().await;
}

/// Waits until the endpoint stops, or is dropped.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn converse(aws: Arc<Aws>, stream: TcpStream, mut stopping: watch::Receiver<bool>) {
    // Answers are small and awaited: no delay for the sake of fuller packets.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let aws = Arc::clone(&aws);
        front::answer(aws, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_headers(MOST_HEADERS)
        .max_buf_size(MOST_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks, or is to break, is its client's affair, who sees it broken.
    tokio::select! {
        _ = &mut connection => return,
        () = told(&mut stopping) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
