//! Where everything is: axes, lines, flags.

use super::flags::{Flag, flags};
use super::frame::Frame;
use crate::view::View;
use crate::view::axis::Axis;

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
    pub(super) view: &'a View,
    pub(super) frame: Frame,
    pub(super) sizes: Axis,
    pub(super) times: Axis,
    pub(super) costs: Axis,
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
        let frame = Frame::new(width, height, ratio);
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
        if let Some(current) = view.runs[view.chosen()].extras.current.filter(|_| state.shows("marks"))
            && let Err(index) = range.binary_search(&current)
        {
            range.insert(index, current);
        }
        let mut sizes = Axis::sizes(&range, state.log_x);
        sizes.ticks = stops.iter().map(|&size| size.into()).collect();
        let (left, right) = frame.sides();
        let column = |size: u32| sizes.pixel(size.into(), (left, right));
        let flags = flags(view, frame, column);
        let rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
        let top = frame.px(36.0) + rows * frame.px(16.0);
        let bottom = (height as i32 - frame.px(46.0)).max(top + 1);
        Self {
            view,
            frame,
            sizes,
            times: Axis::amounts(&times, state.log_y),
            costs: Axis::amounts(&costs, state.log_y),
            stops,
            plot: Plot { left, top, right, bottom },
            flags,
        }
    }

    /// The flags, by size.
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    /// Whether thin lines are an odd number of pixels wide. Canvas coordinates lie between pixels, so such lines are only
    /// sharp when all is shifted by half a pixel.
    pub fn shifted(&self) -> bool {
        self.frame.hair() % 2 == 1
    }

    /// Where the lines are.
    pub fn plot(&self) -> Plot {
        self.plot
    }

    /// Where a value of a line is, in device pixels.
    pub fn place(&self, line: Line, size: u32, value: f32) -> (i32, i32) {
        let plot = self.plot;
        let (axis, value) = match line {
            Line::Time => (&self.times, f64::from(value)),
            Line::Cost => (&self.costs, f64::from(value) * MILLION),
        };
        (self.column(size), axis.pixel(value, (plot.bottom, plot.top)))
    }

    /// The pixel column of a size.
    pub fn column(&self, size: u32) -> i32 {
        self.sizes.pixel(size.into(), (self.plot.left, self.plot.right))
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
