//! What all environments share to start their processes and to end them.

use std::sync::Arc;

use cpu_share::CpuShares;

use super::api_thread::ApiThread;
use super::doom::Dooms;
use super::process::Groups;
use super::spawner::Spawner;

/// One for the whole engine.
#[derive(Clone)]
pub struct Machinery {
    /// Starts processes.
    pub spawner: Arc<Spawner>,
    /// Speaks the Runtime API with them.
    pub api_thread: Arc<ApiThread>,
    /// Gives them their CPU share.
    pub shares: Arc<CpuShares>,
    /// Knows who belongs to whom.
    pub groups: Arc<Groups>,
    /// Ends environments on purpose.
    pub dooms: Dooms,
}
