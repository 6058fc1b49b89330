//! The server of the page: listens, and answers until it is dropped.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{HOST, SERVER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, client};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Site, answer};

/// How long a connection may say nothing.
const IDLE: Duration = Duration::from_secs(60);

/// How long whoever listens on a port may take to say who it is.
const WHO: Duration = Duration::from_secs(2);

/// Why nothing can be served at an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", reason(.error))]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub error: std::io::Error,
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "the port is in use".to_owned(),
        ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}

/// A port that is ours. Browsers that connect before [`Server::run`] wait.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address; port 0 is any free one.
    ///
    /// # Errors
    /// [`ListenError`]
    pub async fn listen(address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |error| ListenError { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where the page is, ending in a slash. An address that stands for all of this machine's is named by the loopback one.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.address;
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip([127, 0, 0, 1].into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
                address.set_ip([0u16, 0, 0, 0, 0, 0, 0, 1].into());
            }
            _ => {}
        }
        format!("http://{address}/")
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Serves until the future is dropped, and with it every connection.
    pub async fn run(self, site: Site) -> Infallible {
        let site = Arc::new(site);
        let private = self.is_private();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(Arc::clone(&site), private, stream));
                    }
                    // Out of file descriptors, mostly: others will be closed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
    }
}

async fn converse(site: Arc<Site>, private: bool, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let answer = answer(&site, private, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A connection that breaks is its client's affair, who sees it broken.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Whether this program, in another process, serves the page at an address.
pub async fn is_served(address: SocketAddr) -> bool {
    tokio::time::timeout(WHO, ask(address)).await.ok().flatten().unwrap_or(false)
}

async fn ask(address: SocketAddr) -> Option<bool> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::head("/").header(HOST, address.to_string()).body(Empty::<Bytes>::new()).ok()?;
    let answered = async move {
        let answer = sender.send_request(request).await.ok()?;
        let server = answer.headers().get(SERVER)?.to_str().ok()?;
        Some(answer.status().is_success() && server.starts_with("deployer/"))
    };
    tokio::select! {
        answered = answered => answered,
        _ = connection => None,
    }
}
