//! Files as people have them: one number changes and nothing else; what is computed is refused with its line.

// All of this is test code; clippy knows only the functions marked as tests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;
use write_back::{Definition, Files, Problem, Target, Wanted, find};

/// What becomes of a file of `fixtures` when its function gets 1024 MB. The tests of the whole program read it as well.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// The file to look in.
    file: PathBuf,
    function: String,
    #[serde(default)]
    logical_id: Option<String>,
    #[serde(default)]
    tfvars: Vec<PathBuf>,
    /// What the function is called there.
    resource: String,
    /// The file that changes, if it is another one.
    #[serde(default)]
    changed: Option<PathBuf>,
    /// The line that changes, or its end, before and afterwards.
    was: String,
    now: String,
    /// Its number, where there are several of this text.
    #[serde(default)]
    line: Option<usize>,
    #[serde(default)]
    through: Vec<String>,
    #[serde(default)]
    also: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The fixtures, by their path in `fixtures`.
fn fixtures() -> BTreeMap<PathBuf, String> {
    fn gather(folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, files);
            } else {
                let name = path.strip_prefix(self::folder()).unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    gather(&folder(), &mut files);
    files
}

fn found(file: &str, function: &str, files: &dyn Files) -> Result<Definition, Problem> {
    let (file, resource) = file.split_once('#').map_or((file, None), |(file, name)| (file, Some(name)));
    let wanted = Wanted { function, logical_id: None };
    find(&Target { file: Path::new(file), resource }, &wanted, &[], files)
}

#[test]
fn one_number_changes_and_nothing_else() {
    let files = fixtures();
    let cases: Vec<Case> = serde_json::from_str(&files[Path::new("cases.json")]).unwrap();
    for case in &cases {
        let target = Target { file: &case.file, resource: None };
        let wanted = Wanted { function: &case.function, logical_id: case.logical_id.as_deref() };
        let definition =
            find(&target, &wanted, &case.tfvars, &files).unwrap_or_else(|e| panic!("{case:?}: {e}"));
        let file = case.changed.as_ref().unwrap_or(&case.file);
        assert_eq!(&definition.file, file, "{case:?}");
        assert_eq!(definition.resource, case.resource, "{case:?}");
        assert_eq!(definition.through, case.through, "{case:?}");
        assert_eq!(definition.also, case.also, "{case:?}");

        let before = &files[file];
        let after = definition.set(1024).unwrap();
        let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
        assert_eq!(old.len(), new.len(), "{case:?}");
        let differ: Vec<usize> = (0..old.len()).filter(|line| old[*line] != new[*line]).collect();
        assert_eq!(differ, [definition.line - 1], "{case:?}\n{after}");
        assert!(case.line.is_none_or(|line| line == definition.line), "{case:?}: {}", definition.line);
        let (old, new) = (old[differ[0]], new[differ[0]]);
        let end = if old.ends_with('\r') { "\r" } else { "" };
        assert!(old.ends_with(&format!("{}{end}", case.was)), "{case:?}: {old:?}");
        assert_eq!(new, old.replace(&case.was, &case.now), "{case:?}");

        // Read again it is what was written.
        let mut written = files.clone();
        written.insert(file.clone(), after);
        let again = find(&target, &wanted, &case.tfvars, &written).unwrap();
        assert_eq!((again.memory_size, again.line), (1024, definition.line), "{case:?}");
    }
    for kind in ["cloudformation", "json", "serverless", "terraform"] {
        let mut all: Vec<&PathBuf> =
            cases.iter().map(|case| &case.file).filter(|file| file.starts_with(kind)).collect();
        all.dedup();
        assert_eq!(all.len(), 5, "{kind}");
    }
}

#[test]
fn what_is_computed_is_shown_with_its_line() {
    let files = fixtures();
    for (file, function, says) in [
        (
            "cloudformation/mapping.yaml",
            "mail-api",
            "cloudformation/mapping.yaml:19: the memory size is computed, `!If [IsProd, 1769, 128]`: change it by hand",
        ),
        (
            "serverless/custom.yml#crop",
            "",
            "serverless/custom.yml:23: the memory size is computed, `${self:custom.byStage.${self:provider.stage}}`: change it by hand",
        ),
        (
            "serverless/custom.yml#rotate",
            "",
            "serverless/custom.yml:26: the memory size is computed, `${env:MEMORY, 512}`: change it by hand",
        ),
        (
            "terraform/instances/main.tf",
            "images-stage",
            "terraform/instances/main.tf:27: the memory size is computed, `terraform.workspace == \"prod\" ? 1024 : 128`: change it by hand",
        ),
    ] {
        assert_eq!(found(file, function, &files).unwrap_err().to_string(), says);
    }
}

/// One file, by its name.
fn only(name: &str, text: &str) -> BTreeMap<PathBuf, String> {
    BTreeMap::from([(PathBuf::from(name), text.to_owned())])
}

#[test]
fn a_function_is_found_by_every_name_it_may_have() {
    let files = fixtures();
    let resource = |file: &str, function: &str| found(file, function, &files).unwrap().resource;
    assert_eq!(resource("serverless/provider.yml", "mail-test-in"), "receive");
    assert_eq!(resource("serverless/provider.yml", "archive"), "archive");
    assert_eq!(resource("cloudformation/globals.yaml", "shop-Reports-0123456789AB"), "Reports");
    assert_eq!(resource("cloudformation/globals.yaml#Invoices", "whatever"), "Invoices");
    assert_eq!(resource("terraform/plain/main.tf#orders", "whatever"), "aws_lambda_function.orders");
    assert_eq!(resource("terraform/plain/main.tf", "orders"), "aws_lambda_function.orders");
}

#[test]
fn the_logical_id_of_the_framework_is_known() {
    let files = fixtures();
    let target = Target { file: Path::new("serverless/crlf.yml"), resource: None };
    let wanted = Wanted { function: "x", logical_id: Some("Cleaner_upLambdaFunction") };
    assert!(find(&target, &wanted, &[], &files).is_err());
    let wanted = Wanted { function: "x", logical_id: Some("CleanerUnderscoreupLambdaFunction") };
    assert_eq!(find(&target, &wanted, &[], &files).unwrap().resource, "cleaner_up");
}

#[test]
fn what_cannot_be_changed_says_why_and_what_to_do() {
    const NONE: &str =
        "Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties:\n      Handler: x\n";
    for (name, text, function, says) in [
        (
            "t.yaml",
            NONE,
            "A",
            "t.yaml:3: A has no MemorySize, so that it gets 128 MB: add MemorySize to its Properties first",
        ),
        (
            "t.yaml",
            NONE,
            "B",
            "t.yaml: none of its functions is known to be deployed as B: it defines A; say which one it is, as t.yaml#A",
        ),
        ("t.yaml#B", NONE, "A", "t.yaml: it defines no function B, but A"),
        ("t.yaml", "Resources: {}\n", "A", "t.yaml: it defines no Lambda function"),
        ("t.yaml", "", "A", "t.yaml: it is empty"),
        (
            "t.yaml",
            "Resources: [\n",
            "A",
            "t.yaml:2: it is not YAML: while parsing a node, did not find expected node content",
        ),
        ("t.json", "{\"Resources\":\n {,}}", "A", "t.json:2: it is not JSON: Unexpected token"),
        (
            "t.yaml",
            "a: 1\n",
            "A",
            "t.yaml: it is no CloudFormation or SAM template (`Resources`), no serverless.yml (`functions`, `provider`), and no Terraform file (.tf)",
        ),
        (
            "t.yaml",
            "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {MemorySize: 0x200}}\n",
            "A",
            "t.yaml:2: the memory size is `0x200`, not a whole number of MB: change it by hand",
        ),
        (
            "t.yaml",
            "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {MemorySize: 'about 512'}}\n",
            "A",
            "t.yaml:2: the memory size is `'about 512'`, not a whole number of MB: change it by hand",
        ),
        (
            "t.yaml",
            "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {MemorySize: !Ref M}}\nParameters: {M: {Type: Number}}\n",
            "A",
            "t.yaml:2: the memory size is the parameter M, which has no Default: it is given when the stack is deployed",
        ),
        (
            "s.yml",
            "provider: {name: aws}\nfunctions:\n  a: {handler: x}\n",
            "a",
            "s.yml:3: a has no memorySize, so that it gets 1024 MB: add memorySize to it first",
        ),
        (
            "s.yml",
            "provider: {memorySize: '${self:custom.a}'}\ncustom: {a: '${self:provider.memorySize}'}\nfunctions: {a: {handler: x}}\n",
            "a",
            "s.yml:1: the memory size is a reference that leads to itself",
        ),
        (
            "m.tf",
            "resource \"aws_lambda_function\" \"a\" {\n  memory_size = var.m\n}\nvariable \"m\" {}\n",
            "a",
            "m.tf:2: var.m has no default and no value in the .tfvars that Terraform reads by itself: also name the file that has its value",
        ),
        (
            "m.tf",
            "resource \"aws_lambda_function\" \"a\" {}\n",
            "a",
            "m.tf:1: aws_lambda_function.a has no memory_size, so that it gets 128 MB: add memory_size to it first",
        ),
        (
            "m.tf",
            "locals {\n  a = local.b\n  b = local.a\n}\nresource \"aws_lambda_function\" \"a\" {\n  memory_size = local.a\n}\n",
            "a",
            "m.tf:3: the memory size is a reference that leads to itself",
        ),
        (
            "p.tfvars",
            "m = 1\n",
            "a",
            "p.tfvars: values of variables define no function: also name a .tf file of the module that has them",
        ),
        ("gone.tf", "", "a", "gone.tf: there is no such file"),
    ] {
        let files = if name.starts_with("gone") {
            BTreeMap::new()
        } else {
            only(name.split('#').next().unwrap(), text)
        };
        let wrong = found(name, function, &files).unwrap_err().to_string();
        assert!(wrong.starts_with(says), "{wrong}\nis not\n{says}");
    }
    let files = fixtures();
    let wrong = found("cloudformation/parameter.yaml", "Thumbnails", &files).unwrap().set(640).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "cloudformation/parameter.yaml:7: 640 is none of the AllowedValues of this parameter (128, 256, 512, 1024, 3008): add it to them first"
    );
    let plain = found("terraform/plain/main.tf", "shop-invoices", &files).unwrap();
    assert_eq!(
        plain.through,
        ["its ignore_changes, by which Terraform leaves the size of a function that exists as it is"]
    );
    let two = "Resources:\n  A: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub '${S}-x', MemorySize: 128}}\n  \
               B: {Type: AWS::Lambda::Function, Properties: {FunctionName: !Sub '${T}-x', MemorySize: 128}}\n";
    let wrong = found("t.yaml", "prod-x", &only("t.yaml", two)).unwrap_err();
    assert_eq!(wrong.to_string(), "t.yaml: prod-x may be A or B: say which, as t.yaml#A");
}

proptest! {
    /// Whatever a file holds, the reader ends, and what it changes is a number.
    #[test]
    fn hostile_files_are_refused_or_changed_in_one_place(text in "[a-zA-Z0-9:\\-\\[\\]{}&*!\"' \n\r\t#$äß<.=]{0,200}", kind in 0..3_usize) {
        let (name, text) = [
            ("t.yaml", format!("Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties: {text}\n")),
            ("s.yml", format!("provider: {{name: aws}}\nfunctions:\n  A: {text}\n")),
            ("m.tf", format!("resource \"aws_lambda_function\" \"A\" {{\n{text}\n}}\n")),
        ][kind].clone();
        if let Ok(definition) = found(name, "A", &only(name, &text)) {
            let after = definition.set(1024).unwrap();
            prop_assert_eq!(found(name, "A", &only(name, &after)).unwrap().memory_size, 1024);
        }
    }
}
