//! The HTTP front: one loopback server for all services.

use std::path::PathBuf;

/// Where and on what the endpoint runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The state folder.
    pub state: PathBuf,
    /// The region that ARNs name.
    pub region: String,
}

/// Why the endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The port.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running endpoint.
pub struct Endpoint {
    url: String,
}

impl Endpoint {
    /// Its address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
