//! How long a group waited for a CPU that it had a right to, by the kernel's own accounts.
//!
//! The kernel counts for every thread how long it was ready to run and did not (the second number in
//! `/proc/PID/task/TID/schedstat`). Two things in that are the share's own doing and no disturbance:
//!
//! - throttling. A thread whose group has used up its budget counts as waiting. How long a group was throttled stands in
//!   its `cpu.stat`, and is taken off. The kernel hands a budget to the cores in pieces, though, and what a thread that is moved
//!   leaves behind on one is missing on the next, so as much throttling as there was waiting counts as caused by it. A stopped process ([`crate::duty`]) does not count as waiting at all; a supervisor that
//!   continues it late does, so that is added.
//! - waiting within a period whose budget was used up all the same: less time would have been spent throttled instead. So
//!   no more is counted than the time by which the group is behind what its CPU time takes at its share.
//!
//! What the host of a virtual machine takes for itself is not in the count of any thread, but in `steal` of `/proc/stat`, for all cores together
//! and in hundredths of a second: that is added as well.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::PERIOD;

/// What the kernel has counted for a group since the account was opened.
#[derive(Debug, Default)]
pub struct Account {
    waited: Counters,
    used: Counters,
    /// Throttled by its own budget, at the beginning and by now.
    throttled: (Duration, Duration),
    /// Continued late by the supervisor.
    late: Duration,
    /// Taken by the host of the virtual machine, at the beginning and by now.
    stolen: (Duration, Duration),
}

impl Account {
    /// Notes what the kernel has counted up to now. What a thread counted before the first call belongs to no account.
    pub(super) fn open(&mut self, group: &Counted) {
        self.throttled = (group.throttled, group.throttled);
        self.stolen = (group.stolen, group.stolen);
        self.waited.open(waits(&group.pids));
        self.used.open(uses(&group.pids));
    }

    /// Notes what the kernel has counted by now. A thread is known from the first call that finds it to the last, so calls from
    /// time to time see threads that do not live to the end.
    pub(super) fn note(&mut self, group: &Counted) {
        self.waited.note(waits(&group.pids));
        self.used.note(uses(&group.pids));
        self.throttled.1 = self.throttled.1.max(group.throttled);
        self.late = self.late.max(group.late);
        self.stolen.1 = self.stolen.1.max(group.stolen);
    }

    /// How much longer the group took than it would have on a machine with nothing else to do, at most, when it took
    /// `wall` at this share of a core (`None`: without a limit) on a machine of so many cores.
    #[must_use]
    pub fn delay(&self, wall: Duration, share: Option<f64>, cores: f64) -> Duration {
        let throttled = self.throttled.1.saturating_sub(self.throttled.0);
        let ready = self.waited.total();
        let stolen = self.stolen.1.saturating_sub(self.stolen.0);
        let waited = (ready.saturating_sub(throttled) * 2).min(ready) + self.late + stolen;
        let needed = least(self.used.total(), share.map_or(cores, |share| share.min(cores)));
        waited.min(wall.saturating_sub(needed))
    }
}

/// The least that so much CPU time takes at a share of a core. A share below one comes as a budget for each period: that of
/// the period in which the group begins to run is there at once, however soon the next one begins.
fn least(used: Duration, share: f64) -> Duration {
    let all = used.div_f64(share.max(f64::MIN_POSITIVE));
    all.saturating_sub(PERIOD.mul_f64((1.0 - share).max(0.0)))
}

/// What there is to know of a group now.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) pids: Vec<i32>,
    pub(super) throttled: Duration,
    pub(super) late: Duration,
    pub(super) stolen: Duration,
}

/// Counters of threads or processes that only grow, by id.
#[derive(Debug, Default)]
struct Counters {
    known: HashMap<i32, (Duration, Duration)>,
    /// Of those whose id somebody else has by now.
    gone: Duration,
}

impl Counters {
    fn open(&mut self, now: impl IntoIterator<Item = (i32, Duration)>) {
        self.known = now.into_iter().map(|(id, count)| (id, (count, count))).collect();
    }

    fn note(&mut self, now: impl IntoIterator<Item = (i32, Duration)>) {
        for (id, count) in now {
            let (first, last) = self.known.entry(id).or_default();
            if count < *last {
                self.gone += last.saturating_sub(*first);
                *first = Duration::ZERO;
            }
            *last = count;
        }
    }

    fn total(&self) -> Duration {
        self.gone + self.known.values().map(|(first, last)| last.saturating_sub(*first)).sum::<Duration>()
    }
}

/// For how long a thread of this process was ready to run and did not, since it started.
#[must_use]
pub fn waited(thread: i32) -> Option<Duration> {
    second(&fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?)
}

/// What the host of this virtual machine has taken for itself, of all cores; nothing elsewhere.
pub(super) fn stolen() -> Duration {
    fs::read_to_string("/proc/stat").ok().and_then(|stat| steal(&stat)).unwrap_or_default()
}

/// The eighth number of the first line: hundredths of a second, whatever the kernel's own clock is.
fn steal(stat: &str) -> Option<Duration> {
    let hundredths: u64 = stat.lines().next()?.split_whitespace().nth(8)?.parse().ok()?;
    Some(Duration::from_millis(hundredths.saturating_mul(10)))
}

/// For how long each thread of these processes was ready to run and did not.
fn waits(pids: &[i32]) -> impl Iterator<Item = (i32, Duration)> {
    let threads = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok());
    threads.flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let line = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, second(&line)?))
    })
}

/// The second number of a line of `schedstat`, in nanoseconds.
fn second(line: &str) -> Option<Duration> {
    Some(Duration::from_nanos(line.split_whitespace().nth(1)?.parse().ok()?))
}

/// The CPU time of each of these processes.
fn uses(pids: &[i32]) -> impl Iterator<Item = (i32, Duration)> {
    pids.iter().filter_map(|pid| Some((*pid, used(*pid)?)))
}

/// The CPU time of a process, threads that have ended included.
fn used(pid: i32) -> Option<Duration> {
    let clock: ClockId = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
    Some(Duration::from(clock_gettime(clock).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn account(waited_ms: u32, throttled_ms: u32, used_ms: u32) -> Account {
        let counters =
            |ms: u32| Counters { known: HashMap::from([(1, (MS, MS * (ms + 1)))]), gone: Duration::ZERO };
        Account {
            waited: counters(waited_ms),
            used: counters(used_ms),
            throttled: (MS * 7, MS * (throttled_ms + 7)),
            late: Duration::ZERO,
            stolen: (MS * 30, MS * 30),
        }
    }

    #[test]
    fn what_the_host_takes_is_a_delay_as_far_as_the_group_is_behind() {
        let stolen = |ms: u32| Account { stolen: (MS * 30, MS * (30 + ms)), ..account(5, 0, 100) };
        assert_eq!(stolen(20).delay(MS * 140, Some(1.0), 2.0), MS * 25);
        assert_eq!(stolen(50).delay(MS * 140, Some(1.0), 2.0), MS * 40);
        assert_eq!(steal("cpu  1 0 2 3 0 0 4 57 0 0\ncpu0 1 0 2 3 0 0 4 56 0 0\n"), Some(MS * 570));
        assert_eq!(steal("cpu 1"), None);
    }

    #[test]
    fn what_the_share_itself_makes_a_group_wait_is_no_delay() {
        // 128 MB: 120 ms of CPU take 1,659 ms, all of it throttled but for what it runs.
        let small = Some(128.0 / 1769.0);
        assert_eq!(account(1539, 1539, 120).delay(MS * 1659, small, 2.0), Duration::ZERO);
        // It also waited for a core 180 ms, in periods whose budget it used up nevertheless: a period's rest is all it may have lost.
        assert!(account(1539, 1359, 120).delay(MS * 1659, small, 2.0) < MS * 20);
        // At 1,769 MB nothing throttles, and every wait is lost.
        assert_eq!(account(120, 0, 120).delay(MS * 240, Some(1.0), 2.0), MS * 120);
        // It was moved to another core, and throttled there for want of what was left on the first one.
        assert_eq!(account(90, 12, 120).delay(MS * 210, Some(1.0), 2.0), MS * 90);
        // A share larger than the machine, or none.
        assert_eq!(account(120, 0, 120).delay(MS * 240, None, 2.0), MS * 120);
        assert_eq!(account(0, 0, 120).delay(MS * 400, None, 2.0), Duration::ZERO, "asleep is not waiting");
    }

    #[test]
    fn two_threads_on_one_core_that_is_all_they_have_wait_for_each_other() {
        // Each of them ran for 100 ms of 200 and waited for the other one as long.
        assert_eq!(account(200, 0, 200).delay(MS * 200, Some(1.0), 2.0), Duration::ZERO);
    }

    #[test]
    fn counters_of_threads_that_come_and_go_add_up() {
        let mut counters = Counters::default();
        counters.open([(1, MS * 10), (2, MS)]);
        counters.note([(1, MS * 12), (3, MS * 5)]);
        counters.note([(1, MS * 15), (3, MS)]);
        assert_eq!(counters.total(), MS * (5 + 5 + 1), "1 since it was opened, 3 twice, 2 not at all");
    }

    #[test]
    fn the_kernel_says_how_long_this_process_waited() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(waits(&[pid]).count() >= 1);
        assert!(used(pid).unwrap() > Duration::ZERO);
        assert!(super::waited(nix::unistd::gettid().as_raw()).is_some());
        assert_eq!(second("455022347 38906823 23\n"), Some(Duration::from_nanos(38_906_823)));
    }
}
