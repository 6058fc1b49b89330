//! A run as a link to the chart page, and back. Last step of the Analyzer, first step of the page.
//!
//! ```text
//! BASE[?currency=CNY]#SIZES;TIMES;COSTS[;SIZES;TIMES;COSTS…;NAME;NAME…][;part:VALUE…]
//! ```
//!
//! Sizes are little-endian int16 (MB), times (ms) and costs (of one invocation) little-endian float32, each as standard
//! base64, sorted by size. Three parts are one unnamed run; 4·N parts are N runs, all triples first, then as many names,
//! percent-encoded. Everything is in the fragment, so no browser ever sends it anywhere.
//!
//! **Optional parts** start with a lower-case name and a colon, which occurs neither in base64 nor in an encoded name:
//! `sd:` (standard deviation of the duration), `p50:`, `p95:` (percentiles of it), `cold:` (average of the cold starts alone; all four
//! float32 in base64, one per size), `current:` (the function's size before the run, decimal), `about:` ([`About`]: region, processor, day,
//! number of invocations and name of the function, between dots) and `choice:` ([`Choice`]: the chosen size, what it was chosen by, and how sure
//! that is in thousandths, between dots). They belong to the first run; `p95.2:` is the third run's. `month:` ([`MONTH`]), `limit:` ([`LIMIT`]) and
//! `curve:` ([`CURVE`]) belong to no run. Unknown ones are kept aside in [`Link::others`] and otherwise ignored.
//!
//! The page this one replaces counts the parts between semicolons and knows only 3 and 4·N, so a link with optional
//! parts does not open there. Hence [`encode()`] writes exactly what the runs hold: runs without [`Extras`] give the canonical
//! form every page reads, and who fills `Extras` decides that the link is for this page ([`is_old_page`] tells).
//!
//! **What a link may hold.** Decoding is strict where a number would lie (a size below 1 MB, a time or cost that is
//! negative, infinite or not a number, lists of different lengths: an error naming the part), lenient where a mail or chat
//! program may have mangled the text (`%3B` for `;`, a space for `+`, missing `=`, unsorted sizes), and without an optional part that is
//! damaged: it costs only itself.

mod check;
mod decode;
mod encode;
mod error;
mod run;

pub use decode::{curve_points, decode, decode_link};
pub use encode::{curve_part, encode, encode_hash, encode_link, encode_parts};
pub use error::UrlError;
pub use run::{About, Choice, Extras, LIMIT, Link, MAX_POINTS, MAX_RUNS, Run};

/// The part with how many invocations a month has, decimal; it is the whole link's. The page says then what a month costs.
pub const MONTH: &str = "month";

/// The part with the curve that a search fitted: MB, and the milliseconds below which 5, 50 and 95 % of the plausible curves are.
pub const CURVE: &str = "curve";

/// Whether links to this base open in the page this one replaces, which cannot read optional parts.
pub fn is_old_page(base: &str) -> bool {
    base.contains("lambda-power-tuning.show")
}
