//! The strokes. Everything goes through plotters' elements in pixel coordinates that [`Scene`] gives, so what is drawn and what
//! a pointer hits are the same.

use super::scene::{Line, Scene};
use crate::theme::Theme;
use crate::view::axis::Axis;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle};
use tuning::figures::label;
use tuning::url::Run;

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Above this many pixels per point, points get a dot of their own; closer ones would be a smear.
const ROOM_FOR_DOTS: f64 = 7.0;

impl Scene<'_> {
    /// Draws the whole chart on a backend of the scene's size.
    ///
    /// # Errors
    /// The backend's own.
    pub fn draw<B: DrawingBackend>(&self, backend: B, theme: &Theme) -> Drawn<B> {
        let area = backend.into_drawing_area();
        // From -1: a shift by half a pixel must not leave a seam.
        let corners = [(-1, -1), (self.frame.width as i32, self.frame.height as i32)];
        area.draw(&Rectangle::new(corners, theme.paper.filled()))?;
        self.axes(&area, theme)?;
        self.flag_poles(&area, theme)?;
        let state = &self.view.state;
        for (index, run) in self.view.shown() {
            let (time, cost) = self.colours(index, theme);
            if state.shows("time") {
                if state.shows("spread") {
                    self.spread(&area, run, time)?;
                }
                self.line(&area, run, Line::Time, time)?;
            }
            if state.shows("cost") {
                self.line(&area, run, Line::Cost, cost)?;
            }
            if state.shows("marks") {
                self.rings(&area, index, run, theme)?;
            }
        }
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

    fn text(&self, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
        FontDesc::new(FontFamily::Name("system-ui,sans-serif"), 12.0 * self.frame.ratio, FontStyle::Normal)
            .color(&colour)
            .pos(Pos::new(h, v))
    }

    fn stroke(&self, colour: RGBColor, css: f64) -> ShapeStyle {
        colour.stroke_width(((css * self.frame.ratio).round() as u32).max(1))
    }

    fn axes<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, theme: &Theme) -> Drawn<B> {
        let plot = self.plot();
        let grid = theme.grid.stroke_width(self.frame.hair());
        let gap = self.frame.px(6.0);
        let single = self.view.runs.len() == 1;
        let (time, cost) = if single { (theme.time, theme.cost) } else { (theme.ink, theme.ink) };

        let mut free = i32::MIN;
        for &tick in &self.sizes.ticks {
            let x = self.sizes.pixel(tick, (plot.left, plot.right));
            let text = tick.to_string();
            let half = self.frame.px(text.len() as f64 * 3.7);
            let labelled = x - half >= free;
            if labelled || self.sizes.ticks.len() <= 50 {
                area.draw(&PathElement::new([(x, plot.top), (x, plot.bottom)], grid))?;
            }
            if labelled {
                area.draw(&Text::new(
                    text,
                    (x, plot.bottom + gap),
                    self.text(theme.ink, HPos::Center, VPos::Top),
                ))?;
                free = x + half + gap;
            }
        }
        let middle = (plot.left + plot.right) / 2;
        let scale = if self.sizes.log { "Memory (MB, logarithmic)" } else { "Memory (MB)" };
        let style = self.text(theme.ink, HPos::Center, VPos::Bottom);
        area.draw(&Text::new(scale, (middle, self.frame.height as i32 - self.frame.px(4.0)), style))?;

        let (unit, per) = if self.times.high >= 10_000.0 { ("s", 1000.0) } else { ("ms", 1.0) };
        let title = format!("● Duration ({unit})");
        let sides = [
            (&self.times, time, HPos::Right, plot.left - gap, title, per),
            (&self.costs, cost, HPos::Left, plot.right + gap, self.cost_title(), 1.0),
        ];
        for (axis, colour, align, x, title, per) in sides {
            let left = matches!(align, HPos::Right);
            for &tick in &axis.ticks {
                let y = axis.pixel(tick, (plot.bottom, plot.top));
                if left {
                    area.draw(&PathElement::new([(plot.left, y), (plot.right, y)], grid))?;
                }
                let style = self.text(colour, if left { HPos::Right } else { HPos::Left }, VPos::Center);
                area.draw(&Text::new(label(tick / per), (x, y), style))?;
            }
            let (x, align) =
                if left { (gap, HPos::Left) } else { (self.frame.width as i32 - gap, HPos::Right) };
            area.draw(&Text::new(title, (x, gap), self.text(colour, align, VPos::Top)))?;
        }
        let base = theme.ink.stroke_width(self.frame.hair());
        area.draw(&PathElement::new([(plot.left, plot.bottom), (plot.right, plot.bottom)], base))
    }

    fn cost_title(&self) -> String {
        let narrow = self.frame.is_narrower(420.0);
        let per = if narrow { "/ million" } else { "per million invocations" };
        format!("■ Cost ({} {per})", self.view.currency.symbol())
    }

    fn flag_poles<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, theme: &Theme) -> Drawn<B> {
        let plot = self.plot();
        for flag in self.flags() {
            let x = self.column(flag.size);
            let top = plot.top - self.frame.px(8.0) - flag.row * self.frame.px(16.0);
            let pole = theme.ink.mix(0.45).stroke_width(self.frame.hair());
            area.draw(&PathElement::new([(x, top), (x, plot.bottom)], pole))?;
            let style = self.text(theme.ink, HPos::Center, VPos::Bottom);
            area.draw(&Text::new(flag.text.clone(), (flag.middle, top), style))?;
        }
        Ok(())
    }

    fn path(&self, run: &Run, line: Line, values: &[f32]) -> Vec<(i32, i32)> {
        run.sizes.iter().zip(values).map(|(&size, &value)| self.place(line, size, value)).collect()
    }

    fn line<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        run: &Run,
        line: Line,
        colour: RGBColor,
    ) -> Drawn<B> {
        let values = if line == Line::Time { &run.times } else { &run.costs };
        let points = self.path(run, line, values);
        let plot = self.plot();
        let dots = points.len() as f64 * ROOM_FOR_DOTS * self.frame.ratio
            <= f64::from(plot.right - plot.left)
            || points.len() == 1;
        match line {
            Line::Time => area.draw(&PathElement::new(points.clone(), self.stroke(colour, 2.0)))?,
            Line::Cost => {
                let (dash, gap) = (self.frame.px(7.0), self.frame.px(4.0));
                area.draw(&DashedPathElement::new(points.clone(), dash, gap, self.stroke(colour, 2.0)))?;
            }
        }
        if dots {
            let r = self.frame.px(4.0);
            for (x, y) in points {
                match line {
                    Line::Time => area.draw(&Circle::new((x, y), r, colour.filled()))?,
                    Line::Cost => {
                        area.draw(&Rectangle::new([(x - r, y - r), (x + r, y + r)], colour.filled()))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The standard deviation as a bar at each point, the way from p50 to p95 as a band.
    fn spread<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        run: &Run,
        colour: RGBColor,
    ) -> Drawn<B> {
        let extras = &run.extras;
        if !extras.p50.is_empty() && !extras.p95.is_empty() {
            let mut outline = self.path(run, Line::Time, &extras.p50);
            outline.extend(self.path(run, Line::Time, &extras.p95).into_iter().rev());
            area.draw(&Polygon::new(outline, colour.mix(0.18)))?;
        }
        let (arm, style) = (self.frame.px(4.0), self.stroke(colour, 1.0));
        for ((&size, &time), &sd) in run.sizes.iter().zip(&run.times).zip(&extras.stddev) {
            let (x, low) = self.place(Line::Time, size, (time - sd).max(0.0));
            let (_, high) = self.place(Line::Time, size, time + sd);
            for bar in
                [[(x, low), (x, high)], [(x - arm, low), (x + arm, low)], [(x - arm, high), (x + arm, high)]]
            {
                area.draw(&PathElement::new(bar, style))?;
            }
        }
        Ok(())
    }

    /// Rings around a run's fastest duration and cheapest cost.
    fn rings<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        index: usize,
        run: &Run,
        theme: &Theme,
    ) -> Drawn<B> {
        let (marks, state) = (self.view.marks(index), &self.view.state);
        let noted = [
            (Line::Time, "time", marks.fastest, &run.times),
            (Line::Cost, "cost", marks.cheapest, &run.costs),
        ];
        for (line, layer, point, values) in noted {
            if state.shows(layer) {
                let at = self.place(line, run.sizes[point], values[point]);
                area.draw(&Circle::new(at, self.frame.px(8.0), self.stroke(theme.ink, 1.5)))?;
            }
        }
        Ok(())
    }

    /// Draws only the cross-line at a size and rings around its points, for a layer of its own above the chart.
    ///
    /// # Errors
    /// The backend's own.
    pub fn draw_cursor<B: DrawingBackend>(&self, backend: B, theme: &Theme, size: u32) -> Drawn<B> {
        let area = backend.into_drawing_area();
        let (plot, x) = (self.plot(), self.column(size));
        area.draw(&PathElement::new(
            [(x, plot.top), (x, plot.bottom)],
            theme.ink.stroke_width(self.frame.hair()),
        ))?;
        for (index, point) in self.view.points_at(size) {
            let run = &self.view.runs[index];
            let (time, cost) = self.colours(index, theme);
            for (line, layer, value, colour) in
                [(Line::Time, "time", run.times[point], time), (Line::Cost, "cost", run.costs[point], cost)]
            {
                if self.view.state.shows(layer) {
                    let at = self.place(line, size, value);
                    area.draw(&Circle::new(at, self.frame.px(6.0), theme.paper.filled()))?;
                    area.draw(&Circle::new(at, self.frame.px(6.0), self.stroke(colour, 3.0)))?;
                }
            }
        }
        area.present()
    }

    /// The value axes and the memory axis, for tests and for reading a drawing back.
    pub fn axes_of(&self) -> [&Axis; 3] {
        [&self.sizes, &self.times, &self.costs]
    }
}
