//! Connections to AWS: the SDK's transport does not keep idle ones alive, and an invocation may take 15 minutes.
//!
//! Firewalls and NAT gateways forget a connection on which nothing was sent for a while (NAT gateways after 350 s), so that
//! its answer would never arrive. TCP's own keepalive prevents that and finds out what is lost all the same.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::config::SharedHttpClient;
use aws_sdk_lambda::config::http::{HttpRequest, HttpResponse};
use aws_sdk_lambda::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector as Tcp};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Kind};

/// A connection on which nothing was sent for this long is probed, and probed again as often. Well below 350 s.
const KEEPALIVE: Duration = Duration::from_secs(45);
/// A connection is lost when so many probes were not answered.
const PROBES: u32 = 4;
/// A connection that takes longer than this to come about is tried anew.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that nobody has used for this long are closed.
const IDLE: Duration = Duration::from_secs(90);

/// The client for an endpoint. Parsing root certificates is the largest cost of a first call, so a plain HTTP endpoint (the
/// local one) gets a client without TLS. `ca_bundle` is a file of root certificates instead of the system's.
///
/// # Errors
/// [`Kind::Environment`] when the bundle cannot be read or there is no root certificate at all.
pub fn client(endpoint: Option<&str>, ca_bundle: Option<&str>) -> Result<SharedHttpClient, Error> {
    let connector = if endpoint.is_some_and(|url| url.starts_with("http://")) {
        SharedHttpConnector::new(Transport::over(tcp()))
    } else {
        SharedHttpConnector::new(Transport::over(tls(ca_bundle)?))
    };
    Ok(http_client_fn(move |_, _| connector.clone()))
}

fn tcp() -> Tcp {
    let mut tcp = Tcp::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_keepalive(Some(KEEPALIVE));
    tcp.set_keepalive_interval(Some(KEEPALIVE));
    tcp.set_keepalive_retries(Some(PROBES));
    tcp
}

fn tls(ca_bundle: Option<&str>) -> Result<HttpsConnector<Tcp>, Error> {
    let wrong = |problem: String| Error::new(Kind::Environment, problem);
    let certificates = match ca_bundle {
        Some(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| wrong(format!("cannot read AWS_CA_BUNDLE {path:?}: {e}")))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(certificates).0 == 0 {
        return Err(wrong("there is no root certificate to check AWS's with: set AWS_CA_BUNDLE".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(format!("cannot set up TLS: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp()))
}

#[derive(Debug)]
struct Transport<C>(Client<C, SdkBody>);

impl<C: Connect + Clone> Transport<C> {
    fn over(connector: C) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        Self(builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector))
    }
}

impl<C: Connect + Clone + Send + Sync + std::fmt::Debug + 'static> HttpConnector for Transport<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What the kernel says of the client's end of a connection to this port: the kind of timer that runs on it.
    fn timer(port: u16) -> Option<String> {
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let remote = format!(":{port:04X}");
        let line = table
            .lines()
            .find(|line| line.split_whitespace().nth(2).is_some_and(|address| address.ends_with(&remote)))?;
        Some(line.split_whitespace().nth(5)?.split(':').next()?.to_owned())
    }

    #[tokio::test]
    async fn a_connection_that_waits_for_its_answer_is_kept_alive() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let request = HttpRequest::get(format!("http://127.0.0.1:{port}/")).unwrap();
        let waiting = tokio::spawn(async move { Transport::over(tcp()).call(request).await.map(drop) });
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        // The request itself may still be waiting for its acknowledgement.
        let mut found = None;
        for _ in 0..100 {
            found = timer(port);
            if found.as_deref() == Some("02") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(found.as_deref(), Some("02"), "02 is the timer of keepalive probes");
        drop(stream);
        let error = waiting.await.unwrap().unwrap_err();
        assert!(error.is_io(), "{error:?}");
    }
}
