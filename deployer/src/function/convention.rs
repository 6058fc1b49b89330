//! How code is run that does not say it itself: Lambda's conventions, read off the names of the files.

use std::collections::BTreeSet;

/// The newest runtime of each language, for a machine that has none of that language.
const PYTHON: &str = "python3.14";
const NODE: &str = "nodejs24.x";
const PROVIDED: &str = "provided.al2023";

/// The runtimes that this machine's own interpreters come next to; `None` for a language that is not on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// Python's.
    pub python: Option<&'static str>,
    /// That of Node.js.
    pub node: Option<&'static str>,
}

impl Installed {
    /// What is on the PATH.
    pub async fn on_path() -> Self {
        let (python, node) = tokio::join!(
            local_aws::lambda::installed_runtime("python"),
            local_aws::lambda::installed_runtime("nodejs")
        );
        Self { python, node }
    }

    /// The runtime for code in the language of another one, and why it is that, to be read after its name.
    fn for_language_of(&self, runtime: &'static str) -> (&'static str, &'static str) {
        let (own, language) = if runtime.starts_with("python") {
            (self.python, ", by the Python on the PATH")
        } else {
            (self.node, ", by the Node.js on the PATH")
        };
        own.map_or((runtime, ""), |own| (own, language))
    }
}

/// What Lambda's console calls a first function.
const PYTHON_HANDLER: &str = "lambda_function.lambda_handler";
const NODE_HANDLER: &str = "index.handler";

/// The endings of a Node.js file.
const NODE_FILES: [&str; 3] = ["js", "mjs", "cjs"];

/// How code is run.
#[derive(Debug, PartialEq, Eq)]
pub struct Convention {
    /// The runtime.
    pub runtime: String,
    /// The handler.
    pub handler: String,
    /// What of it was guessed, as a sentence; `None` when nothing was, or nothing could be otherwise.
    pub guess: Option<String>,
}

/// How a package of these files is run, as told or by Lambda's conventions.
///
/// # Errors
/// What is missing, and what would be right.
pub fn find(
    files: &BTreeSet<&str>,
    runtime: Option<&str>,
    handler: Option<&str>,
    installed: &Installed,
) -> Result<Convention, String> {
    let (guessed, why) = match (runtime, guess(files, handler)) {
        (Some(runtime), _) => (runtime, ""),
        (None, Some(PROVIDED)) => (PROVIDED, ""),
        (None, Some(newest)) => installed.for_language_of(newest),
        (None, None) => return Err(nothing(files, handler)),
    };
    if guessed.starts_with("provided") {
        if !files.contains("bootstrap") {
            return Err(format!(
                "has no `bootstrap` at its top, the executable that {guessed} starts; for Rust, build a binary of that name"
            ));
        }
        let handler = handler.unwrap_or("bootstrap").to_owned();
        return Ok(Convention { runtime: guessed.to_owned(), handler, guess: None });
    }
    let standard = if guessed.starts_with("python") { PYTHON_HANDLER } else { NODE_HANDLER };
    let chosen = handler.unwrap_or(standard);
    match module(files, guessed, chosen) {
        Some(true) => {}
        Some(false) if handler.is_none() => return Err(unnamed(files, guessed, standard)),
        Some(false) => return Err(absent(files, guessed, chosen)),
        None => {
            return Err(format!(
                "the handler `{chosen}` must be FILE.FUNCTION, such as app.handler for `handler` in {}",
                if guessed.starts_with("python") { "app.py" } else { "app.js or app.mjs" }
            ));
        }
    }
    let guess = match (runtime, handler) {
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some(format!("running {chosen} (--handler says otherwise)")),
        (None, Some(_)) => Some(format!("running it as {guessed}{why} (--runtime says otherwise)")),
        (None, None) => {
            Some(format!("running {chosen} as {guessed}{why} (--handler and --runtime say otherwise)"))
        }
    };
    Ok(Convention { runtime: guessed.to_owned(), handler: chosen.to_owned(), guess })
}

/// The runtime that the files suggest.
fn guess(files: &BTreeSet<&str>, handler: Option<&str>) -> Option<&'static str> {
    if files.contains("bootstrap") {
        return Some(PROVIDED);
    }
    let has = |runtime, standard| module(files, runtime, handler.unwrap_or(standard)) == Some(true);
    match (has(PYTHON, PYTHON_HANDLER), has(NODE, NODE_HANDLER)) {
        (true, false) => Some(PYTHON),
        (false, true) => Some(NODE),
        // Both is for the user to say; without either, the language at least may be clear.
        (true, true) => None,
        (false, false) => match (top(files, &["py"]).is_empty(), top(files, &NODE_FILES).is_empty()) {
            (false, true) => Some(PYTHON),
            (true, false) => Some(NODE),
            (true, true) if files.contains("package.json") => Some(NODE),
            _ => None,
        },
    }
}

/// Whether the handler's file is there; `None` when it names none.
fn module(files: &BTreeSet<&str>, runtime: &str, handler: &str) -> Option<bool> {
    let there = |stem: &str, endings: &[&str]| {
        endings.iter().any(|ending| files.contains(format!("{stem}{ending}").as_str()))
    };
    if runtime.starts_with("python") {
        let (module, function) = handler.rsplit_once('.')?;
        let stem = module.replace('.', "/");
        return (!stem.is_empty() && !function.is_empty())
            .then(|| there(&stem, &[".py", "/__init__.py", ".pyc"]) || compiled(files, &stem));
    }
    let folder = handler.rfind('/').map_or(0, |slash| slash + 1);
    let (file, function) = handler[folder..].split_once('.')?;
    let stem = format!("{}{file}", handler[..folder].trim_start_matches("./"));
    (!file.is_empty() && !function.is_empty())
        .then(|| there(&stem, &[".js", ".mjs", ".cjs", "", "/index.js"]))
}

/// Whether it is a module in machine code.
fn compiled(files: &BTreeSet<&str>, stem: &str) -> bool {
    files.iter().any(|file| file.strip_prefix(stem).is_some_and(|r| r.starts_with('.') && r.ends_with(".so")))
}

/// The files at the top with one of these endings.
fn top<'a>(files: &BTreeSet<&'a str>, endings: &[&str]) -> Vec<&'a str> {
    let ends = |file: &str| file.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending));
    files.iter().copied().filter(|file| !file.contains('/') && ends(file)).collect()
}

fn nothing(files: &BTreeSet<&str>, handler: Option<&str>) -> String {
    if !top(files, &["py"]).is_empty() && !top(files, &NODE_FILES).is_empty() {
        return format!(
            "has both Python and Node.js in it: say which with --runtime{}",
            if handler.is_some() { "" } else { " and --handler" }
        );
    }
    "has neither a `bootstrap` at its top, the executable that Lambda starts (for Rust, build a binary of that name), nor a \
     file in Python or Node.js; for a handler further down, say --runtime and --handler"
        .to_owned()
}

fn endings(runtime: &str) -> &'static [&'static str] {
    if runtime.starts_with("python") { &["py"] } else { &NODE_FILES }
}

/// No handler is named, and none is where it would be by convention.
fn unnamed(files: &BTreeSet<&str>, runtime: &str, standard: &str) -> String {
    let there = top(files, endings(runtime));
    let example = match there.first().and_then(|file| file.split_once('.')) {
        Some((stem, _)) => format!("--handler {stem}.FUNCTION"),
        None => "--handler FILE.FUNCTION".to_owned(),
    };
    format!(
        "which function is the handler? Say {example}; without that it is {standard}, and there is no such file"
    )
}

fn absent(files: &BTreeSet<&str>, runtime: &str, handler: &str) -> String {
    let wanted = if runtime.starts_with("python") {
        format!("{}.py", handler.rsplit_once('.').map_or(handler, |(module, _)| module).replace('.', "/"))
    } else {
        let folder = handler.rfind('/').map_or(0, |slash| slash + 1);
        let stem = handler[folder..].split_once('.').map_or(handler, |(file, _)| file);
        let stem = format!("{}{stem}", &handler[..folder]);
        if files.contains(format!("{stem}.ts").as_str()) {
            return format!(
                "{stem}.ts is TypeScript, which Lambda does not run: compile it to {stem}.mjs or {stem}.js"
            );
        }
        format!("{stem}.js, {stem}.mjs or {stem}.cjs")
    };
    let there = top(files, endings(runtime));
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    format!("the handler `{handler}` is in {wanted}, which is not there (at the top: {there})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        files: &[&str],
        runtime: Option<&str>,
        handler: Option<&str>,
    ) -> Result<(String, String), String> {
        let files = files.iter().copied().collect();
        find(&files, runtime, handler, &Installed::default()).map(|found| (found.runtime, found.handler))
    }

    fn right(files: &[&str], runtime: Option<&str>, handler: Option<&str>) -> (String, String) {
        found(files, runtime, handler).unwrap()
    }

    fn pair(runtime: &str, handler: &str) -> (String, String) {
        (runtime.to_owned(), handler.to_owned())
    }

    #[test]
    fn lambdas_conventions_are_known() {
        assert_eq!(right(&["bootstrap", "app.py"], None, None), pair(PROVIDED, "bootstrap"));
        assert_eq!(right(&["lambda_function.py"], None, None), pair(PYTHON, PYTHON_HANDLER));
        for file in ["index.js", "index.mjs", "index.cjs"] {
            assert_eq!(right(&[file, "package.json"], None, None), pair(NODE, NODE_HANDLER));
        }
        assert_eq!(right(&["app.py", "x.js"], None, Some("app.run")), pair(PYTHON, "app.run"));
        assert_eq!(right(&["src/a/app.mjs"], None, Some("src/a/app.run")), pair(NODE, "src/a/app.run"));
        assert_eq!(
            right(&["src/app.py"], Some("python3.9"), Some("src.app.f")),
            pair("python3.9", "src.app.f")
        );
        assert_eq!(
            right(&["src/app.py"], Some("python3.9"), Some("src/app.f")),
            pair("python3.9", "src/app.f")
        );
        assert_eq!(right(&["app/__init__.py"], None, Some("app.f")), pair(PYTHON, "app.f"));
        assert_eq!(right(&["app.cpython-311-x86_64-linux-gnu.so"], Some(PYTHON), Some("app.f")).1, "app.f");
        assert_eq!(right(&["a.js"], None, Some("a.b.c")), pair(NODE, "a.b.c"));
    }

    #[test]
    fn what_was_guessed_is_said() {
        let guess = |files: &[&str], runtime, handler| {
            find(&files.iter().copied().collect(), runtime, handler, &Installed::default()).unwrap().guess
        };
        let all = guess(&["index.mjs"], None, None).unwrap();
        assert_eq!(all, "running index.handler as nodejs24.x (--handler and --runtime say otherwise)");
        assert!(guess(&["app.py"], None, Some("app.f")).unwrap().contains("as python3.14 (--runtime"));
        assert!(guess(&["index.js"], Some("nodejs20.x"), None).unwrap().contains("index.handler (--handler"));
        assert_eq!(guess(&["app.py"], Some("python3.12"), Some("app.f")), None);
        assert_eq!(guess(&["bootstrap"], None, None), None);
    }

    #[test]
    fn the_runtime_is_that_of_the_installed_interpreter() {
        let installed = Installed { python: Some("python3.11"), node: Some("nodejs18.x") };
        let guess = |files: &[&str], runtime| {
            find(&files.iter().copied().collect(), runtime, None, &installed).unwrap().guess.unwrap()
        };
        assert_eq!(
            guess(&["index.mjs"], None),
            "running index.handler as nodejs18.x, by the Node.js on the PATH (--handler and --runtime say otherwise)"
        );
        assert!(
            guess(&["lambda_function.py"], None)
                .contains("as python3.11, by the Python on the PATH (--handler")
        );
        let named = guess(&["lambda_function.py"], Some("python3.13"));
        assert_eq!(named, "running lambda_function.lambda_handler (--handler says otherwise)");
    }

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        for (files, runtime, handler, words) in [
            (&["readme.txt"][..], None, None, "neither a `bootstrap` at its top"),
            (&["app.py"], Some("provided.al2023"), None, "has no `bootstrap` at its top"),
            (
                &["app.py"],
                None,
                None,
                "Say --handler app.FUNCTION; without that it is lambda_function.lambda_handler",
            ),
            (
                &["package.json", "src/x.js"],
                None,
                None,
                "Say --handler FILE.FUNCTION; without that it is index.handler",
            ),
            (&["lambda_function.py", "index.js"], None, None, "say which with --runtime and --handler"),
            (&["app.py", "app.js"], None, Some("app.f"), "say which with --runtime"),
            (&["app.py"], None, Some("main.f"), "is in main.py, which is not there (at the top: app.py)"),
            (&["app.py"], Some("python3.13"), Some("a.b.f"), "is in a/b.py, which is not there"),
            (&["x.js", "app.ts"], None, Some("app.f"), "app.ts is TypeScript"),
            (&["x.js"], None, Some("lib/app.f"), "is in lib/app.js, lib/app.mjs or lib/app.cjs"),
            (&["app.py"], None, Some("handler"), "must be FILE.FUNCTION, such as app.handler"),
            (&["app.js"], None, Some("app."), "must be FILE.FUNCTION"),
        ] {
            let problem = found(files, runtime, handler).unwrap_err();
            assert!(problem.contains(words), "{files:?} {handler:?}: {problem}");
        }
    }
}
