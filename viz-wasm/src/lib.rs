//! The chart page's code: a link's fragment in, a drawing and fragments of HTML out.
//!
//! Three rooms, in the order a link passes them:
//!
//! 1. [`view`]: the link decoded, with the reader's choices (axes, weight, what is hidden), and every text derived from it.
//!    Pure, so it is tested on the host.
//! 2. [`chart`]: the drawing, with plotters on any backend, and where its points are. Pure, too.
//! 3. `page` (wasm32 only): what `web/loader.js` calls; the canvas.
//!
//! Beside them, [`theme`] has the colours of lines and text.
//!
//! Depends on `tuning` for the codec and the strategies; knows no clock, no network and no AWS.

pub mod chart;
#[cfg(target_arch = "wasm32")]
mod page;
pub mod theme;
pub mod view;
