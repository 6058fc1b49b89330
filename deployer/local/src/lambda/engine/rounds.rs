//! The turns of the sizes that are measured side by side: each version of a function makes its next invocation when the others
//! have made as many, so that a slow minute of the machine touches all of them alike. Holds only what the measuring apparatus
//! invokes one after another; time spent waiting here is no part of a duration.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// For how long a version belongs to the rounds after its last invocation: who measures it needs a moment to look at an answer
/// and to ask for the next.
const BETWEEN: Duration = Duration::from_secs(1);
/// The longest that one waits for the others: an answer must arrive before its caller gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The function's name and its version.
type Who = (String, String);

/// Who is in which round.
#[derive(Default)]
pub struct Rounds {
    taking_part: Mutex<HashMap<Who, Part>>,
    changed: Notify,
}

struct Part {
    made: u64,
    under_way: u32,
    last: Instant,
}

impl Part {
    fn is_over(&self, now: Instant) -> bool {
        self.under_way == 0 && now.duration_since(self.last) >= BETWEEN
    }
}

/// An invocation in a round; dropping it ends its turn.
pub struct Turn<'a> {
    rounds: &'a Rounds,
    who: Who,
}

impl Rounds {
    /// Waits until the function's other versions have made as many invocations as this one. Who has one under way already
    /// makes them all at once, and waits for nobody.
    pub async fn turn(&self, function: &str, version: &str) -> Turn<'_> {
        let who = (function.to_owned(), version.to_owned());
        let alone = self.join(&who);
        let turn = Turn { rounds: self, who };
        if !alone {
            return turn;
        }
        let patient_until = Instant::now() + PATIENCE;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = Instant::now();
            if now >= patient_until || !self.must_wait(&turn.who, now) {
                return turn;
            }
            // Nobody tells when a version's time in the rounds is over.
            let _ = tokio::time::timeout(BETWEEN, changed).await;
        }
    }

    /// Takes part from the round on that the others are in; whether nothing of it was under way.
    fn join(&self, who: &Who) -> bool {
        let now = Instant::now();
        let mut parts = self.lock();
        parts.retain(|_, part| !part.is_over(now));
        let others = parts.iter().filter(|((function, _), _)| *function == who.0);
        let round = others.map(|(_, part)| part.made).min().unwrap_or_default();
        let part = parts.entry(who.clone()).or_insert(Part { made: round, under_way: 0, last: now });
        part.under_way += 1;
        part.under_way == 1
    }

    fn must_wait(&self, who: &Who, now: Instant) -> bool {
        let parts = self.lock();
        let mine = parts.get(who).map_or(0, |part| part.made);
        let behind =
            |(other, part): (&Who, &Part)| other.0 == who.0 && part.made < mine && !part.is_over(now);
        parts.iter().any(behind)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Who, Part>> {
        self.taking_part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(part) = self.rounds.lock().get_mut(&self.who) {
            part.made += 1;
            part.under_way -= 1;
            part.last = Instant::now();
        }
        self.rounds.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Fails when somebody waits who should not: waiting for the others ends by itself, but not so soon.
    async fn without_waiting<R>(what: impl Future<Output = R>) -> R {
        tokio::time::timeout(PATIENCE / 2, what).await.expect("nobody is waited for")
    }

    /// Makes so many invocations of so many milliseconds, one after another, and notes each.
    async fn series(
        rounds: &Rounds,
        order: &Mutex<Vec<&'static str>>,
        version: &'static str,
        n: u32,
        ms: u64,
    ) {
        for _ in 0..n {
            let turn = rounds.turn("f", version).await;
            order.lock().unwrap().push(version);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            drop(turn);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn versions_take_turns_however_fast_they_are() {
        let (rounds, order) = (Rounds::default(), Mutex::default());
        tokio::join!(
            series(&rounds, &order, "slow", 6, 30),
            series(&rounds, &order, "middling", 6, 5),
            series(&rounds, &order, "fast", 6, 1)
        );
        let order = order.into_inner().unwrap();
        // Of any beginning, no version is more than an invocation ahead of another.
        for end in 1..=order.len() {
            let made = |version| order[..end].iter().filter(|v| **v == version).count();
            let made = ["slow", "middling", "fast"].map(made);
            assert!(made.iter().max().unwrap() - made.iter().min().unwrap() <= 1, "{order:?}");
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_those_who_have_ended_or_for_another_function() {
        let (rounds, order) = (Rounds::default(), Mutex::default());
        let other = rounds.turn("another", "1").await;
        let both = async {
            tokio::join!(series(&rounds, &order, "few", 2, 1), series(&rounds, &order, "many", 5, 1))
        };
        without_waiting(both).await;
        assert_eq!(order.into_inner().unwrap().iter().filter(|v| **v == "many").count(), 5);
        drop(other);
    }

    #[tokio::test]
    async fn all_at_once_wait_for_nobody() {
        let rounds = Arc::new(Rounds::default());
        let behind = rounds.turn("f", "1").await;
        let first = rounds.turn("f", "2").await;
        let second = rounds.turn("f", "2").await;
        // Now it has made one, and the other version none.
        drop(first);
        let third = without_waiting(rounds.turn("f", "2")).await;
        drop((second, third, behind));
    }

    #[tokio::test]
    async fn who_comes_later_begins_in_the_round_of_the_others() {
        let rounds = Rounds::default();
        for _ in 0..3 {
            drop(rounds.turn("f", "1").await);
        }
        let late = rounds.turn("f", "2").await;
        drop(rounds.turn("f", "1").await);
        drop(late);
        assert_eq!(rounds.lock().values().map(|part| part.made).collect::<Vec<_>>(), [4, 4]);
    }
}
