//! Events: invocations that nobody waits for. They are records until they are done, so that they outlive the process,
//! and are tried again when the function fails or is throttled.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::{Aws, ids};

use super::name::Target;
use super::record::{FUNCTION, Function, now_ms};
use super::{Invoked, Lambda};

/// Queued events, by request id.
const EVENT: &str = "function-event";
/// How long an event is tried while its function is throttled.
const AGE_LIMIT_MS: i64 = 6 * 60 * 60 * 1000;
/// How often an event is tried again when its function fails.
const RETRIES: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// An event on its way to a function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Queued {
    function: String,
    qualifier: Option<String>,
    payload: String,
    client_context: Option<String>,
    queued_at: i64,
    failures: u32,
}

/// What runs in the background: invocations and events, which are waited for, and helpers, which are not.
#[derive(Default)]
pub struct Tasks {
    running: watch::Sender<usize>,
    set: Mutex<JoinSet<()>>,
    hurry: Notify,
    hurried: std::sync::atomic::AtomicBool,
}

struct Counted(Arc<Tasks>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.running.send_modify(|n| *n -= 1);
    }
}

impl Tasks {
    /// Runs something to be waited for at the end.
    pub fn run(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        self.running.send_modify(|n| *n += 1);
        let counted = Counted(Arc::clone(self));
        self.background(async move {
            let _counted = counted;
            work.await;
        });
    }

    /// Runs something that may be dropped at the end.
    pub fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while set.try_join_next().is_some() {}
        set.spawn(work);
    }

    /// Waits until nothing is left to be waited for.
    pub async fn idle(&self) {
        let _ = self.running.subscribe().wait_for(|n| *n == 0).await;
    }

    /// Ends pauses, now and from now on.
    pub fn hurry(&self) {
        self.hurried.store(true, std::sync::atomic::Ordering::Release);
        self.hurry.notify_waiters();
    }

    /// A pause that [`Tasks::hurry`] cuts short.
    async fn pause(&self, pause: Duration) {
        let hurry = self.hurry.notified();
        if self.hurried.load(std::sync::atomic::Ordering::Acquire) {
            // A little is left, so that who fails at once does not spin.
            return tokio::time::sleep(pause.min(Duration::from_millis(20))).await;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = hurry => {}
        }
    }

    /// Ends everything.
    pub async fn abort(&self) {
        let mut set = std::mem::take(&mut *self.set.lock().unwrap_or_else(PoisonError::into_inner));
        set.shutdown().await;
    }
}

impl Lambda {
    /// Keeps an event and has it processed.
    pub(super) fn enqueue(
        &self,
        aws: &Arc<Aws>,
        target: &Target,
        payload: String,
        client_context: Option<String>,
    ) {
        let queued = Queued {
            function: target.name.clone(),
            qualifier: target.qualifier.clone(),
            payload,
            client_context,
            queued_at: now_ms(),
            failures: 0,
        };
        let id = ids::uuid();
        aws.store.put(EVENT, &id, &queued);
        self.process(aws, id, queued);
    }

    pub(super) fn resume_queue(&self, aws: &Arc<Aws>) {
        for (id, queued) in aws.store.list::<Queued>(EVENT) {
            self.process(aws, id, queued);
        }
    }

    fn process(&self, aws: &Arc<Aws>, id: String, mut queued: Queued) {
        let (aws, tasks) = (Arc::clone(aws), Arc::clone(&self.tasks));
        self.tasks.run(async move {
            let mut throttled_pause = FIRST_PAUSE;
            loop {
                let target = Target { name: queued.function.clone(), qualifier: queued.qualifier.clone() };
                let Some(function) = aws.store.get::<Function>(FUNCTION, &target.name) else { break };
                if now_ms() - queued.queued_at > AGE_LIMIT_MS {
                    break;
                }
                let run = aws.lambda.run_event(
                    &aws,
                    &target,
                    &function,
                    &id,
                    &queued.payload,
                    queued.client_context.clone(),
                );
                match run.await {
                    Ok(Invoked { function_error: None, .. }) => break,
                    Ok(_) => {
                        queued.failures += 1;
                        if queued.failures > RETRIES {
                            break;
                        }
                        aws.store.put(EVENT, &id, &queued);
                        let pauses = aws.lambda.behaviour().retry_pauses;
                        tasks.pause(pauses[(queued.failures as usize - 1).min(1)]).await;
                    }
                    Err(e) if e.status == 404 || e.status == 403 => break,
                    // Throttled, or still being created, or the endpoint's own trouble: not the function's failure.
                    Err(_) => {
                        tasks.pause(throttled_pause).await;
                        throttled_pause = (throttled_pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
            aws.store.delete(EVENT, &id);
        });
    }
}
