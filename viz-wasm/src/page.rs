//! What `web/loader.js` calls. Text in, text out; the canvas is the only thing of the browser's that is touched here.

use crate::chart::theme::{DARK, LIGHT, Theme};
use crate::chart::{Line, Scene};
use crate::view::View;
use crate::view::html::problem;
use plotters_canvas::CanvasBackend;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// The link the page shows.
#[wasm_bindgen]
pub struct Page {
    view: Result<View, String>,
}

#[wasm_bindgen]
impl Page {
    /// Opens a fragment and a query. Never fails: what is wrong with them is what the page shows then.
    #[wasm_bindgen(constructor)]
    pub fn new(hash: &str, query: &str) -> Self {
        Self { view: View::open(hash, query).map_err(|error| error.to_string()) }
    }

    /// The HTML of the element with this id.
    pub fn html(&self, id: &str) -> String {
        let view = match &self.view {
            Ok(view) => view,
            Err(reason) if id == "problem" => return problem(reason),
            Err(_) => return String::new(),
        };
        match id {
            "legend" => view.legend(),
            "summary" => view.summary(),
            "chooser" => view.chooser(),
            "cards" => view.cards(),
            "table" => view.table(),
            "runs" => view.list(),
            _ => String::new(),
        }
    }

    /// Whether there is a chart.
    pub fn ok(&self) -> bool {
        self.view.is_ok()
    }

    /// The comma-separated file.
    pub fn csv(&self) -> String {
        self.view.as_ref().map(View::csv).unwrap_or_default()
    }

    /// The balance weight, from 0 (speed) to 1 (cost).
    pub fn weight(&self) -> f64 {
        self.view.as_ref().map_or(0.5, |view| view.state.weight)
    }

    /// The balance weight in words.
    pub fn balance(&self) -> String {
        self.view.as_ref().map(View::weight_text).unwrap_or_default()
    }

    /// The fragment after a control's action; throws a sentence when the reader's input is wrong.
    pub fn act(&self, action: &str, run: usize, value: &str) -> Result<String, String> {
        match &self.view {
            Ok(view) => view.act(action, run, value),
            // Without a chart, pasting a link opens it.
            Err(_) if action == "add" => {
                let hash = value.trim().rsplit('#').next().unwrap_or_default();
                View::open(hash, "").and_then(|view| view.hash()).map_err(|error| error.to_string())
            }
            Err(reason) => Err(reason.clone()),
        }
    }

    /// The sizes the cross-line can stand at.
    pub fn stops(&self) -> Vec<u32> {
        self.view.as_ref().map(View::stops).unwrap_or_default()
    }

    /// The read-out of a size as HTML.
    pub fn readout(&self, size: u32) -> String {
        self.view.as_ref().map(|view| view.readout(size)).unwrap_or_default()
    }

    /// The read-out of a size in words.
    pub fn spoken(&self, size: u32) -> String {
        self.view.as_ref().map(|view| view.spoken(size)).unwrap_or_default()
    }

    /// Draws the chart on the whole canvas, whose width and height are device pixels.
    pub fn draw(&self, canvas: &HtmlCanvasElement, ratio: f64, dark: bool) {
        self.paint(canvas, ratio, dark, |scene, backend, theme| scene.draw(backend, theme).is_ok(), true);
    }

    /// Draws the cross-line at a size; none for 0.
    pub fn cursor(&self, canvas: &HtmlCanvasElement, ratio: f64, dark: bool, size: u32) {
        self.paint(
            canvas,
            ratio,
            dark,
            |scene, backend, theme| size == 0 || scene.draw_cursor(backend, theme, size).is_ok(),
            false,
        );
    }

    /// The size nearest to a pixel column of a canvas; 0 when there is none.
    pub fn nearest(&self, canvas: &HtmlCanvasElement, ratio: f64, column: i32) -> u32 {
        self.scene(canvas, ratio).and_then(|scene| scene.nearest(column)).unwrap_or(0)
    }

    /// Where a run's point is on a canvas: the columns and rows of its duration and of its cost.
    pub fn place(&self, canvas: &HtmlCanvasElement, ratio: f64, run: usize, point: usize) -> Vec<i32> {
        let (Ok(view), Some(scene)) = (&self.view, self.scene(canvas, ratio)) else { return Vec::new() };
        let Some((run, &size)) = view.runs.get(run).and_then(|run| Some((run, run.sizes.get(point)?))) else {
            return Vec::new();
        };
        let (time, cost) = (
            scene.place(Line::Time, size, run.times[point]),
            scene.place(Line::Cost, size, run.costs[point]),
        );
        vec![time.0, time.1, cost.0, cost.1]
    }
}

impl Page {
    fn scene(&self, canvas: &HtmlCanvasElement, ratio: f64) -> Option<Scene<'_>> {
        let view = self.view.as_ref().ok()?;
        Some(Scene::new(view, canvas.width(), canvas.height(), ratio))
    }

    /// Clears a canvas and draws on it. A canvas that gives no context has nothing to be drawn on: the table is still there.
    fn paint(
        &self,
        canvas: &HtmlCanvasElement,
        ratio: f64,
        dark: bool,
        draw: impl FnOnce(&Scene<'_>, CanvasBackend, &Theme) -> bool,
        paper: bool,
    ) {
        let theme = if dark { &DARK } else { &LIGHT };
        let Some(context) = canvas
            .get_context("2d")
            .ok()
            .flatten()
            .and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok())
        else {
            return;
        };
        let (width, height) = (canvas.width().into(), canvas.height().into());
        let _ = context.reset_transform();
        context.clear_rect(0.0, 0.0, width, height);
        let Some(scene) = self.scene(canvas, ratio) else { return };
        if paper {
            let colour = theme.paper;
            context.set_fill_style_str(&format!("rgb({},{},{})", colour.0, colour.1, colour.2));
            context.fill_rect(0.0, 0.0, width, height);
        }
        if scene.shifted() {
            let _ = context.translate(0.5, 0.5);
        }
        if let Some(backend) = CanvasBackend::with_canvas_object(canvas.clone()) {
            draw(&scene, backend, theme);
        }
    }
}
