//! What can be wrong with a link, in words that name the part.

use super::run::{MAX_POINTS, MAX_RUNS, MAX_SIZE};

/// Why a fragment is not a chart, or runs do not make one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UrlError {
    /// Nothing after the `#`.
    #[error("the link has no data after '#'")]
    Empty,
    /// Neither 3 nor a multiple of 4.
    #[error(
        "the link has {0} part(s) between semicolons: one run has 3 (sizes;times;costs), N named runs have 4·N; it may have been cut"
    )]
    PartCount(usize),
    /// More runs than [`MAX_RUNS`].
    #[error("the link has {0} runs, at most {MAX_RUNS} can be shown")]
    TooManyRuns(usize),
    /// More sizes than [`MAX_POINTS`].
    #[error("run {run} has {points} sizes, at most {MAX_POINTS} can be shown")]
    TooManyPoints {
        /// Which run, from 1.
        run: usize,
        /// How many sizes it has.
        points: usize,
    },
    /// No sizes at all.
    #[error("run {run} has no sizes")]
    NoPoints {
        /// Which run, from 1.
        run: usize,
    },
    /// Characters outside the alphabet, or a cut group.
    #[error("the {part} of run {run} are not base64: {reason}")]
    NotBase64 {
        /// Which run, from 1.
        run: usize,
        /// `sizes`, `times`, `costs`, or an optional part's.
        part: &'static str,
        /// What is wrong with the text.
        reason: String,
    },
    /// A number of bytes that is not a whole number of values.
    #[error(
        "the {part} of run {run} are {bytes} bytes long, which is not a multiple of {width}: the link may have been cut"
    )]
    NotWhole {
        /// Which run, from 1.
        run: usize,
        /// Which of its parts.
        part: &'static str,
        /// How many bytes there are.
        bytes: usize,
        /// How many bytes one value takes.
        width: usize,
    },
    /// Lists of different lengths.
    #[error("run {run} has {sizes} sizes but {values} {part}")]
    Lengths {
        /// Which run, from 1.
        run: usize,
        /// Which of its parts.
        part: &'static str,
        /// How many sizes there are.
        sizes: usize,
        /// How many values the part has.
        values: usize,
    },
    /// A size that is no memory size.
    #[error("size {position} of run {run} is {value}: sizes are from 1 to {MAX_SIZE} MB")]
    Size {
        /// Which run, from 1.
        run: usize,
        /// Which value, from 1.
        position: usize,
        /// What it is.
        value: i64,
    },
    /// A time or a cost that is no amount.
    #[error("value {position} of the {part} of run {run} is {value}: it must be a number, not negative")]
    Amount {
        /// Which run, from 1.
        run: usize,
        /// Which of its parts.
        part: &'static str,
        /// Which value, from 1.
        position: usize,
        /// What it is.
        value: f32,
    },
    /// An optional part that cannot be written.
    #[error("the part '{part}' is wrong: {reason}")]
    Part {
        /// The part as it stands in the link, cut when long.
        part: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}
