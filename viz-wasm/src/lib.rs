#![doc = include_str!("../README.md")]
//! # Modules
//!
//! 1. [`view`]: the link decoded, with the reader's choices (axes, weight, what is hidden), and every text derived from it.
//!    Pure, so it is tested on the host.
//! 2. [`chart`]: the drawing, with plotters on any backend, and where its points are. Pure, too.
//! 3. `page` (wasm32 only): what `web/loader.js` and `web/fleet.js` call.
//!
//! Beside them, [`theme`] has the colours of lines and text.

pub mod chart;
#[cfg(target_arch = "wasm32")]
mod page;
pub mod theme;
pub mod view;
