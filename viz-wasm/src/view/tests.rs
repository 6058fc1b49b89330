use super::axis::Axis;
use super::state::{Column, Shape, State, weight, written};
use super::{COMPARISON as TWO, EXAMPLE, View, html};
use proptest::prelude::*;
use tuning::Currency;
use tuning::url::{About, Choice, Extras, Link, Run, encode_hash};

pub(crate) fn run(name: &str, points: &[(u32, f32, f32)]) -> Run {
    Run {
        name: name.to_owned(),
        sizes: points.iter().map(|p| p.0).collect(),
        times: points.iter().map(|p| p.1).collect(),
        costs: points.iter().map(|p| p.2).collect(),
        extras: Extras::default(),
    }
}

pub(crate) fn view(runs: Vec<Run>) -> View {
    let hash = encode_hash(&Link { runs, others: Vec::new() }).unwrap();
    View::open(&hash, "").unwrap()
}

fn two() -> View {
    View::open(TWO, "").unwrap()
}

/// The view after an action that must be accepted.
fn after(view: &View, action: &str, which: usize, value: &str) -> View {
    View::open(&view.act(action, which, value).unwrap(), "").unwrap()
}

#[test]
fn the_example_opens_and_shows_what_a_link_can_hold() {
    let view = View::open(EXAMPLE, "").unwrap();
    let extras = &view.runs[0].extras;
    assert_eq!(extras.current, Some(128));
    assert!(!extras.stddev.is_empty() && !extras.p50.is_empty() && !extras.p95.is_empty());
    assert_eq!(view.hash().unwrap(), EXAMPLE);
}

#[test]
fn cards_say_what_a_month_costs_where_the_link_says_how_many_invocations_it_has() {
    let hash = |others: &[(&str, &str)]| {
        let others = others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        encode_hash(&Link { runs: vec![run("", &[(128, 100.0, 2e-6), (512, 30.0, 3e-6)])], others }).unwrap()
    };
    let view = View::open(&hash(&[("month", "3000000")]), "").unwrap();
    assert!(
        view.cards().contains("<br>$6.00 a month</dd>") && view.cards().contains("<br>$9.00 a month</dd>")
    );
    assert_eq!(view.hash().unwrap(), hash(&[("month", "3000000")]), "it stays in the link");
    for others in [&[][..], &[("month", "many")]] {
        assert!(!View::open(&hash(others), "").unwrap().cards().contains("a month"));
    }
}

fn told(run: &mut Run, choice: &str) -> View {
    run.extras.current = Some(128);
    run.extras.about = Some(About {
        region: "eu-west-1".to_owned(),
        architecture: "arm64".to_owned(),
        date: "2026-11-29".to_owned(),
        num: Some(20),
        function: "f".to_owned(),
    });
    let hash = encode_hash(&Link { runs: vec![run.clone()], others: Vec::new() }).unwrap();
    View::open(&format!("{hash};choice:{choice}"), "").unwrap()
}

#[test]
fn the_answer_comes_first() {
    let mut one = run("", &[(128, 100.0, 2e-6), (512, 24.0, 1.94e-6), (1024, 23.0, 1.95e-6)]);
    let view = told(&mut one, "512.cost.830.970.990");
    assert_eq!(view.answer(), "f should have 512 MB, the cheapest");
    assert_eq!(view.change(), "Now 128 MB → 512 MB: 3 % cheaper, 76 % faster.");
    assert_eq!(view.subject(), "eu-west-1 · arm64 · 2026-11-29 · 20 invocations of each size");
    assert_eq!(view.monthly(), "each million costs $1.94 instead of $2.00 with 128 MB, $0.0600 less");
    let month = after(&view, "month", 0, "10 M");
    assert_eq!(month.monthly(), "about $19.4 instead of $20.0 with 128 MB, $0.600 less");
    assert_eq!(month.month_text(), "10,000,000");
    assert_eq!(view.sure(), "512 MB: 97 % sure that no size is more than 3 % cheaper.");

    assert_eq!(told(&mut one, "512.limit.970").sure(), "97 % sure that it keeps the limit.");
    let fastest = told(&mut one, "128.speed");
    assert_eq!(fastest.answer(), "f should have 128 MB, the fastest");
    assert_eq!(fastest.change(), "That is what it has already.");
    for (choice, answer) in [
        ("512.balanced", "f should have 512 MB, the best balance"),
        ("128.limit.980", "f should have 128 MB, the cheapest that keeps the latency limit"),
        ("128.limit.1", "f should have 128 MB, the likeliest to keep the latency limit"),
        ("128.other", "f should have 128 MB"),
    ] {
        assert_eq!(told(&mut one, choice).answer(), answer);
    }
    // Of a search the sentence about how sure it is says the rest, as in the terminal.
    let mut searched = told(&mut one, "512.cost.830.970.990");
    if let Some(about) = &mut searched.runs[0].extras.about {
        about.num = None;
    }
    assert_eq!(searched.answer(), "f should have 512 MB");
    searched.runs[0].extras.current = Some(640);
    assert_eq!(searched.change(), "The 640 MB it has now was not measured.");
    // A link that does not say what was chosen, or chose what was not measured: the cheapest.
    let plain = told(&mut one, "300.cost");
    assert_eq!(plain.answer(), "512 MB is the cheapest size measured");
    assert_eq!(plain.subject(), "f · eu-west-1 · arm64 · 2026-11-29 · 20 invocations of each size");
    assert_eq!(plain.sure(), "512 MB and 1024 MB are equal within 1 %, by their averages.");
    let old = super::tests::view(vec![run("", &[(128, 1.0, 2e-6), (256, 1.0, 1e-6)])]);
    assert_eq!(
        (old.answer().as_str(), old.subject().as_str()),
        ("256 MB is the cheapest size measured", "Power tuning")
    );
    assert_eq!(old.change(), "1.00 ms on average and $1.00 per million invocations.");
    assert_eq!(old.sure(), "How sure that is, the link does not say.");
}

#[test]
fn of_several_runs_the_best_is_compared_with_the_chosen_one() {
    let view = two();
    assert_eq!(
        view.answer(),
        "JS ARM64 at its cheapest size, 384 MB, against JS x86 at its own, 384 MB: duration +1 %, cost −19 %"
    );
    assert!(after(&view, "run", 0, "1").answer().starts_with("JS x86 at its cheapest size"));
    assert_eq!(after(&view, "hide", 0, "r1").answer(), "JS x86: the cheapest size is 384 MB");
    let cards = view.cards();
    assert!(
        cards.contains("<span class=\"key c1\" aria-hidden=\"true\">■</span> <bdi>JS ARM64</bdi>: <small>+1 %, cost −19 %</small>"),
        "{cards}"
    );
    assert!(!after(&view, "hide", 0, "r1").cards().contains("JS ARM64"));
    // At one size, run against run.
    let html = view.readout(512);
    assert!(html.contains("against <bdi>JS x86</bdi>") && html.contains("<small>(−"), "{html}");
    let table = view.table();
    assert!(
        table.contains("vs <bdi>JS x86</bdi>") && table.matches("class=\"group\"").count() == 5,
        "{table}"
    );
    let mut short = two();
    short.runs[0].sizes[0] = 300;
    assert!(short.table().contains("<td>–</td>"), "a size that the other run lacks");
}

#[test]
fn runs_without_a_name_have_that_of_their_function() {
    let mut one = run("", &[(128, 1.0, 1.0)]);
    let first = told(&mut one, "128.cost").hash().unwrap();
    let both = after(&View::open(&first, "").unwrap(), "add", 0, &format!("https://e.org/#{TWO}"));
    assert_eq!(both.name(0), "f arm64 2026-11-29");
}

#[test]
fn a_limit_says_which_sizes_keep_it() {
    let mut one = run("", &[(128, 100.0, 2e-6), (512, 24.0, 1.94e-6)]);
    let limited = |run: &Run, limit: &str| {
        let hash = encode_hash(&Link { runs: vec![run.clone()], others: Vec::new() }).unwrap();
        View::open(&format!("{hash};limit:{limit}"), "").unwrap().kept()
    };
    assert_eq!(limited(&one, "50"), "average within 50.0 ms: 512 MB.");
    assert_eq!(limited(&one, "20"), "No size has its average within 20.0 ms.");
    one.extras.p95 = vec![120.0, 60.0];
    assert_eq!(limited(&one, "60.95"), "p95 within 60.0 ms: 512 MB.");
    assert_eq!(limited(&one, "60.99.9"), "The limit is on p99.9, which the link does not have.");
    assert_eq!(limited(&one, "60.<b>"), "The limit is on p&lt;b&gt;, which the link does not have.");
    assert_eq!(limited(&one, "x"), "");
}

#[test]
fn numbers_are_read_as_people_write_them() {
    for (text, number) in [
        ("10,000,000", Some(10_000_000)),
        (" 10 M", Some(10_000_000)),
        ("2m", Some(2_000_000)),
        ("300 ms", Some(300)),
        ("", None),
    ] {
        assert_eq!(written(text, "Field", "1"), Ok(number), "{text}");
    }
    for text in ["0", "-1", "many", "9999999999", "5000 M", "1.5"] {
        let error = written(text, "Field", "300").unwrap_err();
        assert_eq!(error, format!("Field: “{text}” is not a whole number above zero, such as 300"));
    }
}

#[test]
fn columns_have_one_unit_and_decimals_that_align() {
    let mut one = run("", &[(128, 148.0, 3.08e-7), (512, 9.9, 1.1e-6), (1024, 12_345.6, 0.0)]);
    one.extras.cold = vec![0.0, 200.0, 0.0];
    let table = view(vec![one]).table();
    for text in ["Duration (s)", ">0.148<", ">0.010<", ">12.346<", ">0.308<", ">1.100<", ">0.000<", ">0.200<"]
    {
        assert!(table.contains(text), "{text} in {table}");
    }
}

#[test]
fn the_front_is_what_nothing_beats_in_both() {
    let view =
        view(vec![run("", &[(1, 9.0, 1.0), (2, 5.0, 2.0), (3, 6.0, 2.5), (4, 4.0, 2.0), (5, 3.0, 7.0)])]);
    assert_eq!(view.front(0), [4, 3, 0]);
    // What a millisecond costs, and what beats the sizes that are not on the front.
    let view = after(&view, "view", 0, "front");
    for (size, says) in [
        (
            5,
            "<br>1.00 ms less than with 4 MB for $5,000,000 more per million: $5,000,000 for each millisecond.</div>",
        ),
        (
            4,
            "<br>5.00 ms less than with 1 MB for $1,000,000 more per million: $200,000 for each millisecond.</div>",
        ),
        (1, "<br>No size is cheaper.</div>"),
        (3, "<br>4 MB is not slower and not more expensive.</div>"),
    ] {
        let html = view.readout(size);
        assert!(html.ends_with(says), "{html}");
    }
}

#[test]
fn marks_are_the_strategies_choices() {
    let view = two();
    let marks = view.marks(1);
    let sizes = &view.runs[1].sizes;
    assert_eq!((sizes[marks.cheapest], sizes[marks.fastest], sizes[marks.balanced]), (384, 1536, 1024));
    assert_eq!((sizes[marks.dearest], sizes[marks.slowest]), (2048, 384));
    assert_eq!(sizes[after(&view, "weight", 0, "0").marks(1).balanced], 1536);
    assert_eq!(sizes[after(&view, "weight", 0, "1").marks(1).balanced], 384);
}

#[test]
fn a_weight_is_read_in_hundredths() {
    let cases =
        [("0", 0.0), ("1", 1.0), ("0.5", 0.5), ("0.05", 0.05), ("1.0", 1.0), ("0.3333", 0.33), ("0.", 0.0)];
    for (text, value) in cases {
        assert_eq!(weight(text), Some(value), "{text}");
    }
    for text in [
        "",
        "1.01",
        "2",
        "-0.5",
        "0.x",
        "NaN",
        "inf",
        "1e-1",
        "0.5.5",
        "0.+5",
        "0.55x",
        "0.é",
        "99999999999",
        "42949673",
    ] {
        assert_eq!(weight(text), None, "{text}");
    }
}

#[test]
fn choices_travel_in_the_link_and_back() {
    let mut view = two();
    for (action, value) in [
        ("x", ""),
        ("y", ""),
        ("weight", "0.25"),
        ("hide", "cost"),
        ("hide", "r1"),
        ("sort", "time"),
        ("sort", "time"),
        ("run", "1"),
        ("view", "front"),
        ("hide", "cold"),
        ("month", "2 M"),
        ("limit", "300 ms"),
    ] {
        view = after(&view, action, 0, value);
    }
    let state = &view.state;
    assert!(
        !state.log_x && state.log_y && !state.shows("cost") && state.run_hidden(1) && !state.run_hidden(0)
    );
    assert_eq!((state.weight, state.sort, state.descending, state.run), (0.25, Column::Time, true, 1));
    assert_eq!((state.shape, state.cold, state.month), (Shape::Front, true, Some(2_000_000)));
    assert_eq!(state.limit, Some((300, String::new())));
    assert_eq!(view.stops(), view.runs[0].sizes);

    for (action, value) in [
        ("x", ""),
        ("y", ""),
        ("weight", "0.5"),
        ("hide", "cost"),
        ("hide", "r1"),
        ("sort", "size"),
        ("run", "0"),
        ("view", "panels"),
        ("hide", "cold"),
        ("month", ""),
        ("limit", ""),
    ] {
        view = after(&view, action, 0, value);
    }
    assert_eq!(view.hash().unwrap(), TWO, "defaults leave nothing behind");
}

#[test]
fn senseless_choices_are_dropped_and_strange_parts_kept() {
    let view =
        View::open(&format!("{TWO};weight:7;hide:r9,moon,r01;sort:colour;run:12;view:round;month:0;limit:soon;show:x;future:a%3Bb"), "").unwrap();
    assert_eq!(view.state, State::default());
    assert!(view.hash().unwrap().ends_with(";future:a%3Bb"));
    assert_eq!(after(&view, "explode", 99, "x"), view);
}

#[test]
fn runs_are_added_renamed_moved_and_removed() {
    let base = View::open(EXAMPLE, "").unwrap();
    let view = after(&base, "add", 0, &format!("https://example.com/page/?x=1#{TWO}\n {TWO}"));
    assert_eq!(view.runs.len(), 5);
    let view = after(&view, "hide", 0, "r4");
    let view = after(&view, "run", 0, "4");
    let view = after(&view, "rename", 4, " last ");
    let view = after(&view, "earlier", 4, "");
    assert_eq!((view.name(3).as_ref(), view.chosen()), ("last", 3));
    assert!(view.state.run_hidden(3) && !view.state.run_hidden(4));
    let view = after(&view, "remove", 0, "");
    assert_eq!((view.name(2).as_ref(), view.runs.len(), view.chosen()), ("last", 4, 2));
    assert!(view.state.run_hidden(2));
    let view = after(&view, "later", 2, "");
    assert_eq!(view.name(3), "last");
    assert_eq!(view.name(0), "JS x86");
    assert_eq!(base.name(0), "thumbnails arm64 2026-11-29");
}

#[test]
fn what_cannot_be_compared_is_refused_in_words() {
    let view = two();
    for nothing in [
        "  ",
        "nonsense",
        "https://e.com/states/home?region=eu-west-1#/executions/details/a",
        "# 12; see below",
    ] {
        assert!(view.act("add", 0, nothing).unwrap_err().contains("no chart link"), "{nothing}");
    }
    assert!(view.act("add", 0, &format!("{TWO} https://e.com/#AAA")).unwrap_err().starts_with("Link 2: "));
    let yuan = view.act("add", 0, &format!("https://e.com/?currency=CNY#{TWO}")).unwrap_err();
    assert!(yuan.contains("CNY") && yuan.contains("USD"), "{yuan}");
    let many = vec![TWO; 60].join(" ");
    assert!(view.act("add", 0, &many).unwrap_err().contains("at most 100"));
}

#[test]
fn links_are_found_in_whatever_is_pasted() {
    let address = format!("https://e.com/page/?currency=CNY#{TWO}");
    let (base, _) = address.split_once('#').unwrap();
    for text in [
        address.clone(),
        format!("  Chart: {address}\n"),
        format!("\"visualization\": \"{address}\",\n"),
        format!("<{address}>"),
        format!("[chart]({address}), {address},"),
        format!(
            "{{\"power\":512,\"stateMachine\":{{\"executionCost\":0.1,\"visualization\":\"{address}\"}}}}"
        ),
        format!("{{\\\"visualization\\\":\\\"{address}\\\"}}"),
        format!(
            "<a href=\"{address}\">chart</a> https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/a"
        ),
    ] {
        let count = text.matches("://e.com").count();
        let view = View::pasted(&text, "").unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((view.runs.len(), view.currency), (2 * count, Currency::Cny), "{text}");
        assert_eq!(view.runs[..2], two().runs, "{text}");
    }
    // A name may end in what surrounds links elsewhere.
    let named = view(vec![run("a (b)", &[(128, 1.0, 1.0)])]);
    let pasted = View::pasted(&format!("{base}#{}", named.hash().unwrap()), "").unwrap();
    assert_eq!(pasted.name(0), "a (b)");
    let escaped = View::pasted(&format!("{base}#{}", TWO.replace(';', "%3B")), "").unwrap();
    assert_eq!(escaped.runs, two().runs);
}

#[test]
fn the_empty_page_keeps_every_link_and_takes_over_the_currency_and_the_choices() {
    let chosen = after(&two(), "x", 0, "");
    let first = chosen.hash().unwrap();
    let view = View::pasted(&format!("#{first}\nhttps://e.com/#{TWO} {TWO}"), "").unwrap();
    assert_eq!((view.runs.len(), view.currency, view.state.log_x), (6, Currency::Usd, chosen.state.log_x));
    assert_ne!(chosen.state.log_x, two().state.log_x);
    // A fragment alone is in the page's currency, and a page in yuan cannot take a link in dollars beside it.
    assert_eq!(View::pasted(TWO, "?currency=CNY").unwrap().currency, Currency::Cny);
    let mixed = View::pasted(&format!("{TWO} https://e.com/#{TWO}"), "?currency=CNY").unwrap_err();
    assert!(mixed.starts_with("Link 2 is in USD"), "{mixed}");
    assert!(View::pasted("nonsense", "").unwrap_err().contains("no chart link"));
}

#[test]
fn the_query_says_the_currency() {
    for (query, currency) in [
        ("", Currency::Usd),
        ("?currency=CNY", Currency::Cny),
        ("a=b&currency=cny", Currency::Cny),
        ("?currency=XXX", Currency::Usd),
    ] {
        assert_eq!(View::open(TWO, query).unwrap().currency, currency, "{query}");
    }
    assert!(View::open(TWO, "?currency=CNY").unwrap().cards().contains('¥'));
}

#[test]
fn names_stay_text() {
    let evil = "<img src=x onerror=\"alert('1')\">&\u{202e}";
    let view = view(vec![run(evil, &[(128, 1.0, 1.0)]), run("", &[(128, 2.0, 1.0)])]);
    for html in [
        view.legend(),
        view.cards(),
        view.table(),
        view.list(),
        view.chooser(),
        view.summary(),
        view.readout(128),
        html::escape(&view.answer()),
        html::escape(&view.subject()),
        view.kept(),
    ] {
        assert!(!html.contains("<img") && !html.contains("\"alert") && !html.contains("('1')"), "{html}");
    }
    assert!(
        view.table()
            .contains("<bdi>&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;\u{202e}</bdi>")
    );
    let error = View::open("<b>;a;b", "").unwrap_err();
    assert!(!html::problem(&error).contains("<b>"));
}

#[test]
fn the_csv_has_every_value_and_no_formulas() {
    let mut first = run("=HYPERLINK(\"x\")", &[(128, 2.0, 0.5), (256, 1.0, 0.25)]);
    first.extras.p95 = vec![3.5, 1.5];
    let csv = view(vec![first]).csv();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(
        lines,
        [
            "run,memory_mb,duration_ms,cost_usd,slower_than_fastest_percent,dearer_than_cheapest_percent,stddev_ms,p50_ms,p95_ms,cold_ms",
            "\"'=HYPERLINK(\"\"x\"\")\",128,2,0.5,100,100,,,3.5,",
            "\"'=HYPERLINK(\"\"x\"\")\",256,1,0.25,0,0,,,1.5,",
        ]
    );
}

#[test]
fn the_table_is_sorted_and_bounded() {
    let view = two();
    let by_cost = after(&view, "sort", 0, "cost");
    let costs: Vec<f32> = by_cost.rows().iter().map(|&(run, point)| by_cost.runs[run].costs[point]).collect();
    assert!(costs.is_sorted());
    let rows: Vec<_> = after(&by_cost, "sort", 0, "cost").rows();
    assert_eq!(rows[0], (0, 4));
    assert!(by_cost.table().contains("aria-sort=\"ascending\"><button id=\"sort-cost\""));

    let long: Vec<_> = (1..=10_000).map(|size| (size, 1.0, 1.0)).collect();
    let table = super::tests::view(vec![run("", &long)]).table();
    assert_eq!(table.matches("<tr>").count(), html::MAX_ROWS + 1);
    assert!(table.contains("of 10000 rows"));
}

#[test]
fn a_readout_gives_values_differences_and_notes() {
    let view = View::open(EXAMPLE, "").unwrap();
    let html = view.readout(128);
    assert!(html.contains("<data value=\"148\">148 ms</data> <small>(+797 % vs fastest)"), "{html}");
    assert!(html.contains("σ <data") && html.contains("p95 <data"));
    assert_eq!(view.spoken(128), "128 megabytes, 148 ms, $0.308 per million, cheapest, current");
    assert!(two().readout(384).contains("JS ARM64"));
    assert_eq!(view.points_at(100), []);
}

#[test]
fn a_linear_axis_of_amounts_starts_at_zero_and_holds_all() {
    let axis = Axis::amounts(&[148.0, 17.0], false);
    assert_eq!((axis.low, axis.high), (0.0, 150.0));
    assert_eq!(axis.ticks, [0.0, 50.0, 100.0, 150.0]);
    assert_eq!(axis.fraction(75.0), 0.5);
    assert_eq!(axis.pixel(150.0, (400, 100)), 100);
}

#[test]
fn labels_of_a_linear_axis_have_as_many_decimals_as_its_step() {
    let labels = |most: f64, per: f64, log: bool| -> Vec<String> {
        Axis::amounts(&[most / 100.0, most], log).labels(per).map(|(_, text)| text).collect()
    };
    assert_eq!(labels(1.1, 1.0, false), ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]);
    assert_eq!(labels(12_000.0, 1000.0, false), ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]);
    assert_eq!(labels(148.0, 1.0, false), ["0", "50", "100", "150"]);
    assert_eq!(labels(4e14, 1.0, false).last().map(String::as_str), Some("4.000e14"));
    assert_eq!(labels(0.9, 1.0, true), ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
}

#[test]
fn a_logarithmic_axis_has_equal_ratios() {
    let axis = Axis::amounts(&[3.0, 700.0], true);
    assert_eq!((axis.low, axis.high), (2.0, 1000.0));
    assert!(
        (axis.fraction(20.0) - axis.fraction(2.0) - (axis.fraction(200.0) - axis.fraction(20.0))).abs()
            < 1e-9
    );
    let memory = Axis::sizes(&[128, 256, 512], true);
    assert!((memory.fraction(256.0) - 0.5).abs() < 1e-9);
    assert_eq!(memory.ticks, [128.0, 256.0, 512.0]);
}

fn amounts(len: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(prop_oneof![0f32..1e6, Just(0.0), Just(f32::MAX), Just(f32::MIN_POSITIVE)], len)
}

prop_compose! {
    fn about()(region in ".{0,4}", date in "[0-9-]{0,10}", num in prop::option::of(0u32..1000), function in ".{0,12}") -> About {
        About { region: region.replace('.', ""), architecture: "arm64".to_owned(), date, num, function }
    }
}

prop_compose! {
    fn choice()(power in 1u32..=10_240, by in "cost|speed|balanced|limit|x", sure in prop::collection::vec(0u32..=1000, 0..5)) -> Choice {
        Choice { power, by, sure }
    }
}

prop_compose! {
    pub(crate) fn any_run()(len in 1usize..12)
        (sizes in prop::collection::vec(1u32..=10_240, len), times in amounts(len), costs in amounts(len),
         stddev in prop::option::of(amounts(len)), p95 in prop::option::of(amounts(len)),
         current in prop::option::of(1u32..=10_240), name in ".{0,12}", about in prop::option::of(about()), choice in prop::option::of(choice())) -> Run {
        let (stddev, p95) = (stddev.unwrap_or_default(), p95.unwrap_or_default());
        Run { name, sizes, times, costs, extras: Extras { stddev, p50: p95.clone(), cold: p95.clone(), p95, current, about, choice } }
    }
}

/// Fragments that get past the first checks: parts of real links, cut, repeated and mixed.
fn hash() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        3 => "[A-Za-z0-9+/=]{0,24}",
        2 => prop::sample::select(TWO.split(';').collect::<Vec<_>>()).prop_map(str::to_owned),
        1 => ".{0,8}",
        1 => "(x|y|weight|hide|show|sort|run|view|month|limit|curve|sd|p50|p95|cold|current|about|choice)(\\.[0-9])?:.{0,12}",
    ];
    prop_oneof![".*", prop::collection::vec(word, 0..14).prop_map(|words| words.join(";"))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_fragment_panics(hash in hash(), query in ".{0,20}") {
        match View::open(&hash, &query) {
            Ok(view) => everything(&view),
            Err(error) => prop_assert!(html::problem(&error).contains("id=\"example\"")),
        }
    }

    #[test]
    fn every_valid_link_is_shown_and_comes_back(runs in prop::collection::vec(any_run(), 1..5), choice in "(x|y|hide|show|sort|weight|view|month|limit):([a-z0-9.,-]{0,9}|front|overlay|cold|300\\.95)") {
        let hash = encode_hash(&Link { runs, others: Vec::new() }).unwrap();
        let view = View::open(&hash, "").unwrap();
        prop_assert_eq!(view.hash().unwrap(), hash.as_str());
        everything(&view);
        everything(&View::open(&format!("{hash};{choice}"), "").unwrap());
    }

    #[test]
    fn axes_keep_every_value_in_order_and_inside(values in amounts(8), log: bool) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let axis = Axis::amounts(&values, log);
        prop_assert!(axis.high > axis.low && axis.ticks.is_sorted() && axis.ticks.len() <= 45, "{:?}", axis);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let places: Vec<f64> = sorted.iter().map(|&value| axis.fraction(value)).collect();
        prop_assert!(places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)));
        if let (false, Some(&most)) = (log, sorted.last()) {
            prop_assert!(most <= axis.high * (1.0 + 1e-9));
        }
    }
}

/// Calls everything the page calls.
fn everything(view: &View) {
    let _ =
        (view.legend(), view.cards(), view.table(), view.list(), view.chooser(), view.summary(), view.csv());
    let _ = (view.change(), view.subject(), view.monthly(), view.sure(), view.kept());
    for size in view.stops() {
        assert!(!view.spoken(size).is_empty() && view.readout(size).contains("<data"));
    }
    for ratio in [1.0, 1.5] {
        crate::chart::tests::draw(view, 320, 240, ratio);
    }
}
