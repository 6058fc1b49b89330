//! The drawing: duration above cost over one memory axis (or both in one plot, or cost against duration), straight lines between
//! measured points, flags at the sizes worth a name. [`Scene`] fixes where everything is; [`Scene::draw`] draws it on any plotters
//! backend.
//!
//! All lengths are device pixels: CSS pixels times the ratio, so that a chart is as sharp as the screen.

mod draw;
mod flags;
mod frame;
mod scene;

pub use flags::Flag;
pub use scene::{Line, MILLION, Plot, Scene};

#[cfg(test)]
pub(crate) mod tests;
