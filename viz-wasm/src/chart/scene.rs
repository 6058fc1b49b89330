//! Where everything is: panels, axes, lines, flags.

use super::flags::{Flag, flags};
use super::frame::Frame;
use crate::view::View;
use crate::view::axis::Axis;
use crate::view::state::Shape;

/// Costs are drawn per million invocations: those of one have too many zeros to read.
pub const MILLION: f64 = 1e6;

/// How high a row of text is, in CSS pixels.
pub(super) const ROW: f64 = 16.0;

/// Which of a run's two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Duration: the upper panel.
    Time,
    /// Cost: the lower panel.
    Cost,
}

impl Line {
    /// Both, with their layers.
    pub(super) const ALL: [(Self, &'static str); 2] = [(Self::Time, "time"), (Self::Cost, "cost")];
}

/// A chart of one view at one size, not yet drawn.
#[derive(Debug)]
pub struct Scene<'a> {
    pub(super) view: &'a View,
    pub(super) frame: Frame,
    pub(super) sizes: Axis,
    pub(super) times: Axis,
    pub(super) costs: Axis,
    pub(super) head: Vec<Word>,
    stops: Vec<u32>,
    plots: [Plot; 2],
    flags: Vec<Flag>,
}

/// A word of the caption of an exported chart.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    /// The run that it names.
    pub(super) run: Option<usize>,
    pub(super) x: i32,
    pub(super) row: i32,
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
        Self::build(view, Frame::new(width, height, ratio), Vec::new())
    }

    /// The same with a caption, to be understood without the page: what it says, what was measured, and the runs' names.
    pub fn exported(view: &'a View, width: u32, height: u32, ratio: f64) -> Self {
        let frame = Frame::new(width, height, ratio);
        let left = frame.px(6.0);
        let word = |text, row| Word { text, run: None, x: left, row };
        let mut head = vec![word(view.answer(), 0), word(view.subject(), 1)];
        if view.runs.len() > 1 {
            let (mut x, mut row) = (left, 2);
            for (index, _) in view.shown() {
                let text = view.name(index).into_owned();
                let long = frame.px((text.chars().count() as f64 + 4.0) * super::flags::LETTER);
                if x + long > width as i32 && x > left {
                    (x, row) = (left, row + 1);
                }
                head.push(Word { text, run: Some(index), x, row });
                x += long;
            }
        }
        Self::build(view, frame, head)
    }

    fn build(view: &'a View, frame: Frame, head: Vec<Word>) -> Self {
        let stops = view.stops();
        let state = &view.state;
        let (mut times, mut costs) = (Vec::new(), Vec::new());
        for (_, run) in view.shown() {
            costs.extend(run.costs.iter().map(|&cost| f64::from(cost) * MILLION));
            let mut more = |values: &[f32]| times.extend(values.iter().map(|&time| f64::from(time)));
            more(&run.times);
            if state.shape != Shape::Front {
                if state.shows("spread") {
                    more(&run.extras.p95);
                    if run.extras.p95.is_empty() {
                        let ends = run.times.iter().zip(&run.extras.stddev).map(|(time, sd)| time + sd);
                        more(&ends.collect::<Vec<_>>());
                    }
                }
                if state.shows("cold") {
                    more(&run.extras.cold);
                }
            }
        }
        if state.shows("curve") && state.shape != Shape::Front {
            times.extend(view.curve().iter().map(|point| f64::from(point[3])));
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
        let apart = state.shape == Shape::Panels && Line::ALL.iter().all(|(_, layer)| state.shows(layer));
        let (left, right) = frame.sides(apart && view.runs.len() > 1);
        let column = |size: u32| sizes.pixel(size.into(), (left, right));
        let flags = if state.shape == Shape::Front { Vec::new() } else { flags(view, frame, column) };
        let rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
        let caption = head.last().map_or(0, |word| word.row + 1);
        let top = frame.px(36.0) + (rows + caption) * frame.px(ROW);
        let bottom = (frame.height as i32 - frame.px(46.0)).max(top + 1);
        let whole = Plot { left, top, right, bottom };
        let each = (bottom - top - frame.px(30.0)) / 2;
        let plots = if apart && each > 0 {
            [Plot { bottom: top + each, ..whole }, Plot { top: bottom - each, ..whole }]
        } else {
            [whole; 2]
        };
        // A limit far above everything would leave no room for the rest.
        let most = times.iter().copied().fold(0.0, f64::max);
        times.extend(state.limit_ms().filter(|ms| *ms <= 4.0 * most));
        Self {
            view,
            frame,
            sizes,
            times: Axis::amounts(&times, state.log_y),
            costs: Axis::amounts(&costs, state.log_y),
            head,
            stops,
            plots,
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

    /// Where the lines are: from the top of the first panel to the bottom of the last.
    pub fn plot(&self) -> Plot {
        Plot { bottom: self.plots[1].bottom, ..self.plots[0] }
    }

    /// The panel of a line.
    pub fn panel(&self, line: Line) -> Plot {
        self.plots[line as usize]
    }

    /// Whether duration and cost share one plot, with an axis on either side.
    pub(super) fn shared(&self) -> bool {
        self.plots[0] == self.plots[1]
    }

    /// Where a value of a line is, in device pixels.
    pub fn place(&self, line: Line, size: u32, value: f32) -> (i32, i32) {
        let plot = self.panel(line);
        let (axis, value) = match line {
            Line::Time => (&self.times, f64::from(value)),
            Line::Cost => (&self.costs, f64::from(value) * MILLION),
        };
        (self.column(size), axis.pixel(value, (plot.bottom, plot.top)))
    }

    /// Where a pair of duration and cost is in the view of cost against duration, in device pixels.
    pub fn pair(&self, time: f32, cost: f32) -> (i32, i32) {
        let plot = self.plot();
        (
            self.times.pixel(time.into(), (plot.left, plot.right)),
            self.costs.pixel(f64::from(cost) * MILLION, (plot.bottom, plot.top)),
        )
    }

    /// The pixel column of a size; of cost against duration, that of the first run that has it.
    pub fn column(&self, size: u32) -> i32 {
        let plot = self.plot();
        if self.view.state.shape == Shape::Front
            && let Some(&(run, point)) = self.view.points_at(size).first()
        {
            return self.times.pixel(self.view.runs[run].times[point].into(), (plot.left, plot.right));
        }
        self.sizes.pixel(size.into(), (plot.left, plot.right))
    }

    /// The size measured nearest to a pixel column; `None` when every run is hidden.
    pub fn nearest(&self, column: i32) -> Option<u32> {
        self.stops.iter().copied().min_by_key(|&size| self.column(size).abs_diff(column))
    }
}
