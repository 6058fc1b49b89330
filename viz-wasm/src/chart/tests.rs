use super::{Line, Scene};
use crate::theme::{DARK, LIGHT, Theme};
use crate::view::View;
use crate::view::tests::{run, view};
use plotters::prelude::DrawingBackend;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind};
use std::convert::Infallible;
use tuning::url::Run;

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

#[test]
fn the_sizes_worth_a_name_have_flags() {
    let mut one = three();
    one.extras.current = Some(1024);
    let view = view(vec![one]);
    let scene = Scene::new(&view, 800, 400, 1.0);
    let flags: Vec<_> = scene.flags().iter().map(|flag| (flag.size, flag.text.as_str())).collect();
    assert_eq!(flags, [(128, "cheapest"), (512, "fastest · balanced"), (1024, "current")]);
    assert!(scene.column(1024) < scene.column(2048) && scene.column(1024) > scene.column(512));
    let strokes = draw(&view, 800, 400, 1.0);
    assert!(texts(&strokes).contains(&"current"));
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
    let squares = |view: &View| {
        draw(view, 800, 400, 1.0).iter().filter(|s| matches!(s, Stroke::Square(at, _) if at.0 > 0)).count()
    };
    assert_eq!(squares(&view), 5);
    assert_eq!(squares(&shown("hide:r0")), 2);
    assert_eq!(squares(&shown("hide:cost")), 0);
    let nothing = shown("hide:r0,r1");
    assert_eq!(Scene::new(&nothing, 800, 400, 1.0).nearest(10), None);
    assert_eq!(squares(&nothing), 0);
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
    let (x, low) = scene.place(Line::Time, 512, 35.0);
    let (_, high) = scene.place(Line::Time, 512, 45.0);
    assert!(strokes.iter().any(|s| matches!(s, Stroke::Path(path, ..) if *path == [(x, low), (x, high)])));
    assert!(scene.axes_of()[1].high >= 120.0);
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
        for choice in ["", ";x:linear", ";y:log", ";x:linear;y:log"] {
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
