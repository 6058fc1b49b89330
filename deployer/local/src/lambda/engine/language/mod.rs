//! Functions in languages that need an interpreter: which one on this machine runs them, and what Lambda's own runtime adds.
//!
//! Python runs with AWS's runtime client, installed into the state folder when it is first needed ([`python`]); Node.js with
//! a loop over the Runtime API that this program carries with it. Lambda's interpreters are not on this machine: where the
//! very version is missing, another one runs the function, and the log and whoever asks are told ([`interpreter`]).

mod interpreter;
mod node;
mod python;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interpreter::Interpreter;
pub use interpreter::{difference, installed};

/// The runtimes whose functions come without a `bootstrap`.
pub const RUNTIMES: [&str; 10] = [
    "nodejs18.x",
    "nodejs20.x",
    "nodejs22.x",
    "nodejs24.x",
    "python3.9",
    "python3.10",
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
];

/// A language with the version that a runtime's name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Python 3, its minor version.
    Python(u32),
    /// Node.js, its major version.
    Node(u32),
}

impl Language {
    /// The language of a runtime; `None` for those that bring their own `bootstrap`.
    pub fn of(runtime: &str) -> Option<Self> {
        if let Some(minor) = runtime.strip_prefix("python3.") {
            return minor.parse().ok().map(Self::Python);
        }
        runtime.strip_prefix("nodejs")?.strip_suffix(".x")?.parse().ok().map(Self::Node)
    }
}

/// What runs a function of a runtime on this machine.
#[derive(Debug)]
pub struct Ready {
    language: Language,
    interpreter: Interpreter,
    folder: PathBuf,
    script: PathBuf,
    packages: Vec<PathBuf>,
}

/// A process to be started in place of a `bootstrap`.
#[derive(Debug)]
pub struct Launch {
    /// The interpreter.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// As the log's first line names it, such as `python:3.11.7`; `None` for a package that runs by itself.
    pub version: Option<String>,
}

impl Launch {
    /// The same, started by another program. A shell tries, as on Lambda, so that one that is not there ends with its status.
    pub fn wrapped(self, wrapper: PathBuf) -> Self {
        let command = ["-c", "exec \"$0\" \"$@\""].map(OsString::from);
        let given = [wrapper.into_os_string(), self.program.into_os_string()];
        let arguments = command.into_iter().chain(given).chain(self.arguments).collect();
        Self { program: PathBuf::from("/bin/sh"), arguments, version: self.version }
    }
}

impl Ready {
    /// The interpreter.
    pub fn program(&self) -> &Path {
        &self.interpreter.program
    }

    /// The process for an environment of this size, with its layers in this folder.
    pub fn launch(&self, memory_mb: u32, layers: Option<&Path>) -> Launch {
        let script = self.script.clone().into_os_string();
        let arguments = match self.language {
            Language::Python(minor) => {
                // Nothing of the user's own, and no compiled files: on AWS the package is read-only.
                let own = ["-s", "-B"].into_iter().map(OsString::from).chain([script]);
                let layers = layers.into_iter().flat_map(|layers| python::layer_folders(minor, layers));
                let layers = layers.map(PathBuf::into_os_string);
                let packages = self.packages.iter().map(|p| p.clone().into_os_string());
                own.chain(layers).chain(["--".into()]).chain(packages).collect()
            }
            Language::Node(_) => {
                // V8 sizes its heap by the machine's memory, which is not the function's.
                let heap = format!("--max-old-space-size={}", memory_mb * 9 / 10);
                let sdk = self.packages.iter().map(|folder| folder.clone().into_os_string());
                [heap.into(), script].into_iter().chain(sdk).collect()
            }
        };
        Launch { program: self.interpreter.program.clone(), arguments, version: Some(self.version()) }
    }

    /// The variables that Lambda's runtime sets besides those that every function has; a function's own win over them.
    pub fn variables(&self, runtime: &str, root: &Path, layers: Option<&Path>) -> Vec<(String, String)> {
        let root = root.display();
        let mut variables = vec![
            ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}")),
            ("LAMBDA_RUNTIME_DIR", self.folder.display().to_string()),
        ];
        if let Language::Node(major) = self.language {
            let layers = layers.map(|layers| {
                let nodejs = layers.join("nodejs").display().to_string();
                format!("{nodejs}/node{major}/node_modules:{nodejs}/node_modules:")
            });
            let layers = layers.unwrap_or_default();
            let sdk = self.packages.iter().map(|folder| format!(":{}/node_modules", folder.display()));
            let sdk: String = sdk.collect();
            variables.push(("NODE_PATH", format!("{layers}{root}/node_modules:{root}{sdk}")));
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn version(&self) -> String {
        let name = match self.language {
            Language::Python(_) => "python",
            Language::Node(_) => "nodejs",
        };
        format!("{name}:{}", self.interpreter.version)
    }

    /// What is not as on Lambda, as a sentence.
    pub fn difference(&self) -> Option<String> {
        self.interpreter.difference(self.language)
    }
}

/// A language, and the packages of the AWS SDK that come with it.
type Wanted = (Language, Vec<String>);

/// What has been found and installed so far.
pub struct Runtimes {
    folder: PathBuf,
    ready: tokio::sync::Mutex<HashMap<Wanted, Arc<Ready>>>,
}

impl Runtimes {
    /// Runtimes that keep what they need in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, ready: tokio::sync::Mutex::default() }
    }

    /// Finds the interpreter and installs what it needs, once; `sdk` says which packages of the AWS SDK that Lambda's runtime
    /// brings along the code uses.
    ///
    /// # Errors
    /// What is missing and how to get it.
    pub async fn ready(&self, language: Language, sdk: Vec<String>) -> Result<Arc<Ready>, String> {
        // Held throughout: of two invocations one installs, and the other finds it done.
        let mut ready = self.ready.lock().await;
        if let Some(ready) = ready.get(&(language, sdk.clone())) {
            return Ok(Arc::clone(ready));
        }
        let interpreter = interpreter::find(language).await?;
        let (script, packages) = match language {
            Language::Python(_) => {
                let packages = python::packages(&self.folder, &interpreter, !sdk.is_empty()).await?;
                (self.script("python.py", include_str!("python.py")), packages)
            }
            Language::Node(_) => {
                let packages = match sdk.as_slice() {
                    [] => Vec::new(),
                    names => vec![node::install(&self.folder, &interpreter.program, names).await?],
                };
                (self.script("node.mjs", include_str!("node.mjs")), packages)
            }
        };
        let script = script.map_err(|e| format!("cannot write into {}: {e}", self.folder.display()))?;
        let made = Arc::new(Ready { language, interpreter, folder: self.folder.clone(), script, packages });
        ready.insert((language, sdk), Arc::clone(&made));
        Ok(made)
    }

    /// Writes a script of this program's into the folder, whole or not at all.
    fn script(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        let path = self.folder.join(name);
        file.persist(&path)?;
        Ok(path)
    }
}

/// The packages of the AWS SDK that the code uses and neither it nor its layers bring along.
pub fn sdk(language: Language, root: &Path, layers: Option<&Path>) -> Vec<String> {
    let Language::Python(minor) = language else { return node::needed(root, layers) };
    let layers = layers.into_iter().flat_map(|layers| python::layer_folders(minor, layers));
    let needed = python::needs_sdk(std::iter::once(root.to_owned()).chain(layers).collect());
    if needed { vec![python::SDK[0].to_owned()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runtime_has_a_language() {
        assert!(RUNTIMES.iter().all(|runtime| Language::of(runtime).is_some()));
        assert_eq!(Language::of("python3.13"), Some(Language::Python(13)));
        assert_eq!(Language::of("nodejs22.x"), Some(Language::Node(22)));
        for runtime in ["provided.al2023", "python2.7", "python3.x", "nodejs22", "ruby3.3"] {
            assert_eq!(Language::of(runtime), None, "{runtime}");
        }
    }

    #[test]
    fn a_version_that_is_not_there_is_said() {
        let ready = |exact| Ready {
            language: Language::Node(22),
            interpreter: Interpreter { program: "/usr/bin/node".into(), version: "20.1.0".to_owned(), exact },
            folder: PathBuf::new(),
            script: PathBuf::new(),
            packages: Vec::new(),
        };
        assert_eq!(ready(true).difference(), None);
        let said = ready(false).difference().unwrap();
        assert_eq!(said, "Node.js 22 is not on this machine; /usr/bin/node (20.1.0) runs it");
        assert_eq!(ready(false).launch(128, None).version.as_deref(), Some("nodejs:20.1.0"));
    }
}
