//! Chart links, written and read.

use proptest::prelude::*;
use tuning::Currency;
use tuning::url::{
    About, Choice, Extras, Link, MAX_POINTS, MAX_RUNS, Run, UrlError, curve_part, curve_points, decode,
    decode_link, encode, encode_hash, encode_link,
};

fn run(name: &str) -> Run {
    Run {
        name: name.to_owned(),
        sizes: vec![128, 256],
        times: vec![10.5, 5.25],
        costs: vec![1e-7, 2e-7],
        extras: Extras::default(),
    }
}

fn hash(runs: &[Run]) -> String {
    encode_hash(&Link { runs: runs.to_vec(), others: Vec::new() }).unwrap()
}

#[test]
fn one_unnamed_run_has_three_parts_and_named_ones_four_each() {
    assert_eq!(hash(&[run("")]).split(';').count(), 3);
    assert_eq!(hash(&[run("a")]).split(';').count(), 4);
    assert_eq!(hash(&[run("a"), run("")]).split(';').count(), 8);
    assert!(hash(&[run("a"), run("")]).ends_with(";a;"));
    assert_eq!(decode(&(hash(&[run("")]) + ";")).unwrap(), [run("")]);
}

#[test]
fn the_currency_is_in_the_query_and_what_the_base_has_stays() {
    let link = |base: &str, currency| encode(base, &[run("")], currency).unwrap();
    let data = hash(&[run("")]);
    assert_eq!(link("https://a.b/", Currency::Usd), format!("https://a.b/#{data}"));
    assert_eq!(link("https://a.b/", Currency::Cny), format!("https://a.b/?currency=CNY#{data}"));
    assert_eq!(link("https://a.b/?x=1#old", Currency::Cny), format!("https://a.b/?x=1&currency=CNY#{data}"));
}

#[test]
fn names_survive_whatever_is_in_them() {
    for name in [
        "JS x86",
        "a;b:c#d%e&f",
        "<script>alert(1)</script>",
        "עברית",
        "p50:AAAA",
        "sd",
        "100%",
        "+",
        "\u{202e}x\n",
    ] {
        let runs = [run(name), run("other")];
        assert_eq!(decode(&hash(&runs)).unwrap(), runs, "{name}");
    }
    assert!(hash(&[run("JS x86")]).ends_with(";JS%20x86"));
    assert_eq!(decode(&(hash(&[run("")]) + ";%FF%zz")).unwrap()[0].name, "%FF%zz");
}

#[test]
fn runs_are_sorted_by_size_with_everything_that_belongs_to_a_size() {
    let mut unsorted = run("");
    unsorted.sizes = vec![512, 128, 256];
    unsorted.times = vec![1.0, 3.0, 2.0];
    unsorted.costs = vec![4.0, 6.0, 5.0];
    unsorted.extras.p95 = vec![10.0, 30.0, 20.0];
    let decoded = &decode(&hash(&[unsorted])).unwrap()[0];
    assert_eq!(decoded.sizes, [128, 256, 512]);
    assert_eq!(decoded.times, [3.0, 2.0, 1.0]);
    assert_eq!(decoded.costs, [6.0, 5.0, 4.0]);
    assert_eq!(decoded.extras.p95, [30.0, 20.0, 10.0]);
}

#[test]
fn optional_parts_belong_to_their_run_and_unknown_ones_are_kept_aside() {
    let mut first = run("a");
    first.extras = Extras {
        stddev: vec![1.0, 2.0],
        p95: vec![9.0, 8.0],
        cold: vec![0.0, 70.0],
        current: Some(256),
        about: Some(About {
            region: "eu-west-1".to_owned(),
            architecture: "arm64".to_owned(),
            date: "2026-11-29".to_owned(),
            num: None,
            function: "my.function;%".to_owned(),
        }),
        choice: Some(Choice { power: 512, by: "cost".to_owned(), sure: vec![830, 970, 1000] }),
        ..Extras::default()
    };
    let mut second = run("b");
    second.extras = Extras { stddev: vec![3.0, 4.0], current: Some(512), ..Extras::default() };
    let link = Link {
        runs: vec![first, second],
        others: vec![("view".to_owned(), "log;linear:1 é".to_owned()), ("x1".to_owned(), String::new())],
    };
    let text = encode_link("https://a.b/", &link, Currency::Usd).unwrap();
    let data = text.split_once('#').unwrap().1;
    for part in [
        "sd:",
        "p95:",
        "cold:",
        "current:256",
        "about:eu-west-1.arm64.2026-11-29..my.function%3B%25",
        "choice:512.cost.830.970.1000",
        "sd.1:",
        "current.1:512",
        "view:log%3B",
    ] {
        assert!(data.contains(&format!(";{part}")), "{part} in {data}");
    }
    assert_eq!(decode_link(data).unwrap(), link);
    // Wherever they stand, and whoever wrote them.
    let mut parts: Vec<&str> = data.split(';').collect();
    parts.rotate_right(3);
    assert_eq!(decode(&parts.join(";")).unwrap(), link.runs);
}

#[test]
fn an_optional_part_that_is_damaged_costs_only_itself() {
    let good = hash(&[run("")]);
    let nan = format!("sd:{}", hash_of_floats(&[f32::NAN, 1.0]));
    for part in [
        &nan,
        "current:big",
        "current:0",
        "p50.1:AAAAAAAAAAA=",
        "p50:AAAAAA==",
        "p95:%%",
        "about:eu-west-1.arm64",
        "choice:big.cost",
        "choice:0.cost",
        "choice:512",
        "choice:512.cost.1001",
        "choice:512.cost.x",
    ] {
        assert_eq!(decode(&format!("{good};{part}")), Ok(vec![run("")]), "{part}");
    }
    let sparse = decode(&format!("{good};about:...many.f;choice:512.speed")).unwrap();
    let extras = &sparse[0].extras;
    assert_eq!(extras.about, Some(About { function: "f".to_owned(), ..About::default() }));
    assert_eq!(extras.choice, Some(Choice { power: 512, by: "speed".to_owned(), sure: vec![] }));
}

#[test]
fn the_curve_of_a_search_is_read_back_and_one_that_is_none_is_empty() {
    let points = [[128.0, 90.0, 100.0, 110.0], [512.0, 20.0, 30.5, 40.0]];
    assert_eq!(curve_points(&curve_part(points)), points);
    for wrong in
        ["", "x", "AAAA", &curve_part([[128.0, f32::NAN, 1.0, 2.0]]), &curve_part([[128.0, -1.0, 1.0, 2.0]])]
    {
        assert_eq!(curve_points(wrong), [[0.0; 4]; 0], "{wrong}");
    }
}

#[test]
fn what_chat_programs_do_to_links_is_undone() {
    let canonical = hash(&[Run { times: vec![15098.206, 1e-20], ..run("a b") }]);
    assert!(canonical.contains('='));
    let expected = decode(&canonical).unwrap();
    for mangled in [
        format!("#{canonical}"),
        format!("  {canonical} "),
        canonical.replace('=', ""),
        canonical.replace('=', "%3D"),
        canonical.replace(';', "%3B"),
        canonical.replace(';', "%3b").replace('=', "%3d").replace('/', "%2F").replace('+', "%2B"),
        canonical.replace('+', " "),
    ] {
        assert_eq!(decode(&mangled), Ok(expected.clone()), "{mangled}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let good = hash(&[run("")]);
    let parts: Vec<&str> = good.split(';').collect();
    let (sizes, times, costs) = (parts[0], parts[1], parts[2]);
    let nan = hash_of_floats(&[f32::NAN, 1.0]);
    let infinite = hash_of_floats(&[1.0, f32::INFINITY]);
    let negative = hash_of_floats(&[1.0, -1.0]);
    let negative_size = "AAH//w=="; // 256, -1
    for (link, said) in [
        (String::new(), "no data"),
        ("#".to_owned(), "no data"),
        ("x".to_owned(), "1 part(s)"),
        (format!("{sizes};{times}"), "2 part(s)"),
        (format!("{sizes};{times};{costs};{sizes};{times}"), "5 part(s)"),
        (";;".to_owned(), "run 1 has no sizes"),
        ("gAEA;AAAA;AAAA".to_owned(), "sizes of run 1 are 3 bytes"),
        (format!("{sizes};AAAA;{costs}"), "times of run 1 are 3 bytes"),
        (format!("%3Cscript%3E;{times};{costs}"), "sizes of run 1 are not base64"),
        (format!("{sizes};{times};AAAAAA=="), "1 has 2 sizes but 1 costs"),
        (format!("{sizes};{nan};{costs}"), "value 1 of the times of run 1 is NaN"),
        (format!("{sizes};{times};{infinite}"), "value 2 of the costs of run 1 is inf"),
        (format!("{sizes};{negative};{costs}"), "value 2 of the times of run 1 is -1"),
        (format!("{negative_size};{times};{costs}"), "size 2 of run 1 is -1"),
        (format!("AAAAAQ==;{times};{costs}"), "size 1 of run 1 is 0"),
        (format!("{sizes};{times};{costs};{sizes};{nan};{costs};a;b"), "times of run 2"),
    ] {
        let error = decode(&link).expect_err(&link).to_string();
        assert!(error.contains(said), "{link}: {error}");
    }
}

fn hash_of_floats(values: &[f32]) -> String {
    use base64::Engine as _;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

#[test]
fn runs_that_make_no_link_are_refused() {
    let refused = |run: Run| encode("", &[run], Currency::Usd).unwrap_err();
    assert!(matches!(refused(Run { times: vec![1.0], ..run("") }), UrlError::Lengths { part: "times", .. }));
    assert!(matches!(
        refused(Run { sizes: vec![128, 40_000], ..run("") }),
        UrlError::Size { position: 2, .. }
    ));
    assert!(matches!(
        refused(Run { costs: vec![1.0, f32::NAN], ..run("") }),
        UrlError::Amount { part: "costs", .. }
    ));
    assert!(matches!(refused(Run::default()), UrlError::NoPoints { run: 1 }));
    assert_eq!(encode("", &[], Currency::Usd), Err(UrlError::Empty));
    let link = Link { runs: vec![run("")], others: vec![("View".to_owned(), String::new())] };
    assert!(matches!(encode_hash(&link), Err(UrlError::Part { .. })));
}

#[test]
fn every_size_that_lambda_has_in_fifty_runs_is_no_trouble() {
    let large = Run {
        name: "large".to_owned(),
        sizes: (1..=MAX_POINTS as u32).collect(),
        times: vec![1.5; MAX_POINTS],
        costs: vec![2.5; MAX_POINTS],
        extras: Extras::default(),
    };
    let runs = vec![large.clone(); 50];
    assert_eq!(decode(&hash(&runs)).unwrap(), runs);

    let more = Run { sizes: vec![1; MAX_POINTS + 1], ..large };
    assert!(matches!(encode("", &[more], Currency::Usd), Err(UrlError::TooManyPoints { .. })));
    assert!(matches!(encode("", &vec![run(""); MAX_RUNS + 1], Currency::Usd), Err(UrlError::TooManyRuns(_))));
    assert_eq!(decode(&";".repeat(4 * (MAX_RUNS + 1) - 1)), Err(UrlError::TooManyRuns(MAX_RUNS + 1)));
}

fn any_run() -> impl Strategy<Value = Run> {
    let point = (1u32..=32_767, 0f32..1e9, 0f32..1e3, 0f32..1e6);
    (".{0,20}", prop::collection::vec(point, 1..40), any::<bool>(), prop::option::of(1u32..=10_240)).prop_map(
        |(name, mut points, spread, current)| {
            points.sort_by_key(|point| point.0);
            let spread = |values: Vec<f32>| if spread { values } else { Vec::new() };
            Run {
                name,
                sizes: points.iter().map(|point| point.0).collect(),
                times: points.iter().map(|point| point.1).collect(),
                costs: points.iter().map(|point| point.2).collect(),
                extras: Extras {
                    stddev: spread(points.iter().map(|point| point.3).collect()),
                    p50: Vec::new(),
                    p95: spread(points.iter().map(|point| point.1).collect()),
                    current,
                    ..Extras::default()
                },
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(runs in prop::collection::vec(any_run(), 1..6)) {
        let text = hash(&runs);
        let decoded = decode(&text).unwrap();
        prop_assert_eq!(&decoded, &runs);
        prop_assert_eq!(hash(&decoded), text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
        let _ = decode_link(&text);
    }

    #[test]
    fn any_text_that_looks_like_a_link_is_read_or_refused(text in "#?([A-Za-z0-9+/=%:.;]|p50:|sd\\.1:|current:|cold:|about:|choice:|limit:|;){0,80}") {
        if let Ok(link) = decode_link(&text) {
            let again = encode_hash(&link).unwrap();
            prop_assert_eq!(decode_link(&again).unwrap(), link);
        }
    }

    #[test]
    fn a_link_with_one_character_changed_is_read_or_refused(runs in prop::collection::vec(any_run(), 1..3), at in 0usize..2000, by in any::<char>()) {
        let mut text: Vec<char> = hash(&runs).chars().collect();
        let at = at % text.len();
        text[at] = by;
        if let Ok(link) = decode_link(&text.into_iter().collect::<String>()) {
            prop_assert!(encode_hash(&link).is_ok());
        }
    }
}
