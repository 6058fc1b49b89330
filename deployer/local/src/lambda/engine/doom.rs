//! Ends what an environment runs on purpose, as an injected fault ([`crate::faults`]): its time is up, or its process is
//! killed. Environments are known by their session's key, which is how a call shows who made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doom {
    /// As if its time-out had passed.
    TimeUp,
    /// Killed.
    Crash,
}

/// The environments there are. Cloning shares them.
#[derive(Clone, Default)]
pub struct Dooms(Arc<Mutex<HashMap<String, UnboundedSender<Doom>>>>);

/// An environment's own end of it.
pub struct Doomed {
    dooms: Dooms,
    access_key_id: String,
    receiver: UnboundedReceiver<Doom>,
}

impl Dooms {
    /// Makes a session's environment known, as long as what is returned lives.
    pub fn watch(&self, access_key_id: &str) -> Doomed {
        let (sender, receiver) = unbounded_channel();
        self.lock().insert(access_key_id.to_owned(), sender);
        Doomed { dooms: self.clone(), access_key_id: access_key_id.to_owned(), receiver }
    }

    /// Ends the environment of a session and waits until it is gone; nothing when there is none.
    pub async fn send(&self, access_key_id: &str, doom: Doom) {
        let sender = self.lock().get(access_key_id).cloned();
        if let Some(sender) = sender
            && sender.send(doom).is_ok()
        {
            sender.closed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, UnboundedSender<Doom>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doomed {
    /// Waits for the end that was ordered; mostly for ever.
    pub async fn next(&mut self) -> Doom {
        match self.receiver.recv().await {
            Some(doom) => doom,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        self.dooms.lock().remove(&self.access_key_id);
    }
}
