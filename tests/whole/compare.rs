//! `compare`: chart links side by side, exactly as they are printed.

use serde_json::json;

use crate::harness::{Said, deployer};

/// Sizes 128, 512 and 1024 MB at 1000, 250 and 200 ms and 2, 2 and 3 dollars per million.
const BEFORE: &str = "gAAAAgAE;AAB6RAAAekMAAEhD;vTcGNr03BjacU0k2";

fn hash(sizes: &[u32], times: &[f32], per_million: &[f32], name: &str) -> String {
    let run = tuning::url::Run {
        name: name.to_owned(),
        sizes: sizes.to_vec(),
        times: times.to_vec(),
        costs: per_million.iter().map(|cost| cost / 1e6).collect(),
        ..Default::default()
    };
    tuning::url::encode_hash(&tuning::url::Link { runs: vec![run], others: Vec::new() }).unwrap()
}

fn compare(arguments: &[&str]) -> Said {
    Said::by(&mut deployer(&[&["compare"], arguments].concat()))
}

/// Sizes 128, 512 and 2048 MB at 800, 250 and 150 ms and 1.6, 2 and 4 dollars per million.
const AFTER: &str = "gAAAAgAI;AABIRAAAekMAABZD;lb/WNb03Bja9N4Y2";

#[test]
fn compare_says_the_differences_and_the_link_to_all() {
    let (before, after) = (format!("https://charts.example/p?theme=dark#{BEFORE}"), format!("#{AFTER}"));
    let said = compare(&[&before, &after, "--name", "node 20", "--name", "node 22"]).success();
    assert_eq!(
        said.stdout,
        "\
node 22 at its cheapest size, 128 MB, against node 20 at its own, 512 MB: duration +220 %, cost −20 %.

  memory  run      duration  vs first  cost per million  vs first
  128 MB  node 20    1.00 s                       $2.00
          node 22    800 ms     −20 %             $1.60     −20 %
  512 MB  node 20    250 ms                       $2.00
          node 22    250 ms      same             $2.00      same
 1024 MB  node 20    200 ms                       $3.00
 2048 MB  node 22    150 ms         –             $4.00         –

 run      cheapest               fastest                 balanced
 node 20  512 MB, 250 ms, $2.00  1024 MB, 200 ms, $3.00  512 MB, 250 ms, $2.00
 node 22  128 MB, 800 ms, $1.60  2048 MB, 150 ms, $4.00  512 MB, 250 ms, $2.00

Chart: https://charts.example/p?theme=dark#gAAAAgAE;AAB6RAAAekMAAEhD;vTcGNr03BjacU0k2;\
gAAAAgAI;AABIRAAAekMAABZD;lb/WNb03Bja9N4Y2;node%2020;node%2022
"
    );
    assert_eq!(said.stderr, "");
    let markdown = compare(&[&before, &after, "--markdown"]).success().stdout;
    assert!(markdown.starts_with("**run 2 at its cheapest size, 128 MB"), "{markdown}");
    assert!(markdown.contains("|  128 MB | run 2 |   800 ms |    −20 % |"), "{markdown}");
    assert!(markdown.contains("[Chart](https://charts.example/p?theme=dark#"), "{markdown}");
}

#[test]
fn compare_as_json_has_every_figure() {
    let document = compare(&[BEFORE, AFTER, "--json"]).success().json();
    assert_eq!(document["currency"], "USD");
    let link = document["visualization"].as_str().unwrap();
    let runs = tuning::url::decode(link.strip_prefix("http://127.0.0.1:8723/#").expect(link)).unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        document["runs"][0],
        json!({ "name": "run 1", "cheapest": 512, "fastest": 1024, "balanced": 512, "sizes": [
            { "value": 128, "averageDuration": 1000.0, "averagePrice": 2e-6 },
            { "value": 512, "averageDuration": 250.0, "averagePrice": 2e-6 },
            { "value": 1024, "averageDuration": 200.0, "averagePrice": 3e-6 },
        ]})
    );
    assert_eq!(
        document["runs"][1]["sizes"],
        json!([
            { "value": 128, "averageDuration": 800.0, "averagePrice": 1.6e-6, "durationPercent": -20.0, "costPercent": -20.0 },
            { "value": 512, "averageDuration": 250.0, "averagePrice": 2e-6, "durationPercent": 0.0, "costPercent": 0.0 },
            { "value": 2048, "averageDuration": 150.0, "averagePrice": 4e-6 },
        ])
    );
}

#[test]
fn runs_keep_their_names_their_order_and_their_currency() {
    let two = format!("https://a.example/?currency=CNY#{BEFORE};{AFTER};old;new%20one");
    let third = format!("https://b.example/?currency=CNY#{}", hash(&[256], &[9.0], &[1.0], "third"));
    let document = compare(&[&two, &third, "--json", "--name", "first"]).success().json();
    let names: Vec<&str> =
        document["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "new one", "third"]);
    assert_eq!(document["currency"], "CNY");
    let link = document["visualization"].as_str().unwrap();
    assert!(link.starts_with("https://a.example/?currency=CNY#"), "{link}");
    assert!(link.ends_with(";first;new%20one;third"), "{link}");
    let elsewhere = compare(&[&two, "--json", "--visualization-url", "https://c.example/"]).success().json();
    let link = elsewhere["visualization"].as_str().unwrap();
    assert!(link.starts_with("https://c.example/?currency=CNY#"), "{link}");
    assert!(compare(&[&two]).success().stdout.contains("¥2.00"));
}

#[test]
fn links_for_the_old_page_have_nothing_it_cannot_read() {
    let spread = format!("{BEFORE};p95:AAB6RAAAekMAAEhD;current:512");
    let old = format!("https://lambda-power-tuning.show/#{BEFORE}");
    let link =
        compare(&[&old, &spread, "--json"]).success().json()["visualization"].as_str().unwrap().to_owned();
    assert!(!link.contains("p95") && link.split(';').count() == 8, "{link}");
    let link =
        compare(&[&spread, &old, "--json", "--visualization-url", "https://c.example/"]).success().json();
    let link = link["visualization"].as_str().unwrap();
    assert!(link.contains("p95:") && link.contains("current:512"), "{link}");
}

#[test]
fn links_that_are_wrong_are_all_named_with_the_part() {
    let said = compare(&[
        &format!("https://a.example/#{BEFORE}"),
        "https://a.example/",
        "https://a.example/#gAAA;AAB6RA==",
        "https://a.example/#g*;AAB6RA==;AAB6RA==",
    ])
    .status(2);
    assert_eq!(
        said.stderr,
        "error: link 2 (https://a.example/): it has no `#`, and what stands after that is the result; quote the link, and copy all of it\n\
         link 3 (https://a.example/#gAAA;AAB6RA==): the link has 2 part(s) between semicolons: one run has 3 (sizes;times;costs), N named runs have 4·N; it may have been cut\n\
         link 4 (https://a.example/#g*;AAB6RA==;AAB6RA==): the sizes of run 1 are not base64: '*' does not occur in it\n"
    );
    assert_eq!(said.stdout, "");
    compare(&[BEFORE]).status(2).complains(&["there is one run to compare, and it takes two"]);
    compare(&[BEFORE, AFTER, "--name", "a", "--name", "b", "--name", "c"])
        .status(2)
        .complains(&["--name is given 3 times, and there are 2 runs"]);
    let (dollars, yuan) =
        (format!("https://a.example/#{BEFORE}"), format!("https://a.example/?currency=CNY#{AFTER}"));
    compare(&[&dollars, &yuan]).status(2).complains(&["link 2 is in CNY and link 1 in USD"]);
    compare(&[]).status(2).complains(&["<LINK>"]);
}

#[test]
fn a_hostile_name_stays_text() {
    let name = "a\u{1b}[31m\n| <b>[x](y)\u{202e}\u{7}";
    let hostile = hash(&[128], &[1.0], &[1.0], name);
    let text = compare(&[BEFORE, &hostile]).success().stdout;
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{202e}'), "{text:?}");
    let markdown = compare(&[BEFORE, &hostile, "--markdown"]).success().stdout;
    assert!(markdown.contains(r"\| \<b\>\[x\]\(y\)"), "{markdown}");
    let long = hash(&[128], &[1.0], &[1.0], &"n".repeat(5000));
    let text = compare(&[BEFORE, &long]).success().stdout;
    let longest =
        text.lines().filter(|line| !line.starts_with("Chart: ")).map(|line| line.chars().count()).max();
    assert!(longest.unwrap() < 200, "{longest:?}");
}
