//! SPEC.md against the tests: every line names at least one, and every one named is there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all tests below a folder.
fn tests(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tests_in(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The functions of a source file that run as tests: those with the attribute, unless they are ignored.
fn tests_in(source: &str) -> Vec<String> {
    let (mut names, mut is_test, mut is_ignored) = (Vec::new(), false, false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            is_ignored |= line.starts_with("#[ignore");
            continue;
        }
        if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test && !is_ignored) {
            names.push(name.split(['(', '<']).next().unwrap().trim().to_owned());
        }
        // An attribute's own lines, and comments, may stand before the function.
        let goes_on = line.is_empty() || line.starts_with("//") || line.ends_with(['(', ',']) || line == ")]";
        (is_test, is_ignored) = (is_test && goes_on, is_ignored && goes_on);
    }
    names
}

#[test]
fn only_functions_that_run_as_tests_count() {
    let source = "#[test]\nfn a() {\n  helper();\n}\nfn helper() {}\n#[tokio::test(flavor = \"x\")]\nasync fn b() {}\n\
                  #[test]\n#[ignore]\nfn c() {}\n  #[test]\n  fn d(x in 0..1) {}\n// #[test]\n// fn e() {}\n";
    assert_eq!(tests_in(source), ["a", "b", "d"]);
}

/// The tests of a line: the code spans at its end.
fn named(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = line;
    while let Some((before, name)) =
        rest.trim_end_matches([' ', ',']).strip_suffix('`').and_then(|r| r.rsplit_once('`'))
    {
        names.push(name);
        rest = before;
    }
    names
}

#[test]
fn every_line_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    // With the crates below.
    tests(root, &mut names);
    let specification = std::fs::read_to_string(root.join("SPEC.md")).unwrap();
    let lines: Vec<&str> = specification.lines().filter(|line| line.starts_with("- ")).collect();
    assert!(lines.len() > 100, "only {} lines", lines.len());
    let mut problems = Vec::new();
    for line in lines.into_iter().filter(|line| !line.starts_with("- Not there:")) {
        let named = named(line);
        if named.is_empty() {
            problems.push(format!("no test: {line}"));
        }
        for name in named {
            let wanted = name.rsplit("::").next().unwrap();
            if !names.contains(wanted) {
                problems.push(format!("no test \"{name}\": {line}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
