//! Invocations that other work on this machine has disturbed: which they are, and how the one who measures is told.
//!
//! The endpoint itself never runs a handler twice for one `Invoke`: what it does beside returning an answer would be done
//! twice, and nobody would know. It marks the REPORT instead, with fields that Lambda's never has, and the measuring apparatus
//! makes another invocation as it makes any other. Who is not the apparatus sees REPORTs as Lambda writes them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The part of an invocation's time above which a delay counts. An average of invocations that are all delayed by less is within
/// 5 % of what it would be on an idle machine.
const TOLERANCE: f64 = 0.04;
/// A delay that counts is longer than this: waking up a process and its answer on an idle machine takes about half of it.
const LATENCY: Duration = Duration::from_micros(200);

/// What becomes of invocations that were disturbed, when the measuring apparatus makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disturbed {
    /// They are made again, and counted when that does not help.
    Repeat,
    /// They are counted, and the result says so.
    Say,
    /// Nobody looks for them.
    #[default]
    Ignore,
}

impl Disturbed {
    const ALL: [Self; 3] = [Self::Repeat, Self::Say, Self::Ignore];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Say => "say",
            Self::Ignore => "ignore",
        }
    }

    /// What an invocation's REPORT is to say, if other work delayed it by so much of its whole time, initialization included.
    #[must_use]
    pub fn mark(self, delay: Duration, whole: Duration) -> Option<Mark> {
        let disturbed = delay > whole.mul_f64(TOLERANCE).max(LATENCY);
        (disturbed && self != Self::Ignore)
            .then(|| Mark { delay_ms: delay.as_secs_f64() * 1000.0, repeat: self == Self::Repeat })
    }
}

impl FromStr for Disturbed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|disturbed| disturbed.name() == text);
        found.ok_or_else(|| format!("must be {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What a REPORT says of an invocation that was disturbed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// By how much it was delayed at most, in milliseconds.
    pub delay_ms: f64,
    /// Whether another one is to be made.
    pub repeat: bool,
}

/// The end of a REPORT line.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Local Delay: {:.2} ms\tLocal Repeat: {}\t", self.delay_ms, self.repeat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_delayed_by_a_twentieth_is_disturbed() {
        let ms = Duration::from_millis;
        assert_eq!(Disturbed::Repeat.mark(ms(39), ms(1000)), None);
        let mark = Disturbed::Repeat.mark(ms(50), ms(1000)).unwrap();
        assert_eq!(mark.to_string(), "Local Delay: 50.00 ms\tLocal Repeat: true\t");
        assert_eq!(Disturbed::Say.mark(ms(50), ms(1000)), Some(Mark { delay_ms: 50.0, repeat: false }));
        assert_eq!(
            Disturbed::Repeat.mark(Duration::from_micros(150), ms(1)),
            None,
            "so long takes an idle machine"
        );
        assert_eq!(Disturbed::Ignore.mark(ms(900), ms(1000)), None);
    }

    #[test]
    fn what_becomes_of_them_is_read_by_name() {
        for disturbed in Disturbed::ALL {
            assert_eq!(disturbed.name().parse(), Ok(disturbed));
        }
        assert_eq!("no".parse::<Disturbed>().unwrap_err(), "must be repeat, say, ignore");
    }
}
