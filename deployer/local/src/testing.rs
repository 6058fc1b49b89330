//! A service's tests run on this: all services over a state folder of their own, without the HTTP front.

use std::ops::Deref;
use std::sync::Arc;

use tempfile::TempDir;

use crate::{Aws, Settings};

/// All services over a temporary state folder.
pub struct Local {
    aws: Arc<Aws>,
    _folder: TempDir,
}

impl Local {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            account: crate::ACCOUNT.to_owned(),
            state: folder.path().to_owned(),
            region: "us-east-1".to_owned(),
            url: "http://127.0.0.1:9".to_owned(),
            cpu_share: None,
        };
        Self { aws: Aws::open(settings).unwrap(), _folder: folder }
    }
}

impl Deref for Local {
    type Target = Arc<Aws>;

    fn deref(&self) -> &Arc<Aws> {
        &self.aws
    }
}
