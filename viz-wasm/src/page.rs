//! What `web/loader.js` calls. Text in, text out; the canvas is the only thing of the browser's that is touched here.

use crate::chart::Scene;
use crate::theme::{DARK, LIGHT};
use crate::view::View;
use crate::view::html::{escape, problem};
use plotters_canvas::CanvasBackend;
use tuning::Currency;
use tuning::url::UrlError;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// A quarter of the code of the standard library's allocator for WebAssembly.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// The link the page shows.
#[wasm_bindgen]
pub struct Page {
    query: String,
    view: Result<View, UrlError>,
}

#[wasm_bindgen]
impl Page {
    /// Opens a fragment and a query. Never fails: what is wrong with them is what the page shows then.
    #[wasm_bindgen(constructor)]
    pub fn new(hash: &str, query: &str) -> Self {
        Self { query: query.to_owned(), view: View::open(hash, query) }
    }

    /// The HTML of the element with this id, and some texts that are not HTML: `csv`, the comma-separated file; `weight`, the balance
    /// weight from 0 (speed) to 1 (cost); `balance`, the same in words; `spoken`, the read-out in words; `month` and
    /// `limit`, the fields' values. The read-outs are of `size`. `problem` is empty when there is a chart, everything but the
    /// heading when there is none.
    pub fn text(&self, id: &str, size: u32) -> String {
        let view = match &self.view {
            Ok(view) => view,
            Err(reason) if id == "problem" => return problem(reason),
            Err(_) if id == "heading" => return "Power tuning".to_owned(),
            Err(_) => return String::new(),
        };
        match id {
            "subject" => escape(&view.subject()),
            "heading" => escape(&view.answer()),
            "change" => view.change(),
            "month" => view.month_text(),
            "monthly" => view.monthly(),
            "sure" if view.runs.len() == 1 => view.sure(),
            "limit" => view.limit_text(),
            "kept" => view.kept(),
            "legend" => view.legend(),
            "summary" => view.summary(),
            "chooser" => view.chooser(),
            "cards" => view.cards(),
            "table" => view.table(),
            "runs" => view.list(),
            "csv" => view.csv(),
            "weight" => view.state.weight_text(),
            "balance" => view.balance(),
            "readout" if size > 0 => view.readout(size),
            "spoken" if size > 0 => view.spoken(size),
            "spoken" => "no size chosen".to_owned(),
            _ => String::new(),
        }
    }

    /// The address after a control's action, relative to the page's: a fragment, after a query where the currency changes. Throws a sentence
    /// when the reader's input is wrong.
    pub fn act(&self, action: &str, run: usize, value: &str) -> Result<String, String> {
        match &self.view {
            Ok(view) => Ok(format!("#{}", view.act(action, run, value)?)),
            // Without a chart, pasting links opens them.
            Err(_) if action == "add" => {
                let view = View::pasted(value, &self.query)?;
                let hash = view.hash().map_err(|error| error.to_string())?;
                let query = if view.currency == Currency::from_query(&self.query) {
                    String::new()
                } else {
                    format!("?currency={}", view.currency)
                };
                Ok(format!("{query}#{hash}"))
            }
            Err(reason) => Err(reason.to_string()),
        }
    }

    /// The sizes the cross-line can stand at.
    pub fn stops(&self) -> Vec<u32> {
        self.view.as_ref().map(View::stops).unwrap_or_default()
    }

    /// Draws on the whole canvas, whose width and height are device pixels: the chart, or only the cross-line at a size (none for 0).
    pub fn draw(&self, canvas: &HtmlCanvasElement, ratio: f64, dark: bool, line: Option<u32>) {
        if let Some(scene) = self.scene(canvas, ratio) {
            paint(&scene, canvas, dark, line);
        }
    }

    /// Draws the chart with a caption, as a picture that is understood without the page.
    pub fn export(&self, canvas: &HtmlCanvasElement, ratio: f64, dark: bool) {
        if let Ok(view) = &self.view {
            paint(&Scene::exported(view, canvas.width(), canvas.height(), ratio), canvas, dark, None);
        }
    }

    /// The size nearest to a pixel column of a canvas; 0 when there is none.
    pub fn nearest(&self, canvas: &HtmlCanvasElement, ratio: f64, column: i32) -> u32 {
        self.scene(canvas, ratio).and_then(|scene| scene.nearest(column)).unwrap_or(0)
    }
}

fn paint(scene: &Scene<'_>, canvas: &HtmlCanvasElement, dark: bool, line: Option<u32>) {
    let theme = if dark { &DARK } else { &LIGHT };
    let Some(context) = canvas
        .get_context("2d")
        .ok()
        .flatten()
        .and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok())
    else {
        // Nothing to draw on: the table is still there.
        return;
    };
    let _ = context.reset_transform();
    context.clear_rect(0.0, 0.0, canvas.width().into(), canvas.height().into());
    if scene.shifted() {
        let _ = context.translate(0.5, 0.5);
    }
    let Some(backend) = CanvasBackend::with_canvas_object(canvas.clone()) else { return };
    let _ = match line {
        None => scene.draw(backend, theme),
        Some(0) => Ok(()),
        Some(size) => scene.draw_cursor(backend, theme, size),
    };
}

impl Page {
    fn scene(&self, canvas: &HtmlCanvasElement, ratio: f64) -> Option<Scene<'_>> {
        let view = self.view.as_ref().ok()?;
        Some(Scene::new(view, canvas.width(), canvas.height(), ratio))
    }
}
