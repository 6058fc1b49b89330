//! Finds an interpreter on this machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{Language, RUNTIMES};

/// How long an interpreter may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// How interpreters are asked for their version and for the executable itself.
const PYTHON: [&str; 2] =
    ["-c", "import platform, sys; print(platform.python_version()); print(sys.executable)"];
const NODE: [&str; 2] = ["-p", "process.versions.node + '\\n' + process.execPath"];
const NODE_NAMES: [&str; 2] = ["node", "nodejs"];

/// An interpreter that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable itself, behind all links and version managers.
    pub program: PathBuf,
    /// Its version, such as `3.11.7`.
    pub version: String,
    /// Whether it is the version that was asked for.
    pub exact: bool,
}

impl Interpreter {
    /// That it is not of the version which a function wants, as a sentence.
    pub fn difference(&self, language: Language) -> Option<String> {
        let wanted = match language {
            Language::Python(minor) => format!("Python 3.{minor}"),
            Language::Node(major) => format!("Node.js {major}"),
        };
        let Self { program, version, exact } = self;
        (!exact)
            .then(|| format!("{wanted} is not on this machine; {} ({version}) runs it", program.display()))
    }
}

/// What is not as on Lambda when an interpreter of this machine runs functions of a runtime, as a sentence.
pub async fn difference(runtime: &str) -> Option<String> {
    let language = Language::of(runtime)?;
    find(language).await.ok()?.difference(language)
}

/// The interpreter for a language: of its very version, else the first on the path that can do.
///
/// # Errors
/// There is none; says how to get one.
pub async fn find(language: Language) -> Result<Interpreter, String> {
    let (names, question): (Vec<String>, [&str; 2]) = match language {
        Language::Python(wanted) => {
            let others =
                (9..=14).rev().filter(|minor| *minor != wanted).map(|minor| format!("python3.{minor}"));
            let names = [format!("python3.{wanted}"), "python3".to_owned(), "python".to_owned()];
            (names.into_iter().chain(others).collect(), PYTHON)
        }
        Language::Node(_) => (NODE_NAMES.map(str::to_owned).to_vec(), NODE),
    };
    let mut second_best = None;
    for name in names {
        let Some((version, program)) = ask(&name, question).await else { continue };
        match fits(language, &version) {
            Some(true) => return Ok(Interpreter { program, version, exact: true }),
            Some(false) if second_best.is_none() => {
                second_best = Some(Interpreter { program, version, exact: false });
            }
            _ => {}
        }
    }
    second_best.ok_or_else(|| match language {
        Language::Python(minor) => format!(
            "no Python from 3.9 to 3.14 is on the PATH, and this function wants 3.{minor}; install it: apt-get install \
             python3 python3-venv"
        ),
        Language::Node(major) => format!(
            "no Node.js from 18 on is on the PATH, and this function wants {major}; install it: apt-get install nodejs"
        ),
    })
}

/// The runtime of Lambda that comes next to the interpreter which a language's name starts on this machine: that of its version, or
/// the newest before it.
pub async fn installed(language: &str) -> Option<&'static str> {
    let (names, question): (Vec<String>, _) = if language == "python" {
        let versions = (9..=14).rev().map(|minor| format!("python3.{minor}"));
        (["python3", "python"].map(str::to_owned).into_iter().chain(versions).collect(), PYTHON)
    } else {
        (NODE_NAMES.map(str::to_owned).to_vec(), NODE)
    };
    for name in names {
        let Some((version, _)) = ask(&name, question).await else { continue };
        if let Some(runtime) = next_to(language, &version) {
            return Some(runtime);
        }
    }
    None
}

/// Runtimes are listed by language, the oldest first.
fn next_to(language: &str, version: &str) -> Option<&'static str> {
    let mut of_language = RUNTIMES.into_iter().rev().filter(|runtime| runtime.starts_with(language));
    of_language.find(|runtime| Language::of(runtime).is_some_and(|of| not_newer(of, version)))
}

/// Whether an interpreter of this version can run code of a language's version that is not newer.
fn not_newer(language: Language, version: &str) -> bool {
    let (place, wanted) = match language {
        Language::Python(minor) => (1, minor),
        Language::Node(major) => (0, major),
    };
    let own = version.split('.').nth(place).and_then(|number| number.parse::<u32>().ok());
    fits(language, version).is_some() && own.is_some_and(|own| wanted <= own)
}

async fn ask(name: &str, question: [&str; 2]) -> Option<(String, PathBuf)> {
    let mut command = Command::new(name);
    command.args(question).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let (version, program) = text.trim_end().split_once('\n')?;
    Some((version.trim().to_owned(), PathBuf::from(program.trim())))
}

/// Whether it is the version asked for, or one that can stand in for it; `None` for one that cannot.
fn fits(language: Language, version: &str) -> Option<bool> {
    let mut numbers = version.split('.').map_while(|n| n.parse::<u32>().ok());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    match language {
        Language::Python(wanted) => (major == 3 && (9..=14).contains(&minor)).then_some(minor == wanted),
        Language::Node(wanted) => (major >= 18).then_some(major == wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_that_of_the_version_or_the_newest_before_it() {
        for (language, version, runtime) in [
            ("python", "3.11.7", Some("python3.11")),
            ("python", "3.14.0rc2", Some("python3.14")),
            ("python", "3.15.0", None),
            ("python", "3.8.1", None),
            ("nodejs", "18.20.4", Some("nodejs18.x")),
            ("nodejs", "23.1.0", Some("nodejs22.x")),
            ("nodejs", "26.0.0", Some("nodejs24.x")),
            ("nodejs", "12.22.9", None),
        ] {
            assert_eq!(next_to(language, version), runtime, "{language} {version}");
        }
    }

    #[test]
    fn a_stand_in_is_one_that_can_run_the_function() {
        assert_eq!(fits(Language::Python(13), "3.13.0"), Some(true));
        assert_eq!(fits(Language::Python(13), "3.11.7"), Some(false));
        assert_eq!(fits(Language::Python(13), "3.14.0rc2"), Some(false));
        assert_eq!(fits(Language::Python(13), "2.7.18"), None);
        assert_eq!(fits(Language::Python(9), "3.8.1"), None);
        assert_eq!(fits(Language::Node(22), "22.1.0"), Some(true));
        assert_eq!(fits(Language::Node(18), "20.1.0"), Some(false));
        assert_eq!(fits(Language::Node(18), "12.22.9"), None);
        assert_eq!(fits(Language::Node(18), "nonsense"), None);
    }
}
