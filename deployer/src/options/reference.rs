//! Keeps `docs/options.md` in step with the table: run the tests with `UPDATE_DOCS=1` to write it anew.

use std::fmt::Write as _;

use super::{ALL, Verb};

fn reference() -> String {
    let mut text = "# Options\n\nWritten from the table in `deployer/src/options/table.rs`: `UPDATE_DOCS=1 cargo test --release -p deployer --lib \
                    reference`. Each option may be given as `--OPTION`, as `DEPLOYER_OPTION` in the environment (`_` for `-`), or as `OPTION = …` in \
                    `deployer.toml`; the first of these that is there wins. *Flag only*: as a flag and nowhere else.\n"
        .to_owned();
    let mut write = |title: &str, chosen: &dyn Fn(&super::Spec) -> bool| {
        let specs: Vec<_> = ALL.iter().filter(|spec| chosen(spec)).collect();
        if specs.is_empty() {
            return;
        }
        let _ = write!(
            text,
            "\n## {title}\n\n| option | values | default | what for |\n| --- | --- | --- | --- |\n"
        );
        for spec in specs {
            let cell = |text: &str| text.replace('|', "\\|");
            let name = match (spec.operand, spec.short) {
                (true, _) => format!("`{}`", spec.value),
                (false, Some(letter)) => format!("`--{}`, `-{letter}`", spec.name),
                (false, None) => format!("`--{}`", spec.name),
            };
            let mut about = cell(spec.help.trim());
            if let Some(field) = spec.field {
                let _ = write!(about, ". Input field `{}`", field.name);
            }
            if let Some(parameter) = spec.parameter {
                let _ = write!(
                    about,
                    ". Template parameter `{}`, `{}` unless given",
                    parameter.name, parameter.default
                );
            }
            if spec.only_flag && !spec.operand {
                about.push_str(". *Flag only*");
            }
            if let Some(needed) = spec.requires {
                let _ = write!(about, ". Needs `--{needed}`");
            }
            let _ =
                writeln!(text, "| {name} | {} | {} | {about} |", cell(&spec.rule.says()), cell(spec.default));
        }
    };
    write("Everywhere", &|spec| spec.verbs.is_empty());
    for (verb, words, _) in Verb::ALL {
        write(&format!("`deployer {words}`"), &|spec| !spec.verbs.is_empty() && spec.is_of(verb));
    }
    text
}

#[test]
fn the_documentation_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == reference(), "{path} is stale: run this test with UPDATE_DOCS=1");
}
