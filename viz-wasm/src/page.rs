//! What `web/loader.js` and `web/fleet.js` call. Text in, text out; the canvas is the only thing of the browser's that is touched here.

use crate::chart::Scene;
use crate::theme::{DARK, LIGHT};
use crate::view::View;
use crate::view::fleet;
use crate::view::html::{escape, problem};
use plotters_canvas::CanvasBackend;
use std::cell::RefCell;
use tuning::Currency;
use tuning::search::Confidence;
use tuning::url::UrlError;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// A quarter of the code of the standard library's allocator for WebAssembly.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// The link the page shows.
struct Page {
    query: String,
    view: Result<View, UrlError>,
}

thread_local! {
    // One, as there is one document: an object for the browser to own would be a hundredth of the page.
    static PAGE: RefCell<Page> = const { RefCell::new(Page { query: String::new(), view: Err(UrlError::Empty) }) };
}

/// Opens a fragment and a query; what follows is about them. Never fails: what is wrong with them is what the page shows then.
#[wasm_bindgen]
pub fn open(hash: &str, query: &str) {
    PAGE.set(Page { query: query.to_owned(), view: View::open(hash, query) });
}

/// The HTML of the element with this id, and some texts that are not HTML: `csv`, the comma-separated file; `weight`, the balance
/// weight from 0 (speed) to 1 (cost); `balance`, the same in words; `spoken`, the read-out in words; `month` and
/// `limit`, the fields' values. The read-outs are of `size`. `problem` is empty when there is a chart, everything but the
/// heading when there is none.
#[wasm_bindgen]
pub fn text(id: &str, size: u32) -> String {
    PAGE.with_borrow(|page| page.text(id, size))
}

/// The address after a control's action, relative to the page's: a fragment, after a query where the currency changes. Throws a sentence
/// when the reader's input is wrong.
#[wasm_bindgen]
pub fn act(action: &str, run: usize, value: &str) -> Result<String, String> {
    PAGE.with_borrow(|page| match &page.view {
        Ok(view) => Ok(format!("#{}", view.act(action, run, value)?)),
        // Without a chart, pasting links opens them.
        Err(_) if action == "add" => pasted(value, &page.query),
        Err(reason) => Err(reason.to_string()),
    })
}

/// The address of the page with nothing but the links in a text, where the address has the query `query` now. Throws a sentence when there are none.
#[wasm_bindgen]
pub fn pasted(text: &str, query: &str) -> Result<String, String> {
    let view = View::pasted(text, query)?;
    let hash = view.hash().map_err(|error| error.to_string())?;
    let query = if view.currency == Currency::from_query(query) {
        String::new()
    } else {
        format!("?currency={}", view.currency)
    };
    Ok(format!("{query}#{hash}"))
}

/// The sizes the cross-line can stand at.
#[wasm_bindgen]
pub fn stops() -> Vec<u32> {
    PAGE.with_borrow(|page| page.view.as_ref().map(View::stops).unwrap_or_default())
}

/// Draws on the whole canvas, whose width and height are device pixels: the chart, or only the cross-line at a size (none for 0).
#[wasm_bindgen]
pub fn draw(canvas: &HtmlCanvasElement, ratio: f64, dark: bool, line: Option<u32>) {
    PAGE.with_borrow(|page| {
        if let Ok(view) = &page.view {
            paint(&Scene::new(view, canvas.width(), canvas.height(), ratio), canvas, dark, line);
        }
    });
}

/// Draws the chart with a caption, as a picture that is understood without the page.
#[wasm_bindgen]
pub fn picture(canvas: &HtmlCanvasElement, ratio: f64, dark: bool) {
    PAGE.with_borrow(|page| {
        if let Ok(view) = &page.view {
            paint(&Scene::exported(view, canvas.width(), canvas.height(), ratio), canvas, dark, None);
        }
    });
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
    context.reset();
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

/// The size nearest to a pixel column of a canvas; 0 when there is none.
#[wasm_bindgen]
pub fn nearest(width: u32, height: u32, ratio: f64, column: i32) -> u32 {
    PAGE.with_borrow(|page| {
        let view = page.view.as_ref().ok()?;
        Scene::new(view, width, height, ratio).nearest(column)
    })
    .unwrap_or(0)
}

/// What becomes of an amount that is `less` per cent less, for a table; nothing for a number that is none.
#[wasm_bindgen]
pub fn change(less: f64) -> String {
    fleet::change(less)
}

/// What is saved in the currency of `query`, for a table.
#[wasm_bindgen]
pub fn saving(amount: f64, query: &str) -> String {
    fleet::saving(amount, Currency::from_query(query))
}

/// How sure a choice is, for a table: probabilities that no size is more than 1, 3 and 5 % better.
#[wasm_bindgen]
pub fn sure(within1: f64, within3: f64, within5: f64) -> String {
    fleet::sure(Confidence { within1, within3, within5 })
}

impl Page {
    fn text(&self, id: &str, size: u32) -> String {
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
}
