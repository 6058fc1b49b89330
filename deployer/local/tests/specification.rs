//! SPEC.md against the tests: every line names at least one, and every one named is there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all functions below a folder, and of modules with tests.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // A module whose tests are meant as a whole.
            if text.contains("mod tests") {
                names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
            }
            let name = |rest: &str| rest.split(['(', '<']).next().unwrap().trim().to_owned();
            names.extend(text.split("fn ").skip(1).map(name));
        }
    }
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
    functions(root, &mut names);
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
            let wanted = name.strip_suffix("::tests").unwrap_or(name).rsplit("::").next().unwrap();
            if !names.contains(wanted) {
                problems.push(format!("no test \"{name}\": {line}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
