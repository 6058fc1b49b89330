//! Ends what an environment runs on purpose, as an injected fault ([`crate::faults`]): its time is up, or its process is
//! killed. Environments are known by their session's key, which is how a call shows who made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedEnd {
    /// As if its time-out had passed.
    TimeUp,
    /// Killed.
    Crash,
}

/// The environments there are. Cloning shares them.
#[derive(Clone, Default)]
pub struct ForcedEnds(Arc<Mutex<HashMap<String, UnboundedSender<ForcedEnd>>>>);

/// An environment's own end of it.
pub struct Watch {
    forced_ends: ForcedEnds,
    access_key_id: String,
    receiver: UnboundedReceiver<ForcedEnd>,
}

impl ForcedEnds {
    /// Makes a session's environment known, as long as what is returned lives.
    pub fn watch(&self, access_key_id: &str) -> Watch {
        let (sender, receiver) = unbounded_channel();
        self.lock().insert(access_key_id.to_owned(), sender);
        Watch { forced_ends: self.clone(), access_key_id: access_key_id.to_owned(), receiver }
    }

    /// Ends the environment of a session and waits until it is gone; nothing when there is none.
    pub async fn send(&self, access_key_id: &str, end: ForcedEnd) {
        let sender = self.lock().get(access_key_id).cloned();
        if let Some(sender) = sender
            && sender.send(end).is_ok()
        {
            sender.closed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, UnboundedSender<ForcedEnd>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Waits for the end that was ordered; mostly for ever.
    pub async fn next(&mut self) -> ForcedEnd {
        match self.receiver.recv().await {
            Some(end) => end,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.forced_ends.lock().remove(&self.access_key_id);
    }
}
