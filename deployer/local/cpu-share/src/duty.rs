//! CPU shares without control groups: the duty cycle.
//!
//! It works without privileges on any Linux: a supervisor reads the process's CPU clock and stops and continues its
//! process group. It does what the kernel's bandwidth control does: every 20 ms of wall time bring a
//! budget of `20 ms × share`; who has used it up waits for the next period, unused budget is lost (so time spent
//! waiting cannot be saved up), and overdrawn budget is paid back. Because the loop is closed over the clock, an
//! imprecise timer shifts when the process runs but not how much.
//!
//! It counts the process and those its group has had long enough to be seen (see [`crate::lambda::engine::process`]).

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::PERIOD;

/// Looking again sooner than this costs more than it brings.
const SHORTEST_LOOK: Duration = Duration::from_micros(250);
/// Looking again later than this lets a process that wakes up run too far ahead.
const LONGEST_LOOK: Duration = Duration::from_millis(2);

/// The supervisor of all processes that run at a share.
#[derive(Clone)]
pub struct Duty {
    supervised: Arc<Supervised>,
}

struct Supervised {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    processes: HashMap<i32, Process>,
    closed: bool,
}

/// A process group and its budget, in seconds of CPU time.
struct Process {
    clocks: HashMap<i32, (ClockId, Duration)>,
    share: f64,
    budget: f64,
    period_ends: Instant,
    look_at: Instant,
    looked_at: Instant,
    stopped: bool,
    /// For how long it was left stopped though it had a budget again.
    late: Duration,
}

/// One process group under supervision; dropping it ends that.
pub struct Supervision {
    duty: Duty,
    group: Pid,
}

impl Duty {
    /// Starts the supervisor.
    pub fn start() -> Self {
        let supervised = Arc::new(Supervised { state: Mutex::default(), changed: Condvar::new() });
        let watched = Arc::clone(&supervised);
        let thread = std::thread::Builder::new().name("lambda-cpu-share".to_owned());
        let _ = thread.spawn(move || {
            // The default lets timers be late by 50 µs, a good part of a small budget.
            let _ = nix::sys::prctl::set_timerslack(1_000);
            go_first();
            supervise(&watched);
        });
        Self { supervised }
    }

    /// Takes a process group into care. It runs, at full speed.
    pub fn supervise(&self, group: Pid) -> Supervision {
        Supervision { duty: self.clone(), group }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.supervised.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the supervisor, leaving every process as it is.
    pub fn close(&self) {
        self.lock().closed = true;
        self.supervised.changed.notify_one();
    }
}

impl Supervision {
    /// Lets the group run, with this share of a core or, with none, at full speed.
    pub fn run(&self, share: Option<f64>) {
        let mut state = self.duty.lock();
        state.processes.remove(&self.group.as_raw());
        if let Some(share) = share {
            let now = Instant::now();
            let process = Process {
                clocks: HashMap::from_iter(clock(self.group)),
                share,
                budget: share * PERIOD.as_secs_f64(),
                period_ends: now + PERIOD,
                look_at: now,
                looked_at: now,
                stopped: false,
                late: Duration::ZERO,
            };
            state.processes.insert(self.group.as_raw(), process);
            self.duty.supervised.changed.notify_one();
        }
        let _ = killpg(self.group, Signal::SIGCONT);
    }

    /// Stops the group until it is to run again, as Lambda freezes an environment between invocations.
    pub fn freeze(&self) {
        let mut state = self.duty.lock();
        state.processes.remove(&self.group.as_raw());
        let _ = killpg(self.group, Signal::SIGSTOP);
    }

    /// For how long the group, since it was last let run, was left stopped though it had a budget again.
    pub fn late(&self) -> Duration {
        self.duty.lock().processes.get(&self.group.as_raw()).map(|process| process.late).unwrap_or_default()
    }

    /// Says which processes belong to the group besides its first.
    pub fn members(&self, pids: &[i32]) {
        let mut state = self.duty.lock();
        if let Some(process) = state.processes.get_mut(&self.group.as_raw()) {
            let group = self.group.as_raw();
            process.clocks.retain(|pid, _| *pid == group || pids.contains(pid));
            for pid in pids {
                if !process.clocks.contains_key(pid) {
                    process.clocks.extend(clock(Pid::from_raw(*pid)));
                }
            }
        }
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        self.duty.lock().processes.remove(&self.group.as_raw());
    }
}

/// Lets this thread run before all ordinary ones, where the system allows that: on a busy machine the functions would
/// otherwise keep the supervisor waiting, and run on meanwhile. It sleeps most of the time, so it keeps nobody waiting.
fn go_first() {
    // SAFETY: zeros are a value of all its fields, which not every C library has the same of.
    let mut parameters: nix::libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 1;
    // Not `sched_setscheduler`, which musl refuses without asking the kernel.
    // SAFETY: the call reads the parameters, which live until it returns, and changes the calling thread only.
    let _ = unsafe {
        nix::libc::pthread_setschedparam(
            nix::libc::pthread_self(),
            nix::libc::SCHED_RR,
            &raw const parameters,
        )
    };
}

fn clock(pid: Pid) -> Option<(i32, (ClockId, Duration))> {
    let clock = clock_getcpuclockid(pid).ok()?;
    Some((pid.as_raw(), (clock, used(clock)?)))
}

fn used(clock: ClockId) -> Option<Duration> {
    Some(Duration::from(clock_gettime(clock).ok()?))
}

fn supervise(supervised: &Supervised) {
    let mut state = supervised.state.lock().unwrap_or_else(PoisonError::into_inner);
    while !state.closed {
        let now = Instant::now();
        for (group, process) in &mut state.processes {
            if process.look_at <= now {
                process.look(Pid::from_raw(*group), now);
            }
        }
        let next = state.processes.values().map(|p| p.look_at).min();
        state = match next {
            None => supervised.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let pause = at.saturating_duration_since(Instant::now());
                let waited = supervised.changed.wait_timeout(state, pause);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

impl Process {
    /// Settles what was used since the last look, and stops or continues the group.
    fn look(&mut self, group: Pid, now: Instant) {
        let mut spent = Duration::ZERO;
        for (clock, before) in self.clocks.values_mut() {
            if let Some(after) = used(*clock) {
                spent += after.saturating_sub(*before);
                *before = after;
            }
        }
        let since = now.saturating_duration_since(self.looked_at).as_secs_f64();
        self.looked_at = now;
        self.settle(spent.as_secs_f64(), now);
        if self.budget <= 0.0 {
            if !self.stopped {
                let _ = killpg(group, Signal::SIGSTOP);
                self.stopped = true;
            }
            let periods = (-self.budget / self.per_period()).floor();
            self.look_at = self.period_ends + PERIOD.mul_f64(periods);
            return;
        }
        if self.stopped {
            let _ = killpg(group, Signal::SIGCONT);
            self.late += now.saturating_duration_since(self.look_at);
            self.stopped = false;
        }
        // As many threads as have just been seen burning may use up the budget together.
        let threads = if since > 0.0 { (spent.as_secs_f64() / since).max(1.0) } else { 1.0 };
        let lasts = Duration::from_secs_f64(self.budget / threads).clamp(SHORTEST_LOOK, LONGEST_LOOK);
        self.look_at = (now + lasts).min(self.period_ends.max(now + SHORTEST_LOOK));
    }

    /// Takes what was used from the budget, and adds what the periods ended since have brought.
    fn settle(&mut self, spent: f64, now: Instant) {
        self.budget -= spent;
        while self.period_ends <= now {
            self.budget = (self.budget + self.per_period()).min(self.per_period());
            self.period_ends += PERIOD;
        }
    }

    fn per_period(&self) -> f64 {
        self.share * PERIOD.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(share: f64, now: Instant) -> Process {
        Process {
            clocks: HashMap::new(),
            share,
            budget: share * 0.02,
            period_ends: now + PERIOD,
            look_at: now,
            looked_at: now,
            stopped: false,
            late: Duration::ZERO,
        }
    }

    #[test]
    fn unused_budget_is_lost_and_overdrawn_budget_is_paid_back() {
        let now = Instant::now();
        let mut idle = process(0.1, now);
        idle.settle(0.0, now + Duration::from_secs(1));
        assert!((idle.budget - 0.002).abs() < 1e-9);
        let mut burning = process(0.1, now);
        burning.settle(0.010, now + Duration::from_millis(10));
        assert!((burning.budget - -0.008).abs() < 1e-9);
        burning.settle(0.0, now + Duration::from_millis(70));
        assert!((burning.budget - -0.002).abs() < 1e-9);
    }

    #[test]
    fn an_overdrawn_process_is_looked_at_when_it_may_run_again() {
        let now = Instant::now();
        let mut process = process(0.1, now);
        process.budget = -0.005;
        // Signals go to a group that cannot be.
        process.look(Pid::from_raw(i32::MAX), now);
        assert!(process.stopped);
        assert_eq!(process.look_at, now + 3 * PERIOD);
        process.look(Pid::from_raw(i32::MAX), now + 3 * PERIOD);
        assert!(!process.stopped && process.budget > 0.0);
    }
}
