//! What Lambda's Python runtime brings along, installed from PyPI into the state folder: AWS's runtime client, and the AWS
//! SDK for functions that use it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::interpreter::Interpreter;

/// The runtime client, pinned with what it depends on.
const CLIENT: &str = include_str!("requirements.txt");
/// The last one for Python 3.9.
const CLIENT_FOR_3_9: &str = "awslambdaric==3.1.1\nsimplejson==3.20.2\nsnapshot-restore-py==1.0.0";
/// The SDK. On Lambda its version changes without notice.
pub const SDK: [&str; 1] = ["boto3"];

/// The folders to be imported from besides the function's own, installed unless they are there.
///
/// # Errors
/// Why pip could not install them, and the remedy.
pub async fn packages(folder: &Path, interpreter: &Interpreter, sdk: bool) -> Result<Vec<PathBuf>, String> {
    let minor = interpreter.version.split('.').nth(1).unwrap_or_default();
    let client: Vec<&str> = if minor == "9" { CLIENT_FOR_3_9 } else { CLIENT }.lines().collect();
    let mut packages = vec![install(folder, interpreter, minor, &client).await?];
    if sdk {
        packages.push(install(folder, interpreter, minor, &SDK).await?);
    }
    Ok(packages)
}

/// Installs into a new folder and gives it its name at the end, so that what has the name is whole.
async fn install(
    folder: &Path,
    interpreter: &Interpreter,
    minor: &str,
    requirements: &[&str],
) -> Result<PathBuf, String> {
    let what = requirements[0].replace("==", "-");
    let target = folder.join(format!("python3.{minor}-{}-{what}", std::env::consts::ARCH));
    if target.exists() {
        return Ok(target);
    }
    let unable = |e: std::io::Error| format!("cannot write into {}: {e}", folder.display());
    std::fs::create_dir_all(folder).map_err(unable)?;
    let new = tempfile::tempdir_in(folder).map_err(unable)?;
    let pip = pip(interpreter, new.path()).await?;
    let packages = new.path().join("packages");
    let options = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let mut command = Command::new(&pip);
    command
        .args(options)
        // Wheels only: building one would need a compiler. Without a network, retries are of no use.
        .args(["--only-binary", ":all:", "--retries", "1", "--timeout", "15", "--target"])
        .arg(&packages)
        .args(requirements)
        // A user's setting for packages to be installed elsewhere would contradict --target.
        .env_remove("PIP_USER")
        .env_remove("PIP_PREFIX");
    said(&mut command).await.map_err(|why| {
        format!(
            "pip could not install {}, which Lambda's Python runtime brings along: {why}; it is needed once, from PyPI or \
             the index that PIP_INDEX_URL names",
            requirements[0]
        )
    })?;
    match std::fs::rename(&packages, &target) {
        // Somebody else has just installed the same.
        Err(_) if target.exists() => Ok(target),
        moved => moved.map(|()| target).map_err(unable),
    }
}

/// A Python that has pip: the interpreter itself, else an environment of its own below `folder`.
async fn pip(interpreter: &Interpreter, folder: &Path) -> Result<PathBuf, String> {
    let own = &interpreter.program;
    if said(Command::new(own).args(["-m", "pip", "--version"])).await.is_ok() {
        return Ok(own.clone());
    }
    let venv = folder.join("venv");
    said(Command::new(own).args(["-m", "venv"]).arg(&venv)).await.map_err(|_| {
        format!(
            "{} has neither pip nor venv, by which AWS's runtime client is installed: apt-get install python3-venv",
            own.display()
        )
    })?;
    Ok(venv.join("bin/python"))
}

/// Runs a command; when it fails, hands back the first line that says why.
async fn said(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let first = text.lines().find(|line| line.starts_with("ERROR")).or(text.lines().last());
    Err(first.map_or_else(|| output.status.to_string(), |l| l.trim_start_matches("ERROR: ").to_owned()))
}

/// The folders of layers that a function imports from, first ones first.
pub fn layer_folders(minor: u32, layers: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let python = layers.join("python");
    [python.join(format!("lib/python3.{minor}/site-packages")), python].into_iter()
}

/// Whether some source below these folders mentions the SDK that none of them holds.
pub fn needs_sdk(mut folders: Vec<PathBuf>) -> bool {
    if folders.iter().any(|folder| folder.join("boto3").exists()) {
        return false;
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() && path.extension() == Some(OsStr::new("py")) => {
                    let source = std::fs::read(&path).unwrap_or_default();
                    let words = source.split(|b| !b.is_ascii_alphanumeric() && *b != b'_');
                    if words.into_iter().any(|word| word == b"boto3" || word == b"botocore") {
                        return true;
                    }
                }
                _ => {}
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_needed_by_who_names_it_and_does_not_bring_it() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("app.py", "import json\nmy_boto3_like = 1\n");
        put("notes.txt", "boto3");
        let needs_sdk = || needs_sdk(vec![root.path().to_owned(), root.path().join("layer")]);
        assert!(!needs_sdk());
        put("lib/store.py", "from boto3.session import Session\n");
        assert!(needs_sdk());
        put("layer/boto3/__init__.py", "");
        assert!(!needs_sdk());
    }

    /// No network is asked: the index is a port where nobody listens.
    #[tokio::test]
    async fn an_installation_that_fails_leaves_nothing_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let interpreter = super::super::interpreter::find(super::super::Language::Python(13)).await.unwrap();
        let wanted = ["awslambdaric==0.0.0", "--index-url=http://127.0.0.1:9/simple"];
        let error = install(folder.path(), &interpreter, "13", &wanted).await.unwrap_err();
        assert!(error.contains("awslambdaric==0.0.0") && error.contains("PIP_INDEX_URL"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
