//! Finds an interpreter on this machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Language;

/// How long an interpreter may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);

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
            let question = "import platform, sys; print(platform.python_version()); print(sys.executable)";
            (names.into_iter().chain(others).collect(), ["-c", question])
        }
        Language::Node(_) => {
            let names = ["node", "nodejs"].map(str::to_owned).to_vec();
            (names, ["-p", "process.versions.node + '\\n' + process.execPath"])
        }
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
