//! The strokes. Everything goes through plotters' elements in pixel coordinates that [`Scene`] gives, so what is drawn and what
//! a pointer hits are the same.

use super::flags::LETTER;
use super::scene::{Line, Plot, ROW, Scene};
use crate::theme::{SHAPES, Theme};
use crate::view::axis::Axis;
use crate::view::state::Shape;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};
use tuning::figures;
use tuning::url::Run;

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;
type Area<B> = DrawingArea<B, Shift>;

/// Above this many pixels per point, points get a mark of their own; closer ones would be a smear.
const ROOM_FOR_MARKS: f64 = 7.0;

/// How runs are told apart besides by colour: the way from dash to dash, and the gap between them. None is a solid line.
const DASHES: [Option<(f64, f64)>; 3] = [None, Some((7.0, 4.0)), Some((2.0, 4.0))];

/// Draws an element. A stroke that fails costs only itself: the picture is as complete as it can be. Errors of single strokes would be a tenth
/// of the code here, and nobody could do anything about them.
macro_rules! put {
    ($area:expr, $element:expr) => {{
        let _ = $area.draw(&$element);
    }};
}

impl Scene<'_> {
    /// Draws the whole chart on a backend of the scene's size.
    ///
    /// # Errors
    /// The backend's own.
    pub fn draw<B: DrawingBackend>(&self, backend: B, theme: &Theme) -> Drawn<B> {
        let area = backend.into_drawing_area();
        // From -1: a shift by half a pixel must not leave a seam.
        let corners = [(-1, -1), (self.frame.width as i32, self.frame.height as i32)];
        put!(area, Rectangle::new(corners, theme.paper.filled()));
        for word in &self.head {
            let y = self.frame.px(6.0) + word.row * self.frame.px(ROW);
            let mut x = word.x;
            if let Some(run) = word.run {
                let half = self.frame.px(ROW / 2.0);
                self.mark(&area, run, (x + half / 2, y + half), self.colours(run, theme).0);
                x += self.frame.px(ROW);
            }
            self.write(&area, &word.text, (x, y), theme.ink, (HPos::Left, VPos::Top));
        }
        let state = &self.view.state;
        if state.shape == Shape::Front {
            self.front(&area, theme);
            return area.present();
        }
        self.axes(&area, theme);
        self.flag_poles(&area, theme);
        for (index, run) in self.view.shown() {
            let (time, cost) = self.colours(index, theme);
            if state.shows("time") {
                if state.shows("curve") {
                    self.curve(&area, time);
                }
                if state.shows("spread") {
                    self.spread(&area, run, time);
                }
                if state.shows("cold") {
                    self.cold(&area, run, time);
                }
                self.line(&area, index, Line::Time, time);
            }
            if state.shows("cost") {
                self.line(&area, index, Line::Cost, cost);
            }
            if state.shows("marks") && index == self.view.chosen() {
                self.rings(&area, index, run, theme);
            }
        }
        self.limit(&area, theme);
        self.ends(&area, theme);
        area.present()
    }

    /// A run's colours: by what is measured for one run, by run for several.
    fn colours(&self, index: usize, theme: &Theme) -> (RGBColor, RGBColor) {
        if self.view.runs.len() == 1 {
            (theme.time, theme.cost)
        } else {
            let colour = theme.runs[index % theme.runs.len()];
            (colour, colour)
        }
    }

    fn write<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        text: &str,
        at: (i32, i32),
        colour: RGBColor,
        (h, v): (HPos, VPos),
    ) {
        let font = FontDesc::new(
            FontFamily::Name("system-ui,sans-serif"),
            12.0 * self.frame.ratio,
            FontStyle::Normal,
        );
        let style: TextStyle<'_> = font.color(&colour).pos(Pos::new(h, v));
        put!(area, Text::new(text, at, style))
    }

    fn stroke(&self, colour: RGBColor, css: f64) -> ShapeStyle {
        colour.stroke_width(((css * self.frame.ratio).round() as u32).max(1))
    }

    fn path<B: DrawingBackend>(&self, area: &Area<B>, points: Vec<(i32, i32)>, style: ShapeStyle) {
        put!(area, PathElement::new(points, style))
    }

    fn dashed<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        points: Vec<(i32, i32)>,
        (dash, gap): (f64, f64),
        style: ShapeStyle,
    ) {
        put!(
            area,
            DashedPathElement::new(points, self.frame.px(dash).max(1), self.frame.px(gap).max(1), style,)
        )
    }

    /// A point of a run: circles for the first, other shapes for others.
    fn mark<B: DrawingBackend>(&self, area: &Area<B>, shape: usize, (x, y): (i32, i32), colour: RGBColor) {
        let r = self.frame.px(4.0);
        let far = self.frame.px(5.0);
        let outline = match shape % SHAPES.len() {
            0 => return put!(area, Circle::new((x, y), r, colour.filled())),
            1 => return put!(area, Rectangle::new([(x - r, y - r), (x + r, y + r)], colour.filled())),
            2 => vec![(x, y - far), (x + far, y + r), (x - far, y + r)],
            3 => vec![(x, y - far), (x + far, y), (x, y + far), (x - far, y)],
            _ => vec![(x, y + far), (x + far, y - r), (x - far, y - r)],
        };
        put!(area, Polygon::new(outline, colour.filled()))
    }

    fn axes<B: DrawingBackend>(&self, area: &Area<B>, theme: &Theme) {
        let plot = self.plot();
        let grid = theme.grid.stroke_width(self.frame.hair());
        let gap = self.frame.px(6.0);
        let panels =
            if self.shared() { vec![plot] } else { vec![self.panel(Line::Time), self.panel(Line::Cost)] };

        let mut free = i32::MIN;
        for &tick in &self.sizes.ticks {
            let x = self.sizes.pixel(tick, (plot.left, plot.right));
            let text = tick.to_string();
            let half = self.frame.px(text.len() as f64 * 3.7);
            let labelled = x - half >= free;
            if labelled || self.sizes.ticks.len() <= 50 {
                for panel in &panels {
                    self.path(area, vec![(x, panel.top), (x, panel.bottom)], grid);
                }
                // A size without a label has its tick.
                let base = theme.ink.stroke_width(self.frame.hair());
                self.path(area, vec![(x, plot.bottom), (x, plot.bottom + gap / 2)], base);
            }
            if labelled {
                self.write(area, &text, (x, plot.bottom + gap), theme.ink, (HPos::Center, VPos::Top));
                free = x + half + gap;
            }
        }
        let scale = if self.sizes.log { "Memory (MB, logarithmic)" } else { "Memory (MB)" };
        self.below(area, scale, theme);
        for (line, layer) in Line::ALL {
            if self.view.state.shows(layer) {
                self.amounts(area, line, theme);
            }
        }
        for panel in panels {
            self.base(area, panel, theme);
        }
    }

    /// The title of the axis at the bottom.
    fn below<B: DrawingBackend>(&self, area: &Area<B>, text: &str, theme: &Theme) {
        let plot = self.plot();
        let at = ((plot.left + plot.right) / 2, self.frame.height as i32 - self.frame.px(4.0));
        self.write(area, text, at, theme.ink, (HPos::Center, VPos::Bottom))
    }

    fn base<B: DrawingBackend>(&self, area: &Area<B>, plot: Plot, theme: &Theme) {
        let base = theme.ink.stroke_width(self.frame.hair());
        self.path(area, vec![(plot.left, plot.bottom), (plot.right, plot.bottom)], base)
    }

    /// A panel's value axis: on the left, costs on the right where both share one plot.
    fn amounts<B: DrawingBackend>(&self, area: &Area<B>, line: Line, theme: &Theme) {
        let (plot, gap, state) = (self.panel(line), self.frame.px(6.0), &self.view.state);
        let grid = theme.grid.stroke_width(self.frame.hair());
        let single = self.view.runs.len() == 1;
        let (axis, per, title, own) = match line {
            Line::Time => {
                let (unit, per) = self.unit();
                (
                    &self.times,
                    per,
                    format!("{}Duration ({unit}){}", self.sign("● "), self.explained()),
                    theme.time,
                )
            }
            Line::Cost => (&self.costs, 1.0, self.cost_title(), theme.cost),
        };
        let colour = if single { own } else { theme.ink };
        let right =
            line == Line::Cost && self.shared() && state.shows("time") && state.shape == Shape::Overlay;
        let (x, align) = if right { (plot.right + gap, HPos::Left) } else { (plot.left - gap, HPos::Right) };
        for (tick, text) in axis.labels(per) {
            let y = axis.pixel(tick, (plot.bottom, plot.top));
            if !right {
                self.path(area, vec![(plot.left, y), (plot.right, y)], grid);
            }
            self.write(area, &text, (x, y), colour, (align, VPos::Center));
        }
        let (x, align) = if right { (self.frame.width as i32 - gap, HPos::Right) } else { (gap, HPos::Left) };
        // The first title stands above the flags.
        let y = if line == Line::Cost && !self.shared() {
            plot.top - self.frame.px(24.0)
        } else {
            let rows = self.head.last().map_or(0, |word| word.row + 1);
            gap + rows * self.frame.px(ROW)
        };
        self.write(area, &title, (x, y), colour, (align, VPos::Top))
    }

    fn unit(&self) -> (&'static str, f64) {
        if self.times.high >= 10_000.0 { ("s", 1000.0) } else { ("ms", 1.0) }
    }

    /// What is drawn about a line of durations.
    fn explained(&self) -> String {
        let (view, mut text) = (self.view, String::new());
        if self.frame.is_narrower(500.0) && self.shared() {
            return text;
        }
        let any = |list: fn(&Run) -> bool| view.shown().any(|(_, run)| list(run));
        let layers = [
            ("spread", any(|run| !run.extras.p95.is_empty()), ", band p50–p95"),
            ("spread", any(|run| run.extras.p95.is_empty() && !run.extras.stddev.is_empty()), ", bars ± σ"),
            ("curve", !view.curve().is_empty(), ", AUTO's curve 5–95 %"),
            ("cold", any(|run| !run.extras.cold.is_empty()), ", ○ cold starts"),
        ];
        for (layer, has, says) in layers {
            if has && view.state.shows(layer) {
                text += says;
            }
        }
        text
    }

    fn cost_title(&self) -> String {
        let narrow = self.frame.is_narrower(420.0);
        let per = if narrow { "/ million" } else { "per million invocations" };
        format!("{}Cost ({} {per})", self.sign("■ "), self.view.currency.symbol())
    }

    /// The mark of one run's durations or costs; of several, and in cost against duration, marks are the runs'.
    fn sign(&self, sign: &'static str) -> &'static str {
        if self.view.runs.len() == 1 && self.view.state.shape != Shape::Front { sign } else { "" }
    }

    fn flag_poles<B: DrawingBackend>(&self, area: &Area<B>, theme: &Theme) {
        let plot = self.plot();
        let top = |row: i32| plot.top - self.frame.px(8.0) - row * self.frame.px(ROW);
        for flag in self.flags() {
            let x = self.column(flag.size);
            let pole = theme.ink.mix(0.45).stroke_width(self.frame.hair());
            put!(area, PathElement::new([(x, top(flag.row)), (x, plot.bottom)], pole));
        }
        // Poles of higher flags pass behind the texts of lower ones.
        for flag in self.flags() {
            let y = top(flag.row);
            let corners =
                [(flag.middle - flag.half, y - self.frame.px(ROW - 2.0)), (flag.middle + flag.half, y - 1)];
            put!(area, Rectangle::new(corners, theme.paper.filled()));
            self.write(area, &flag.text, (flag.middle, y), theme.ink, (HPos::Center, VPos::Bottom));
        }
    }

    fn points(&self, run: &Run, line: Line, values: &[f32]) -> Vec<(i32, i32)> {
        run.sizes.iter().zip(values).map(|(&size, &value)| self.place(line, size, value)).collect()
    }

    fn line<B: DrawingBackend>(&self, area: &Area<B>, index: usize, line: Line, colour: RGBColor) {
        let run = &self.view.runs[index];
        let values = if line == Line::Time { &run.times } else { &run.costs };
        let points = self.points(run, line, values);
        let plot = self.panel(line);
        let marks = points.len() as f64 * ROOM_FOR_MARKS * self.frame.ratio
            <= f64::from(plot.right - plot.left)
            || points.len() == 1;
        // In one plot the dashes tell costs from durations.
        let (shape, dashes) = match (self.view.runs.len(), self.shared()) {
            (1, shared) => (line as usize, DASHES[usize::from(shared && line == Line::Cost)]),
            (_, true) => (index, DASHES[line as usize]),
            _ => (index, DASHES[index % DASHES.len()]),
        };
        let style = self.stroke(colour, 2.0);
        match dashes {
            None => self.path(area, points.clone(), style),
            Some(dashes) => self.dashed(area, points.clone(), dashes, style),
        }
        if marks {
            for at in points {
                self.mark(area, shape, at, colour);
            }
        }
    }

    /// A band between two lists of durations.
    fn band<B: DrawingBackend>(
        &self,
        area: &Area<B>,
        mut low: Vec<(i32, i32)>,
        high: Vec<(i32, i32)>,
        colour: RGBColor,
    ) {
        low.extend(high.into_iter().rev());
        put!(area, Polygon::new(low, colour.mix(0.18)))
    }

    /// The way from p50 to p95 as a band, or the standard deviation as a bar at each point.
    fn spread<B: DrawingBackend>(&self, area: &Area<B>, run: &Run, colour: RGBColor) {
        let extras = &run.extras;
        if !extras.p50.is_empty() && !extras.p95.is_empty() {
            let of = |values| self.points(run, Line::Time, values);
            return self.band(area, of(&extras.p50), of(&extras.p95), colour);
        }
        let (arm, style) = (self.frame.px(4.0), self.stroke(colour, 1.0));
        for ((&size, &time), &sd) in run.sizes.iter().zip(&run.times).zip(&extras.stddev) {
            let (x, low) = self.place(Line::Time, size, (time - sd).max(0.0));
            let (_, high) = self.place(Line::Time, size, time + sd);
            for bar in
                [[(x, low), (x, high)], [(x - arm, low), (x + arm, low)], [(x - arm, high), (x + arm, high)]]
            {
                self.path(area, bar.to_vec(), style);
            }
        }
    }

    /// The curve that a search fitted, with the band of the plausible ones, as far as sizes were measured.
    fn curve<B: DrawingBackend>(&self, area: &Area<B>, colour: RGBColor) {
        let within = |point: &&[f32; 4]| (self.sizes.low..=self.sizes.high).contains(&point[0].into());
        let of = |which: usize| -> Vec<_> {
            let points = self.view.curve().iter().filter(within);
            points.map(|point| self.place(Line::Time, point[0] as u32, point[which])).collect()
        };
        let middle = of(2);
        if middle.is_empty() {
            return;
        }
        self.band(area, of(1), of(3), colour);
        self.dashed(area, middle, (2.0, 3.0), self.stroke(colour, 1.0))
    }

    /// The averages of cold starts: hollow points on a thin line.
    fn cold<B: DrawingBackend>(&self, area: &Area<B>, run: &Run, colour: RGBColor) {
        let mut points = Vec::new();
        for (&size, &time) in run.sizes.iter().zip(&run.extras.cold) {
            if time > 0.0 {
                points.push(self.place(Line::Time, size, time));
            }
        }
        let style = self.stroke(colour, 1.0);
        for &at in &points {
            put!(area, Circle::new(at, self.frame.px(4.0), style));
        }
        self.dashed(area, points, (1.0, 3.0), style)
    }

    /// The latency limit.
    fn limit<B: DrawingBackend>(&self, area: &Area<B>, theme: &Theme) {
        let state = &self.view.state;
        let Some(ms) = state.limit_ms().filter(|ms| *ms <= self.times.high && state.shows("time")) else {
            return;
        };
        let plot = self.panel(Line::Time);
        let y = self.times.pixel(ms, (plot.bottom, plot.top));
        self.dashed(area, vec![(plot.left, y), (plot.right, y)], (9.0, 3.0), self.stroke(theme.ink, 1.0));
        let text = format!("limit {}", figures::duration(ms));
        let at = (plot.right, y - self.frame.px(2.0));
        self.write(area, &text, at, theme.ink, (HPos::Right, VPos::Bottom))
    }

    /// The names of several runs at the ends of their lines, where there is room.
    fn ends<B: DrawingBackend>(&self, area: &Area<B>, theme: &Theme) {
        if self.view.runs.len() == 1 || self.frame.is_narrower(500.0) || self.shared() {
            return;
        }
        let row = self.frame.px(13.0);
        let first: Vec<char> = self.view.name(0).chars().collect();
        let alike = (1..self.view.runs.len())
            .map(|index| self.view.name(index).chars().zip(&first).take_while(|(a, b)| a == *b).count());
        let alike = alike.min().unwrap_or(0);
        for (line, _) in Line::ALL {
            let plot = self.panel(line);
            let mut ends: Vec<(i32, usize)> = Vec::new();
            for (index, run) in self.view.shown() {
                let last = run.sizes.len() - 1;
                let value = if line == Line::Time { run.times[last] } else { run.costs[last] };
                let end = (self.place(line, run.sizes[last], value).1, index);
                let place = ends.partition_point(|other| *other < end);
                ends.insert(place, end);
            }
            if ends.len() as i32 * row > plot.bottom - plot.top {
                continue;
            }
            let mut free = plot.bottom;
            for (y, index) in ends.into_iter().rev() {
                // From the lowest up, so that none leaves the panel.
                let y = y.min(free);
                free = y - row;
                let room = self.frame.width as i32 - plot.right - self.frame.px(18.0);
                let room = (f64::from(room) / self.frame.ratio / LETTER).max(0.0) as usize;
                let name = self.view.name(index);
                let text: String = match name.chars().count() > room + 1 {
                    // What all names begin with says nothing.
                    true => name.chars().skip(alike).take(room).chain(['…']).collect(),
                    false => name.into_owned(),
                };
                let colour = theme.runs[index % theme.runs.len()];
                self.mark(area, index, (plot.right + self.frame.px(7.0), y), colour);
                let at = (plot.right + self.frame.px(14.0), y);
                self.write(area, &text, at, theme.ink, (HPos::Left, VPos::Center));
            }
        }
    }

    /// Cost against duration: sizes as points with labels, and the front of those that none beats in both.
    fn front<B: DrawingBackend>(&self, area: &Area<B>, theme: &Theme) {
        let (plot, gap) = (self.plot(), self.frame.px(6.0));
        let grid = theme.grid.stroke_width(self.frame.hair());
        let (unit, per) = self.unit();
        for (tick, text) in self.times.labels(per) {
            let x = self.times.pixel(tick, (plot.left, plot.right));
            self.path(area, vec![(x, plot.top), (x, plot.bottom)], grid);
            let at = (x, plot.bottom + gap);
            self.write(area, &text, at, theme.ink, (HPos::Center, VPos::Top));
        }
        self.below(area, &format!("Duration ({unit})"), theme);
        self.amounts(area, Line::Cost, theme);
        self.base(area, plot, theme);
        let mut taken: Vec<(i32, i32, i32)> = Vec::new();
        for (index, run) in self.view.shown() {
            let colour = self.colours(index, theme).0;
            let (front, marks) = (self.view.front(index), self.view.marks(index));
            let at = |point: usize| self.pair(run.times[point], run.costs[point]);
            self.path(area, front.iter().map(|&point| at(point)).collect(), self.stroke(colour, 2.0));
            let all: Vec<usize> = (0..run.sizes.len()).collect();
            // Those on the front have the first right to a label.
            for &point in front.iter().chain(&all) {
                let (x, y) = at(point);
                self.mark(area, index, (x, y), colour);
                let mut text = format!("{} MB", run.sizes[point]);
                if self.view.state.shows("marks") {
                    for word in self.view.words_with(marks, index, point) {
                        text += " ";
                        text += word;
                    }
                }
                // To the right of and above its point, where the front is not, as far as there is room.
                let long = self.frame.px(text.chars().count() as f64 * LETTER);
                let left = (x + self.frame.px(6.0)).min(self.frame.width as i32 - long);
                let high = y - self.frame.px(4.0);
                let row = self.frame.px(13.0);
                let touches =
                    |&(a, b, h): &(i32, i32, i32)| left < b && a < left + long && (h - high).abs() < row;
                // Of several runs the chosen one has labels: those of all would hide the lines.
                if index == self.view.chosen() && !taken.iter().any(touches) {
                    taken.push((left, left + long, high));
                    self.write(area, &text, (left, high), theme.ink, (HPos::Left, VPos::Bottom));
                }
            }
        }
    }

    /// Rings around a run's fastest duration and cheapest cost.
    fn rings<B: DrawingBackend>(&self, area: &Area<B>, index: usize, run: &Run, theme: &Theme) {
        let (marks, state) = (self.view.marks(index), &self.view.state);
        for (line, layer) in Line::ALL {
            let (point, values) = match line {
                Line::Time => (marks.fastest, &run.times),
                Line::Cost => (marks.cheapest, &run.costs),
            };
            if state.shows(layer) {
                let at = self.place(line, run.sizes[point], values[point]);
                put!(area, Circle::new(at, self.frame.px(8.0), self.stroke(theme.ink, 1.5)));
            }
        }
    }

    /// Draws only the cross-line at a size and rings around its points, for a layer of its own above the chart.
    ///
    /// # Errors
    /// The backend's own.
    pub fn draw_cursor<B: DrawingBackend>(&self, backend: B, theme: &Theme, size: u32) -> Drawn<B> {
        let area = backend.into_drawing_area();
        let (plot, x) = (self.plot(), self.column(size));
        let front = self.view.state.shape == Shape::Front;
        if !front {
            let hair = theme.ink.stroke_width(self.frame.hair());
            self.path(&area, vec![(x, plot.top), (x, plot.bottom)], hair);
        }
        for (index, point) in self.view.points_at(size) {
            let run = &self.view.runs[index];
            let (time, cost) = self.colours(index, theme);
            for (line, layer) in Line::ALL {
                let (value, colour) = match line {
                    Line::Time => (run.times[point], time),
                    Line::Cost => (run.costs[point], cost),
                };
                if front || self.view.state.shows(layer) {
                    let at = match front {
                        true => self.pair(run.times[point], run.costs[point]),
                        false => self.place(line, size, value),
                    };
                    put!(area, Circle::new(at, self.frame.px(6.0), theme.paper.filled()));
                    put!(area, Circle::new(at, self.frame.px(6.0), self.stroke(colour, 3.0)));
                }
                if front {
                    break;
                }
            }
        }
        area.present()
    }

    /// The memory axis and the value axes, for tests and for reading a drawing back.
    pub fn axes_of(&self) -> [&Axis; 3] {
        [&self.sizes, &self.times, &self.costs]
    }
}
