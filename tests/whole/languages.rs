//! Functions in Python and Node.js, tuned on this machine from nothing but their code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Running, Said, Terminal, built, deployer, prepared, up_local};

/// A machine with the stack deployed, which all tests here share: Python's runtime client is installed once.
fn state() -> PathBuf {
    prepared("languages", |folder| {
        up_local(folder, &["--power-values", "128,512"]).success();
    })
}

/// A folder of these files.
fn code(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("fn-").tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// `deployer tune --local --code FOLDER`, one at a time: a state folder has one user.
fn tune(state: PathBuf, code: &Path, flags: &[&str]) -> Said {
    let alone = std::fs::File::create(state.with_file_name("in-use")).unwrap();
    alone.lock().unwrap();
    let mut command = deployer(&["tune", "--local", "--state"]);
    Said::by(command.arg(state).arg("--code").arg(code).args(flags).current_dir(code))
}

const WORDS: &str = r#"
import collections, json

def lambda_handler(event, context):
    text = json.loads(json.dumps({"text": event.get("text", "") * 200}))["text"]
    counted = collections.Counter(text.split())
    print("counted", len(counted), "words")
    return {"most": counted.most_common(1)[0]}
"#;

#[test]
fn a_python_function_is_tuned_from_its_folder() {
    let code = code(&[("lambda_function.py", WORDS)]);
    let flags = ["--num", "5", "--payload", r#"{"text":"a rose is a rose "}"#];
    let said = tune(state().join("state"), code.path(), &flags).success().complains(&[
        "running lambda_function.lambda_handler as python3.",
        ", by the Python on the PATH (--handler and --runtime say otherwise)",
    ]);
    assert!(!said.stderr.contains("is not on this machine"), "{}", said.stderr);
    assert!(said.stdout.contains(" should have "), "{}", said.stdout);
    assert!(said.stdout.contains("128 MB") && said.stdout.contains("512 MB"), "{}", said.stdout);
}

#[test]
fn a_node_function_is_tuned_from_its_folder() {
    let handler = "import { words } from './lib/words.mjs';\n\
                   export const run = async (event) => { console.log('noise'); return words(event.text); };\n";
    let words = "export const words = (text) => new Set(text.split(' ')).size;\n";
    let code = code(&[("app.mjs", handler), ("lib/words.mjs", words)]);
    let flags = ["--handler", "app.run", "--runtime", "nodejs20.x", "--num", "5", "--json", "--payload"];
    let said = tune(state().join("state"), code.path(), &[&flags[..], &[r#"{"text":"a b a"}"#]].concat());
    let result = said.success().json();
    assert!([128, 512].contains(&result["power"].as_i64().unwrap()), "{result}");
}

#[test]
fn layers_are_published_when_their_content_is_new() {
    let words = |text: &str| code(&[("python/words.py", &format!("WORDS = '{text}'\n"))]);
    let handler = "import words, own\ndef handler(event, context):\n    assert words.WORDS == event['words'], words.WORDS\n    \
                   return own.__file__\n";
    let app = code(&[("app.py", handler)]);
    let folder = tempfile::tempdir().unwrap();
    // The state is shared and kept: names that no earlier run of this test has published.
    let (words_layer, own_layer) =
        (format!("words-{:x}", fastrand::u64(..)), format!("own-{:x}", fastrand::u64(..)));
    let published = |name: &str, version: u32| format!("the layer {name} is published as version {version}");
    let layer = |name: &str, from: &Path| {
        let layer = folder.path().join(name);
        let _ = std::fs::remove_dir_all(&layer);
        std::fs::create_dir(&layer).unwrap();
        std::fs::rename(from.join("python"), layer.join("python")).unwrap();
        layer
    };
    let own = layer(&own_layer, code(&[("python/own.py", "")]).path());
    let run = |layers: &[&Path], payload: &str| {
        let mut flags = vec!["--handler", "app.handler", "--runtime", "python3.13", "--num", "5"];
        flags.extend(["--power-values", "512", "--payload", payload]);
        for layer in layers {
            flags.extend(["--layer", layer.to_str().unwrap()]);
        }
        tune(state().join("state"), app.path(), &flags)
    };
    let first = layer(&words_layer, words("one").path());
    let said = run(&[&first, &own], r#"{"words":"one"}"#).success();
    let said = said.complains(&[&published(&words_layer, 1), &published(&own_layer, 1)]);
    assert!(said.stdout.contains(" should have 512 MB"), "{}", said.stdout);
    let again = run(&[&first, &own], r#"{"words":"one"}"#).success();
    assert!(!again.stderr.contains("published"), "{}", again.stderr);
    let second = layer(&words_layer, words("two").path());
    let said = run(&[&second, &own], r#"{"words":"two"}"#).success();
    let said = said.complains(&[&published(&words_layer, 2)]);
    assert!(!said.stderr.contains(&own_layer), "{}", said.stderr);
    // Without the option the function has no layers any more.
    run(&[], r#"{"words":"two"}"#)
        .status(1)
        .complains(&["Runtime.ImportModuleError", "No module named 'words'"]);
}

#[test]
fn a_layer_may_bring_the_bootstrap() {
    let layer = code(&[("readme.txt", "a runtime of one's own")]);
    std::fs::copy(built("samples"), layer.path().join("bootstrap")).unwrap();
    let app = code(&[("data.json", "{}")]);
    let layer = layer.path().to_str().unwrap();
    let said =
        tune(state().join("state"), app.path(), &["--handler", "echo", "--num", "5", "--layer", layer]);
    let said = said.success();
    assert!(said.stdout.contains(" should have "), "{}", said.stdout);
}

#[test]
fn a_layer_that_cannot_be_is_refused_by_its_path() {
    let nowhere = std::env::temp_dir().join("no-such-state");
    let app = code(&[("lambda_function.py", "")]);
    let empty = tempfile::tempdir().unwrap();
    let file = app.path().join("lambda_function.py");
    for (layer, words) in [
        (app.path().join("missing"), "missing: No such file or directory"),
        (file, "lambda_function.py: is neither a folder nor a zip"),
        (empty.path().to_owned(), "there is nothing in it; a layer holds python/"),
    ] {
        let said = tune(nowhere.clone(), app.path(), &["--layer", layer.to_str().unwrap()]);
        said.status(2).complains(&["--layer ", words]);
    }
    let mut alone = deployer(&["tune", "f", "--local", "--layer", "x"]);
    Said::by(&mut alone).status(2).complains(&["--code"]);
    assert!(!nowhere.exists());
}

#[test]
fn a_handler_that_fails_fails_the_run_with_its_trace() {
    let source = "def handler(event, context):\n    return event['missing']\n";
    let code = code(&[("app.py", source)]);
    let said = tune(state().join("state"), code.path(), &["--handler", "app.handler", "--num", "5"]);
    said.status(1).complains(&["TypeError", "not subscriptable", "app.py"]);
    let code = self::code(&[(
        "index.js",
        "exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 500)); };",
    )]);
    let said = tune(state().join("state"), code.path(), &["--num", "5"]);
    said.status(1).complains(&["Runtime.UnhandledPromiseRejection", "lost"]);
}

/// What an interpreter says by itself when its memory is over, at one size of two.
#[test]
fn an_interpreter_that_runs_out_of_memory_skips_the_size() {
    // Room for the size beyond what the interpreter has mapped already, so that it is Python that finds none, and not the kernel.
    let python = r#"
import os, resource

SIZE = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) << 20

def handler(event, context):
    with open("/proc/self/statm") as pages:
        limit = int(pages.read().split()[0]) * resource.getpagesize() + SIZE
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return len(bytearray(300 << 20))
"#;
    let node = "exports.handler = async () => {\n\
                const wanted = process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE < 512 ? 400 : 4;\n\
                const held = [];\n\
                for (let i = 0; i < wanted; i += 1) held.push(new Array(20000).fill(i + 0.5));\n\
                return held.length;\n};\n";
    // A heap that is smaller than the size, so that it is V8 that ends the process.
    let wrapper = "#!/bin/bash\nexec \"$1\" \"$2\" --max-old-space-size=24 \"${@:3}\"\n";
    let (of_python, of_node) = ([("app.py", python)], [("index.js", node), ("wrapper", wrapper)]);
    for (files, flags, word) in [
        (&of_python[..], ["--handler", "app.handler"], "MemoryError"),
        (&of_node, ["--variable", "AWS_LAMBDA_EXEC_WRAPPER=/var/task/wrapper"], "signal: aborted"),
    ] {
        let (code, file) = (code(files), files[0].0);
        for (name, _) in files {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(code.path().join(name), mode).unwrap();
        }
        let flags = [&flags[..], &["--num", "5", "--power-values", "128,512", "--json"]].concat();
        let result = tune(state().join("state"), code.path(), &flags).success().json();
        assert_eq!(result["power"], 512, "{file}: {result}");
        let skipped = result["skipped"].as_array().unwrap();
        assert_eq!((skipped.len(), &skipped[0]["value"]), (1, &serde_json::json!(128)), "{file}: {result}");
        let reason = skipped[0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("out of memory: ") && reason.contains(word), "{file}: {reason}");
    }
}

#[test]
fn code_without_a_handler_is_refused_before_anything_is_touched() {
    let nowhere = std::env::temp_dir().join("no-such-state");
    for (files, flags, words) in [
        (&[("notes.txt", "")][..], &[][..], "neither a `bootstrap` at its top"),
        (
            &[("app.py", "")],
            &[],
            "Say --handler app.FUNCTION; without that it is lambda_function.lambda_handler",
        ),
        (&[("app.py", "")], &["--handler", "main.run"], "main.py, which is not there (at the top: app.py)"),
        (&[("index.ts", ""), ("x.js", "")], &["--handler", "index.run"], "index.ts is TypeScript"),
        (&[("index.js", "")], &["--runtime", "ruby3.3"], "--runtime `ruby3.3`: must be one of nodejs18.x"),
    ] {
        let code = code(files);
        tune(nowhere.clone(), code.path(), flags).status(2).complains(&[words]);
    }
    assert!(!nowhere.exists());
}

#[test]
fn a_missing_interpreter_is_said_with_its_remedy() {
    let code = code(&[("index.js", "exports.handler = async () => 1;")]);
    let empty = tempfile::tempdir().unwrap();
    let machine = tempfile::tempdir().unwrap();
    up_local(machine.path(), &["--power-values", "128"]).success();
    let mut command = deployer(&["tune", "--local", "--state"]);
    command.arg(machine.path().join("state")).arg("--code").arg(code.path()).env("PATH", empty.path());
    Said::by(&mut command).status(1).complains(&["no Node.js from 18 on", "apt-get install nodejs"]);
}

#[test]
fn a_change_of_the_code_is_tuned_again_and_compared() {
    let slow = "import time\ndef lambda_handler(event, context):\n    time.sleep(0.04)\n    return 'SLOW'\n";
    let code = code(&[("lambda_function.py", slow)]);
    let machine = tempfile::tempdir().unwrap();
    up_local(machine.path(), &[]).success();
    let mut command = deployer(&[
        "tune",
        "--local",
        "--watch",
        "--num",
        "5",
        "--payload",
        "{}",
        "--power-values",
        "512",
        "--state",
    ]);
    command.arg(machine.path().join("state")).arg("--code").arg(code.path());
    let mut watching = Running::start(&mut command);
    watching.hear("waiting for a change");
    std::fs::write(code.path().join("lambda_function.py"), "def lambda_handler(:").unwrap();
    watching.hear("Runtime.UserCodeSyntaxError");
    watching.hear("waiting for a change");
    std::fs::write(code.path().join("lambda_function.py"), slow.replace("0.04", "0.01")).unwrap();
    watching.hear("waiting for a change");
    watching.signal("INT");
    let said = watching.end().success();
    assert_eq!(said.stdout.matches(" should have 512 MB").count(), 2, "{}", said.stdout);
    assert!(said.stdout.contains("now at its cheapest size, 512 MB, against before"), "{}", said.stdout);
}

#[test]
fn in_a_terminal_nothing_turns_while_a_change_is_awaited() {
    let code = tempfile::tempdir().unwrap();
    std::fs::copy(built("samples"), code.path().join("bootstrap")).unwrap();
    let machine = tempfile::tempdir().unwrap();
    up_local(machine.path(), &[]).success();
    let flags = ["--watch", "--handler", "echo", "--num", "5", "--power-values", "512"];
    let mut command = deployer(&["tune", "--local", "--state"]);
    command.arg(machine.path().join("state")).arg("--code").arg(code.path()).args(flags);
    let mut terminal = Terminal::start(&command);
    let after = terminal.after("; Ctrl-C ends this", Duration::from_secs(1));
    assert_eq!(after.trim(), "", "something goes on while nothing does");
    terminal.types("\x03");
    let (status, screen) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    let before = screen.split("; Ctrl-C ends this").next().unwrap();
    assert!(before.contains('\u{2801}'), "no spinner was there at all: {before:?}");
}
