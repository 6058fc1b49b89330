//! How long is waited for AWS to show what it has confirmed, and how long who cleans up is alone.
//!
//! All of it in one place, because these times depend on each other: the lease ends before the silence does, and both are
//! longer than a reading lags behind. Tests shorten them all by one factor ([`Waits::shortened`]), which keeps that order.

use std::time::Duration;

/// The times, as `AWS` asks for them or shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// For this long a reading may show what was there before a confirmed change of an alias or of the function.
    pub stale_reading: Duration,
    /// For this long a reading of the memory size may lag behind a confirmed change: another size is believed after it only.
    pub stale_memory: Duration,
    /// For this long a published version may be missing when it is read by its number.
    pub missing_version: Duration,
    /// For this long aliases that must exist may be missing from lists.
    pub missing_aliases: Duration,
    /// For this long Step Functions may not know an execution that has begun: DescribeExecution is eventually consistent.
    pub missing_execution: Duration,
    /// For this long Step Functions may still report a stopped execution as running.
    pub stale_status: Duration,
    /// Nothing is deleted later than this after the lock was written, answers included.
    pub lease: Duration,
    /// The lock is written again when that was longer ago than this.
    pub renew_after: Duration,
    /// A renewal that has not succeeded by then is begun anew.
    pub write_within: Duration,
    /// A lock that says *stopping* and has not been written for this long is nobody's. The difference to the lease is for
    /// a deletion that Lambda carries out after its caller has given it up.
    pub silence: Duration,
    /// A batch of copies that is not created by then is begun anew in another pass, after another look at the execution.
    pub batch: Duration,
    /// So long after an execution was stopped, no copy is created for it any more: the batch that was begun just before, with an
    /// execution that was still reported as running, is over, and so is what Lambda carries out after its caller has given it up.
    pub last_copy: Duration,
    /// A pass that creates copies is no longer than this.
    pub pass: Duration,
    /// For this long Lambda may refuse or prepare without any version or copy coming into being, over all passes.
    pub patience: Duration,
}

impl Waits {
    /// What is needed on AWS.
    pub const AWS: Self = Self {
        stale_reading: Duration::from_secs(1),
        stale_memory: Duration::from_secs(10),
        missing_version: Duration::from_secs(5),
        missing_aliases: Duration::from_secs(10),
        missing_execution: Duration::from_secs(4),
        stale_status: Duration::from_secs(10),
        lease: Duration::from_secs(8),
        renew_after: Duration::from_secs(3),
        write_within: Duration::from_secs(4),
        silence: Duration::from_secs(12),
        batch: Duration::from_secs(15),
        last_copy: Duration::from_secs(45),
        pass: Duration::from_secs(60),
        patience: Duration::from_secs(30 * 60),
    };

    /// All of them divided by `factor`: for an endpoint on this machine, which shows at once what it has confirmed.
    #[must_use]
    pub fn shortened(self, factor: u32) -> Self {
        Self {
            stale_reading: self.stale_reading / factor,
            stale_memory: self.stale_memory / factor,
            missing_version: self.missing_version / factor,
            missing_aliases: self.missing_aliases / factor,
            missing_execution: self.missing_execution / factor,
            stale_status: self.stale_status / factor,
            lease: self.lease / factor,
            renew_after: self.renew_after / factor,
            write_within: self.write_within / factor,
            silence: self.silence / factor,
            batch: self.batch / factor,
            last_copy: self.last_copy / factor,
            pass: self.pass / factor,
            patience: self.patience / factor,
        }
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self::AWS
    }
}
