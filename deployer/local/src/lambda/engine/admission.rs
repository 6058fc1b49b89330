//! Who may use the machine's cores now: invocations enter in the order they came, while their CPU shares fit, so that
//! functions measured side by side do not disturb each other. Time spent waiting here is no part of a duration.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A share in millionths of a core: whole numbers, so that what is taken is given back exactly.
type Micros = u64;

/// The cores and those who use them. Cloning shares them.
#[derive(Clone)]
pub struct Admission {
    state: Arc<Mutex<State>>,
}

struct State {
    capacity: Micros,
    used: Micros,
    waiting: VecDeque<(Micros, oneshot::Sender<Permit>)>,
}

/// A share in use; dropping it lets others in.
pub struct Permit {
    admission: Admission,
    share: Micros,
}

impl Admission {
    /// So many cores, all free.
    pub fn new(cores: f64) -> Self {
        let state = State { capacity: micros(cores).max(1), used: 0, waiting: VecDeque::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a share of `cores`, at most all there are.
    pub async fn enter(&self, cores: f64) -> Permit {
        let admitted = {
            let mut state = self.lock();
            let share = micros(cores).min(state.capacity);
            if state.waiting.is_empty() && state.used + share <= state.capacity {
                state.used += share;
                return Permit { admission: self.clone(), share };
            }
            let (tell, admitted) = oneshot::channel();
            state.waiting.push_back((share, tell));
            admitted
        };
        match admitted.await {
            Ok(permit) => permit,
            // Only a dropped queue tells nobody, and this very call keeps it.
            Err(_) => self.enter_now(cores),
        }
    }

    /// Takes a share without waiting, more than there is if need be: for those whom a running invocation waits for.
    pub fn enter_now(&self, cores: f64) -> Permit {
        let mut state = self.lock();
        let share = micros(cores).min(state.capacity);
        state.used += share;
        Permit { admission: self.clone(), share }
    }

    fn release(&self, share: Micros) {
        let mut admitted = Vec::new();
        {
            let mut state = self.lock();
            state.used -= share;
            while let Some((share, _)) = state.waiting.front() {
                if state.used + share > state.capacity {
                    break;
                }
                if let Some((share, tell)) = state.waiting.pop_front() {
                    state.used += share;
                    admitted.push((share, tell));
                }
            }
        }
        for (share, tell) in admitted {
            // Somebody who gave up waiting hands the permit back by dropping it.
            let _ = tell.send(Permit { admission: self.clone(), share });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Gives back what is more than `cores`.
    pub fn shrink(&mut self, cores: f64) {
        let less = micros(cores).min(self.share);
        let back = self.share - less;
        self.share = less;
        self.admission.release(back);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release(self.share);
    }
}

fn micros(cores: f64) -> Micros {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "cores are few and not negative"
    )]
    let micros = (cores * 1e6).round() as Micros;
    micros
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn waits(entering: &mut std::pin::Pin<Box<dyn Future<Output = Permit> + '_>>) -> bool {
        tokio::time::timeout(Duration::from_millis(20), entering).await.is_err()
    }

    #[tokio::test]
    async fn shares_enter_while_they_fit_and_in_order() {
        let admission = Admission::new(2.0);
        let first = admission.enter(1.5).await;
        let mut large: std::pin::Pin<Box<dyn Future<Output = Permit>>> = Box::pin(admission.enter(1.0));
        assert!(waits(&mut large).await);
        // It would fit, but who came first goes first: otherwise large shares would wait for ever.
        let mut small: std::pin::Pin<Box<dyn Future<Output = Permit>>> = Box::pin(admission.enter(0.1));
        assert!(waits(&mut small).await);
        drop(first);
        let (large, small) = (large.await, small.await);
        assert_eq!((large.share, small.share), (1_000_000, 100_000));
    }

    #[tokio::test]
    async fn a_share_larger_than_the_machine_takes_all_of_it() {
        let admission = Admission::new(2.0);
        let all = admission.enter(5.8).await;
        let mut next: std::pin::Pin<Box<dyn Future<Output = Permit>>> = Box::pin(admission.enter(0.07));
        assert!(waits(&mut next).await);
        drop(all);
        next.await;
    }

    #[tokio::test]
    async fn shrinking_lets_others_in_and_giving_up_blocks_nobody() {
        let admission = Admission::new(1.0);
        let mut permit = admission.enter(1.0).await;
        let mut gives_up: std::pin::Pin<Box<dyn Future<Output = Permit>>> = Box::pin(admission.enter(0.9));
        assert!(waits(&mut gives_up).await);
        drop(gives_up);
        permit.shrink(0.1);
        let other = admission.enter(0.9).await;
        assert_eq!(other.share, 900_000);
        let nested = admission.enter_now(0.5);
        drop((permit, other, nested));
        assert_eq!(admission.lock().used, 0);
    }
}
