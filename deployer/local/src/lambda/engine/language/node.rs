//! The AWS SDK that Lambda's Node.js runtimes bring along, installed from npm into the state folder: those of its packages
//! that a function names and does not bring itself.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::process::Command;

/// The scopes of the SDK's packages.
const SCOPES: [&str; 2] = ["@aws-sdk/", "@smithy/"];

/// The SDK's packages that the code's own files name in quotes and neither code nor layers hold. What lies in
/// `node_modules` is not asked: most of what packages name there they do without.
pub fn needed(root: &Path, layers: Option<&Path>) -> Vec<String> {
    let mut named = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != "node_modules" => folders.push(path),
                Ok(kind) if kind.is_file() && is_source(&path) => {
                    names(&String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()), &mut named);
                }
                _ => {}
            }
        }
    }
    let layers = layers.map(|layers| layers.join("nodejs"));
    let homes = [Some(root), layers.as_deref()].map(|home| home.map(|home| home.join("node_modules")));
    let brought = |name: &String| homes.iter().flatten().any(|home| home.join(name).exists());
    named.into_iter().filter(|name| !brought(name)).collect()
}

fn is_source(path: &Path) -> bool {
    ["js", "mjs", "cjs"].iter().any(|end| path.extension() == Some(OsStr::new(end)))
}

fn names(source: &str, named: &mut BTreeSet<String>) {
    for scope in SCOPES {
        for (at, _) in source.match_indices(scope) {
            let quoted = source[..at].ends_with(['"', '\'', '`']);
            let rest = &source[at + scope.len()..];
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let name = &rest[..rest.find(|c| !fits(c)).unwrap_or(rest.len())];
            if quoted && !name.is_empty() {
                named.insert(format!("{scope}{name}"));
            }
        }
    }
}

/// The folder with these packages in its `node_modules`, installed unless they are there. On Lambda the SDK's version changes
/// without notice within version 3; here it is the newest when it is first needed.
///
/// # Errors
/// Why npm could not install them, and the remedy.
pub async fn install(folder: &Path, node: &Path, packages: &[String]) -> Result<PathBuf, String> {
    let target =
        folder.join(format!("nodejs-sdk-{}", &hex::encode(Sha256::digest(packages.join(" ")))[..16]));
    if target.exists() {
        return Ok(target);
    }
    let unable = |e: std::io::Error| format!("cannot write into {}: {e}", folder.display());
    std::fs::create_dir_all(folder).map_err(unable)?;
    let new = tempfile::tempdir_in(folder).map_err(unable)?;
    // npm lies beside its Node.js, or somewhere else on the path.
    let beside = node.with_file_name("npm");
    let npm = if beside.exists() { beside } else { PathBuf::from("npm") };
    let wanted = packages.iter().map(|name| match name.starts_with(SCOPES[0]) {
        true => format!("{name}@3"),
        false => name.clone(),
    });
    let options = [
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
    ];
    let mut command = Command::new(npm);
    command.args(options).arg("--prefix").arg(new.path()).args(wanted);
    // Without a network, retries are of no use.
    command.args([
        "--fetch-retries=1",
        "--fetch-retry-mintimeout=500",
        "--fetch-retry-maxtimeout=2000",
        "--fetch-timeout=30000",
    ]);
    let said = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let failed = |why: String| {
        let names = packages.join(" ");
        format!(
            "npm could not install {names}, which Lambda's Node.js runtimes bring along: {why}; install npm and connect to its \
             registry, or bring the package along: npm install {names}"
        )
    };
    let output = said.map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        // npm's first lines are codes, each with its name; the sentence comes after them.
        let codes = ["code ", "syscall ", "path ", "errno "];
        let lines = text.lines().map(|l| l.trim_start_matches("npm error ").trim_start_matches("npm ERR! "));
        let why = lines.filter(|l| !l.is_empty()).find(|l| !codes.iter().any(|code| l.starts_with(code)));
        return Err(failed(why.map_or_else(|| output.status.to_string(), str::to_owned)));
    }
    match std::fs::rename(new.path(), &target) {
        // Somebody else has just installed the same.
        Err(_) if target.exists() => Ok(target),
        moved => moved.map(|()| target).map_err(unable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_of_the_sdk_that_a_function_names_are_needed() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("index.js", "const { S3 } = require('@aws-sdk/client-s3'); // not @aws-sdk/client-sqs\n");
        put("lib/a.mjs", "import { x } from \"@aws-sdk/lib-storage\";\nawait import(`@smithy/types`);\n");
        put("readme.md", "'@aws-sdk/client-sns'");
        put("node_modules/other/index.js", "require('@aws-sdk/client-ssm')");
        let layers = root.path().join("layers");
        let all = ["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "@smithy/types"];
        assert_eq!(needed(root.path(), Some(&layers)), all);
        put("node_modules/@aws-sdk/client-s3/package.json", "{}");
        put("layers/nodejs/node_modules/@smithy/types/package.json", "{}");
        assert_eq!(needed(root.path(), Some(&layers)), ["@aws-sdk/lib-storage"]);
        assert_eq!(needed(root.path(), None), ["@aws-sdk/lib-storage", "@smithy/types"]);
    }

    /// No registry is asked: the package is a folder that is not there.
    #[tokio::test]
    async fn packages_that_cannot_be_installed_leave_nothing_and_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").display().to_string();
        let interpreter = super::super::interpreter::find(super::super::Language::Node(20)).await.unwrap();
        let error =
            install(folder.path(), &interpreter.program, std::slice::from_ref(&missing)).await.unwrap_err();
        assert!(error.starts_with(&format!("npm could not install {missing}, which")), "{error}");
        // npm's own sentence, which differs from version to version.
        assert!(error.contains("package.json"), "{error}");
        assert!(error.ends_with(&format!("bring the package along: npm install {missing}")), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
