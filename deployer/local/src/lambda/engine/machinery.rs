//! The machine that everything runs on, and what all environments share to start their processes and to end them.

use std::sync::Arc;

use cpu_share::{CpuShares, Mechanism};

use super::admission::Admission;
use super::api_thread::ApiThread;
use super::forced_end::ForcedEnds;
use super::process::Groups;
use super::rounds::Rounds;
use super::spawner::Spawner;

/// The part of the machine's cores that functions may have at once. The rest is for what they need beside themselves, the
/// endpoint's answers and this machine's other work, which would otherwise be taken from those that want a whole core.
const ADMITTED: f64 = 0.9;

/// The machine. All accounts share it.
pub struct Machine {
    pub machinery: Machinery,
    pub admission: Admission,
    pub rounds: Rounds,
}

impl Machine {
    /// One of so many cores that gives shares by this mechanism, or else the best there is.
    pub fn new(cores: f64, mechanism: Option<Mechanism>) -> Self {
        let machinery = Machinery {
            spawner: Arc::new(Spawner::start()),
            api_thread: Arc::new(ApiThread::new()),
            shares: Arc::new(CpuShares::new(cores, mechanism)),
            groups: Arc::new(Groups::default()),
            forced_ends: ForcedEnds::default(),
        };
        Self { machinery, admission: Admission::new(cores * ADMITTED), rounds: Rounds::default() }
    }
}

/// One for the whole machine.
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
    pub forced_ends: ForcedEnds,
}
