use super::{Line, Scene};
use crate::theme::{DARK, LIGHT, Theme};
use crate::view::tests::{run, view};
use crate::view::{EXAMPLE, View};
use plotters::prelude::DrawingBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};
use std::convert::Infallible;
use tuning::url::{CURVE, Run, curve_part};

/// What was drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stroke {
    Path(Vec<BackendCoord>, (u8, u8, u8), u32),
    Circle(BackendCoord, u32, bool),
    Square(BackendCoord, BackendCoord),
    Polygon(Vec<BackendCoord>),
    Text(String, BackendCoord),
}

/// A backend that keeps a list instead of pixels.
struct Recorder<'a>(u32, u32, &'a mut Vec<Stroke>);

type Done = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Recorder<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.0, self.1)
    }
    fn ensure_prepared(&mut self) -> Done {
        Ok(())
    }
    fn present(&mut self) -> Done {
        Ok(())
    }
    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Done {
        Ok(())
    }
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Done {
        self.2.push(Stroke::Path(path.into_iter().collect(), style.color().rgb, style.stroke_width()));
        Ok(())
    }
    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, r: u32, _: &S, fill: bool) -> Done {
        self.2.push(Stroke::Circle(at, r, fill));
        Ok(())
    }
    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, _: &S, _: bool) -> Done {
        self.2.push(Stroke::Square(a, b));
        Ok(())
    }
    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        _: &S,
    ) -> Done {
        self.2.push(Stroke::Polygon(path.into_iter().collect()));
        Ok(())
    }
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, _: &S, at: BackendCoord) -> Done {
        self.2.push(Stroke::Text(text.to_owned(), at));
        Ok(())
    }
}

pub(crate) fn draw(view: &View, width: u32, height: u32, ratio: f64) -> Vec<Stroke> {
    let scene = Scene::new(view, width, height, ratio);
    let mut strokes = Vec::new();
    scene.draw(Recorder(width, height, &mut strokes), &LIGHT).unwrap();
    if let Some(size) = scene.nearest(width as i32 / 2) {
        scene.draw_cursor(Recorder(width, height, &mut strokes), &DARK, size).unwrap();
    }
    strokes
}

fn three() -> Run {
    run("", &[(128, 100.0, 1e-6), (512, 40.0, 2e-6), (2048, 50.0, 4e-6)])
}

fn texts(strokes: &[Stroke]) -> Vec<&str> {
    strokes
        .iter()
        .filter_map(|s| if let Stroke::Text(text, _) = s { Some(text.as_str()) } else { None })
        .collect()
}

#[test]
fn measured_points_are_joined_by_straight_lines() {
    let view = view(vec![three()]);
    let scene = Scene::new(&view, 800, 400, 1.0);
    let points: Vec<_> =
        [(128, 100.0), (512, 40.0), (2048, 50.0)].map(|(s, t)| scene.place(Line::Time, s, t)).to_vec();
    let colour = LIGHT.time;
    let path = Stroke::Path(points.clone(), (colour.0, colour.1, colour.2), 2);
    let strokes = draw(&view, 800, 400, 1.0);
    assert!(strokes.contains(&path), "{strokes:?}");
    for at in points {
        assert!(strokes.contains(&Stroke::Circle(at, 4, true)));
    }
}

#[test]
fn axes_are_labelled_at_the_sizes_and_in_their_units() {
    let view = view(vec![three()]);
    let strokes = draw(&view, 800, 400, 1.0);
    let texts = texts(&strokes);
    for text in [
        "128",
        "512",
        "2048",
        "0",
        "100",
        "● Duration (ms)",
        "■ Cost ($ per million invocations)",
        "Memory (MB, logarithmic)",
    ] {
        assert!(texts.contains(&text), "{text} in {texts:?}");
    }
    let plot = Scene::new(&view, 800, 400, 1.0).plot();
    assert!(plot.left > 0 && plot.right < 800 && plot.top > 0 && plot.bottom < 400 && plot.left < plot.right);
}

#[test]
fn labels_that_would_touch_are_left_out() {
    let many: Vec<_> = (1..=1000).map(|n| (n * 10, 1.0, 1.0)).collect();
    let view = view(vec![run("", &many)]);
    let mut last = -1_000;
    let mut count = 0;
    for stroke in draw(&view, 360, 300, 1.0) {
        let Stroke::Text(text, (x, _)) = stroke else { continue };
        if text.parse::<u32>().is_ok_and(|size| size >= 10 && size % 10 == 0) && x > 48 && x < 312 {
            assert!(x - last > 12, "{text} at {x} after {last}");
            last = x;
            count += 1;
        }
    }
    assert!(count > 3);
}

fn is_square(stroke: &Stroke) -> bool {
    matches!(stroke, Stroke::Square(a, b) if b.0 - a.0 == 8 && b.1 - a.1 == 8)
}

fn with(view: &View, choice: &str) -> View {
    View::open(&format!("{};{choice}", view.hash().unwrap()), "").unwrap()
}

#[test]
fn duration_is_above_cost_over_one_memory_axis_unless_the_reader_wants_one_plot() {
    let view = view(vec![three()]);
    let scene = Scene::new(&view, 800, 500, 1.0);
    let (time, cost) = (scene.panel(Line::Time), scene.panel(Line::Cost));
    assert!(time.bottom < cost.top && (time.left, time.right) == (cost.left, cost.right));
    assert_eq!(time.bottom - time.top, cost.bottom - cost.top);
    assert!(
        scene.place(Line::Time, 512, 100.0).1 < time.bottom
            && scene.place(Line::Cost, 512, 0.0).1 == cost.bottom
    );
    let overlay = with(&view, "view:overlay");
    let scene = Scene::new(&overlay, 800, 500, 1.0);
    assert_eq!(scene.panel(Line::Time), scene.panel(Line::Cost));
    // A panel alone has the whole height, and so has every panel of a picture too low for two.
    let alone = with(&view, "hide:time");
    assert_eq!(Scene::new(&alone, 800, 500, 1.0).panel(Line::Cost), scene.panel(Line::Cost));
    assert!(Scene::new(&view, 800, 90, 1.0).plot().bottom > 0);
}

#[test]
fn cost_against_duration_has_labelled_sizes_and_the_front() {
    let view = with(&view(vec![three()]), "view:front");
    let scene = Scene::new(&view, 800, 400, 1.0);
    let strokes = draw(&view, 800, 400, 1.0);
    let texts = texts(&strokes);
    for text in [
        "128 MB cheapest",
        "512 MB fastest balanced",
        "2048 MB",
        "Duration (ms)",
        "Cost ($ per million invocations)",
    ] {
        assert!(texts.contains(&text), "{text} in {texts:?}");
    }
    // 2048 MB is slower and dearer than 512 MB.
    let front = vec![scene.pair(40.0, 2e-6), scene.pair(100.0, 1e-6)];
    assert!(strokes.iter().any(|s| matches!(s, Stroke::Path(path, _, 2) if *path == front)));
    assert_eq!(scene.nearest(scene.pair(50.0, 0.0).0), Some(2048));
    // Labels never touch, however many sizes are alike.
    let many: Vec<_> = (1..=1000).map(|n| (n * 10, 1001.0 - n as f32, n as f32 / 10.0)).collect();
    let view = with(&super::tests::view(vec![run("", &many)]), "view:front");
    let labels = draw(&view, 800, 400, 1.0);
    let labels: Vec<_> = labels
        .iter()
        .filter_map(|s| match s {
            Stroke::Text(text, at) if text.contains(" MB") => Some((text.len() as i32 * 7, *at)),
            _ => None,
        })
        .collect();
    assert!(labels.len() > 5);
    for (index, (width, (x, y))) in labels.iter().enumerate() {
        for (other, (a, b)) in &labels[..index] {
            let apart = if x < a { a - x >= *width * 9 / 10 } else { x - a >= *other * 9 / 10 };
            assert!(apart || (y - b).abs() >= 13, "{labels:?}");
        }
    }
}

#[test]
fn cold_starts_the_fitted_curve_and_a_limit_are_drawn_when_wanted() {
    let mut one = three();
    one.extras.cold = vec![400.0, 0.0, 300.0];
    let curve =
        curve_part([[128.0, 90.0, 100.0, 110.0], [512.0, 30.0, 40.0, 50.0], [10_240.0, 1.0, 2.0, 3.0]]);
    let view = view(vec![one]);
    let hash = format!("{};{CURVE}:{curve};limit:60", view.hash().unwrap());
    let view = View::open(&hash, "").unwrap();
    let strokes = draw(&view, 800, 500, 1.0);
    assert!(
        strokes.iter().any(|s| matches!(s, Stroke::Polygon(points) if points.len() == 4)),
        "of the sizes measured"
    );
    assert!(texts(&strokes).contains(&"limit 60.0 ms"));
    assert!(texts(&strokes).contains(&"● Duration (ms), AUTO's curve 5–95 %"));
    assert_eq!(Scene::new(&view, 800, 500, 1.0).axes_of()[1].high, 125.0, "cold starts are off until wanted");
    let cold = with(&view, "show:cold");
    let scene = Scene::new(&cold, 800, 500, 1.0);
    assert!(scene.axes_of()[1].high >= 400.0);
    let at = scene.place(Line::Time, 2048, 300.0);
    let strokes = draw(&cold, 800, 500, 1.0);
    assert!(strokes.contains(&Stroke::Circle(at, 4, false)));
    let nothing = scene.place(Line::Time, 512, 0.0);
    assert!(!strokes.contains(&Stroke::Circle(nothing, 4, false)), "no cold start at 512 MB");
    assert!(
        !texts(&draw(&with(&cold, "limit:60000"), 800, 500, 1.0))
            .iter()
            .any(|text| text.starts_with("limit"))
    );
}

#[test]
fn lines_of_several_runs_end_in_their_names_which_do_not_touch() {
    let runs =
        (0..10).map(|n| run(&format!("a long name, number {n}"), &[(128, 9.0, 1e-6), (512, 5.0, 2e-6)]));
    let view = view(runs.collect());
    let plot = Scene::new(&view, 900, 600, 1.0).plot();
    let mut rows: Vec<i32> = Vec::new();
    for stroke in draw(&view, 900, 600, 1.0) {
        if let Stroke::Text(text, (x, y)) = stroke
            && text.ends_with('…')
        {
            assert!(x > plot.right);
            rows.push(y);
        }
    }
    rows.sort_unstable();
    assert_eq!(rows.len(), 20);
    assert!(rows.windows(2).all(|pair| pair[1] - pair[0] >= 13), "{rows:?}");
    assert!(!texts(&draw(&view, 360, 600, 1.0)).iter().any(|text| text.ends_with('…')), "no room on a phone");
}

#[test]
fn a_picture_has_what_is_needed_to_understand_it_alone() {
    let view = View::open(EXAMPLE, "").unwrap();
    let mut strokes = Vec::new();
    let scene = Scene::exported(&view, 1200, 600, 1.0);
    scene.draw(Recorder(1200, 600, &mut strokes), &LIGHT).unwrap();
    let (all, said) = (texts(&strokes), [view.answer(), view.subject()]);
    for text in
        said.iter().map(String::as_str).chain(["● Duration (ms), band p50–p95", "Memory (MB, logarithmic)"])
    {
        assert!(all.contains(&text), "{text} in {all:?}");
    }
    let names: Vec<String> = (0..12).map(|n| format!("run with quite a long name {n}")).collect();
    let several = super::tests::view(names.iter().map(|name| run(name, &[(128, 1.0, 1e-6)])).collect());
    let mut strokes = Vec::new();
    let scene = Scene::exported(&several, 1200, 600, 1.0);
    scene.draw(Recorder(1200, 600, &mut strokes), &LIGHT).unwrap();
    assert!(names.iter().all(|name| texts(&strokes).contains(&name.as_str())));
    for stroke in &strokes {
        if let Stroke::Text(text, (x, y)) = stroke
            && text.starts_with("run with")
            && !text.ends_with('…')
            && !text.contains("cheapest size")
        {
            assert!(*y < scene.plot().top && x + text.len() as i32 * 6 < 1200, "{text} at {x}, {y}");
        }
    }
}

#[test]
fn the_sizes_worth_a_name_have_flags() {
    let mut one = three();
    one.extras.current = Some(1024);
    let view = view(vec![one]);
    let scene = Scene::new(&view, 800, 400, 1.0);
    let flags: Vec<_> = scene.flags().iter().map(|flag| (flag.size, flag.text.as_str())).collect();
    assert_eq!(
        flags,
        [(128, "128 MB cheapest"), (512, "512 MB fastest · balanced"), (1024, "1024 MB current")]
    );
    assert!(scene.column(1024) < scene.column(2048) && scene.column(1024) > scene.column(512));
    let strokes = draw(&view, 800, 400, 1.0);
    assert!(texts(&strokes).contains(&"1024 MB current"));
    let rings = strokes.iter().filter(|s| matches!(s, Stroke::Circle(_, 8, false))).count();
    assert_eq!(rings, 2);
}

#[test]
fn flags_that_would_touch_are_on_different_rows() {
    let view =
        view(vec![run("", &[(1024, 3.0, 1.0), (1025, 1.0, 3.0), (1026, 1.01, 1.01), (3008, 9.0, 9.0)])]);
    let scene = Scene::new(&view, 400, 300, 1.0);
    let rows: Vec<i32> = scene.flags().iter().map(|flag| flag.row).collect();
    assert_eq!(rows, [0, 1, 2]);
    assert!(scene.plot().top >= 36 + 3 * 16);
}

#[test]
fn hidden_layers_and_runs_are_not_drawn() {
    let view = view(vec![three(), run("b", &[(128, 1.0, 1e-6), (256, 2.0, 2e-6)])]);
    let hash = view.hash().unwrap();
    let shown = |choice: &str| View::open(&format!("{hash};{choice}"), "").unwrap();
    // The first run's points are circles, the second's squares.
    let points = |view: &View| {
        let strokes = draw(view, 400, 400, 1.0);
        let is = |stroke: &&Stroke| matches!(stroke, Stroke::Circle(_, 4, true)) || is_square(stroke);
        strokes.iter().filter(is).count()
    };
    assert_eq!(points(&view), 6 + 4);
    assert_eq!(points(&shown("hide:r0")), 4);
    assert_eq!(points(&shown("hide:cost")), 3 + 2);
    let nothing = shown("hide:r0,r1");
    assert_eq!(Scene::new(&nothing, 800, 400, 1.0).nearest(10), None);
    assert_eq!(points(&nothing), 0);
    assert!(Scene::new(&shown("hide:marks"), 800, 400, 1.0).flags().is_empty());
}

#[test]
fn spread_is_drawn_when_the_link_has_it() {
    let mut one = three();
    one.extras.stddev = vec![5.0; 3];
    one.extras.p50 = vec![40.0; 3];
    one.extras.p95 = vec![120.0, 50.0, 60.0];
    let view = view(vec![one]);
    let scene = Scene::new(&view, 800, 400, 1.0);
    let strokes = draw(&view, 800, 400, 1.0);
    assert!(strokes.iter().any(|s| matches!(s, Stroke::Polygon(points) if points.len() == 6)));
    assert!(texts(&strokes).contains(&"● Duration (ms), band p50–p95"));
    assert!(scene.axes_of()[1].high >= 120.0);
    // Without percentiles the standard deviation.
    let mut one = three();
    one.extras.stddev = vec![5.0; 3];
    let view = super::tests::view(vec![one]);
    let scene = Scene::new(&view, 800, 400, 1.0);
    let strokes = draw(&view, 800, 400, 1.0);
    let (x, low) = scene.place(Line::Time, 512, 35.0);
    let (_, high) = scene.place(Line::Time, 512, 45.0);
    assert!(strokes.iter().any(|s| matches!(s, Stroke::Path(path, ..) if *path == [(x, low), (x, high)])));
    assert!(texts(&strokes).contains(&"● Duration (ms), bars ± σ"));
}

#[test]
fn lengths_follow_the_pixel_ratio_and_thin_lines_stay_sharp() {
    let view = view(vec![three()]);
    for (ratio, hair, shifted) in [(1.0, 1, true), (1.5, 2, false), (2.0, 2, false), (3.0, 3, true)] {
        let (width, height) = ((800.0 * ratio) as u32, (400.0 * ratio) as u32);
        let scene = Scene::new(&view, width, height, ratio);
        assert_eq!(scene.shifted(), shifted);
        assert_eq!(scene.plot().left, (64.0 * ratio) as i32);
        let grid = (LIGHT.grid.0, LIGHT.grid.1, LIGHT.grid.2);
        assert!(
            draw(&view, width, height, ratio)
                .iter()
                .any(|s| matches!(s, Stroke::Path(_, colour, w) if *colour == grid && *w == hair))
        );
    }
    for ratio in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e9] {
        draw(&view, 300, 200, ratio);
    }
    draw(&view, 0, 0, 1.0);
    draw(&view, 1, 1, 3.0);
}

#[test]
fn the_nearest_size_is_found_from_any_pixel() {
    let view = view(vec![three()]);
    let scene = Scene::new(&view, 800, 400, 1.0);
    for size in [128, 512, 2048] {
        assert_eq!(scene.nearest(scene.column(size) + 3), Some(size));
    }
    assert_eq!((scene.nearest(-500), scene.nearest(5_000)), (Some(128), Some(2048)));
}

#[test]
fn one_point_and_zeros_are_charts_too() {
    for points in [
        vec![(128, 5.0, 1e-6)],
        vec![(128, 0.0, 0.0), (256, 0.0, 0.0)],
        vec![(1, f32::MAX, f32::MAX), (10_240, 0.0, 1e-38)],
    ] {
        let view = view(vec![run("", &points)]);
        for choice in ["", ";x:linear", ";y:log", ";x:linear;y:log", ";view:front", ";view:overlay"] {
            let view = View::open(&(view.hash().unwrap() + choice), "").unwrap();
            assert!(draw(&view, 640, 400, 2.0).len() > 10);
        }
    }
}

/// The legend is coloured by the stylesheet, the lines by the theme: they must be the same colours.
#[test]
fn the_stylesheet_has_the_same_colours() {
    let css = include_str!("../../../web/style.css");
    let pair = |name: &str, colour: fn(&Theme) -> plotters::style::RGBColor| {
        let hex = |theme| {
            let colour = colour(theme);
            format!("#{:02x}{:02x}{:02x}", colour.0, colour.1, colour.2)
        };
        let line = format!("--{name}: light-dark({}, {});", hex(&LIGHT), hex(&DARK));
        assert!(css.contains(&line), "{line} is not in the stylesheet");
    };
    pair("paper", |t| t.paper);
    pair("ink", |t| t.ink);
    pair("grid", |t| t.grid);
    pair("c0", |t| t.time);
    pair("c1", |t| t.cost);
    for (index, (light, dark)) in LIGHT.runs.iter().zip(&DARK.runs).enumerate() {
        let line = format!(
            "--c{index}: light-dark(#{:02x}{:02x}{:02x}, #{:02x}{:02x}{:02x});",
            light.0, light.1, light.2, dark.0, dark.1, dark.2
        );
        assert!(css.contains(&line), "{line} is not in the stylesheet");
    }
}
