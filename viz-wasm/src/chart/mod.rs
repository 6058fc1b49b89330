//! The drawing: duration and cost against memory on two value axes, straight lines between measured points, flags at
//! the sizes worth a name. [`Scene`] fixes where everything is; [`Scene::draw`] draws it on any plotters backend.
//!
//! All lengths are device pixels: CSS pixels times the ratio, so that a chart is as sharp as the screen.

mod draw;
mod flags;
pub mod theme;

use crate::view::View;
use crate::view::axis::Axis;
pub use flags::Flag;

/// Costs are drawn per million invocations: those of one have too many zeros to read.
pub const MILLION: f64 = 1e6;

/// Which of a run's two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Duration, on the left axis.
    Time,
    /// Cost, on the right axis.
    Cost,
}

/// A chart of one view at one size, not yet drawn.
#[derive(Debug)]
pub struct Scene<'a> {
    view: &'a View,
    width: u32,
    height: u32,
    ratio: f64,
    sizes: Axis,
    times: Axis,
    costs: Axis,
    stops: Vec<u32>,
    plot: Plot,
    flags: Vec<Flag>,
}

/// The rectangle between the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plot {
    /// First pixel column.
    pub left: i32,
    /// First pixel row.
    pub top: i32,
    /// Last pixel column.
    pub right: i32,
    /// Last pixel row.
    pub bottom: i32,
}

impl<'a> Scene<'a> {
    /// A chart of `width` × `height` device pixels, `ratio` of which are one CSS pixel.
    pub fn new(view: &'a View, width: u32, height: u32, ratio: f64) -> Self {
        let ratio = if ratio.is_finite() { ratio.clamp(0.25, 16.0) } else { 1.0 };
        let stops = view.stops();
        let state = &view.state;
        let (mut times, mut costs) = (Vec::new(), Vec::new());
        for (_, run) in view.shown() {
            times.extend(run.times.iter().map(|&time| f64::from(time)));
            costs.extend(run.costs.iter().map(|&cost| f64::from(cost) * MILLION));
            if state.shows("spread") {
                let extras = &run.extras;
                times.extend(extras.p95.iter().map(|&p95| f64::from(p95)));
                times.extend(
                    run.times.iter().zip(&extras.stddev).map(|(&time, &sd)| f64::from(time) + f64::from(sd)),
                );
            }
        }
        // A current size that was not measured has a flag, and so a place on the axis, but no tick.
        let mut range = stops.clone();
        if let Some(current) = view.runs[view.chosen()].extras.current.filter(|_| state.shows("marks")) {
            let place = range.partition_point(|&size| size < current);
            range.insert(place, current);
        }
        let mut sizes = Axis::sizes(&range, state.log_x);
        sizes.ticks = stops.iter().map(|&size| size.into()).collect();
        let mut scene = Self {
            sizes,
            times: Axis::amounts(&times, state.log_y),
            costs: Axis::amounts(&costs, state.log_y),
            view,
            width,
            height,
            ratio,
            stops,
            plot: Plot { left: 0, top: 0, right: 0, bottom: 0 },
            flags: Vec::new(),
        };
        scene.lay_out();
        scene
    }

    /// The flags, by size.
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    /// A length of so many CSS pixels.
    fn px(&self, css: f64) -> i32 {
        (css * self.ratio).round() as i32
    }

    /// The width of thin lines: whole pixels, so that they are sharp.
    fn hair(&self) -> u32 {
        self.ratio.round().max(1.0) as u32
    }

    /// Whether thin lines are an odd number of pixels wide. Canvas coordinates lie between pixels, so such lines are only
    /// sharp when all is shifted by half a pixel.
    pub fn shifted(&self) -> bool {
        self.hair() % 2 == 1
    }

    /// Where the lines are.
    pub fn plot(&self) -> Plot {
        self.plot
    }

    fn lay_out(&mut self) {
        let (left, right) = self.sides();
        self.flags = flags::flags(self);
        let rows = self.flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
        let top = self.px(36.0) + rows * self.px(16.0);
        let bottom = (self.height as i32 - self.px(46.0)).max(top + 1);
        self.plot = Plot { left, top, right, bottom };
    }

    /// The plot's first and last pixel column: room for labels beside it, less on narrow screens.
    fn sides(&self) -> (i32, i32) {
        let side = self.px(if f64::from(self.width) < 500.0 * self.ratio { 48.0 } else { 64.0 });
        (side, (self.width as i32 - side).max(side + 1))
    }

    /// Where a value of a line is, in device pixels.
    pub fn place(&self, line: Line, size: u32, value: f32) -> (i32, i32) {
        let plot = self.plot();
        let (axis, value) = match line {
            Line::Time => (&self.times, f64::from(value)),
            Line::Cost => (&self.costs, f64::from(value) * MILLION),
        };
        (self.column(size), axis.pixel(value, (plot.bottom, plot.top)))
    }

    /// The pixel column of a size.
    pub fn column(&self, size: u32) -> i32 {
        self.sizes.pixel(size.into(), self.sides())
    }

    /// The size measured nearest to a pixel column; `None` when every run is hidden.
    pub fn nearest(&self, column: i32) -> Option<u32> {
        let after = self.stops.partition_point(|&size| self.column(size) < column);
        let before = after.checked_sub(1).map(|index| self.stops[index]);
        match (before, self.stops.get(after).copied()) {
            (Some(a), Some(b)) if column - self.column(a) <= self.column(b) - column => Some(a),
            (_, Some(b)) => Some(b),
            (a, None) => a,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
