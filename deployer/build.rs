//! Tells the program which commit it is built from; without git, or outside a repository, it knows its version alone.

#![allow(clippy::print_stdout, reason = "how a build script talks to cargo")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // A repository that this package was only copied into says nothing about it.
    let ours = git(&["ls-files", "--error-unmatch", "build.rs"]).is_some();
    let commit = ours.then(|| git(&["rev-parse", "--short=9", "HEAD"])).flatten();
    // Written with every commit and every checkout.
    for file in ["logs/HEAD", "HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file])
            && ours
            && Path::new(&path).is_file()
        {
            println!("cargo::rerun-if-changed={path}");
            break;
        }
    }
    println!("cargo::rustc-env=DEPLOYER_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    match commit {
        Some(commit) => println!("cargo::rustc-env=DEPLOYER_VERSION={version} ({commit})"),
        None => println!("cargo::rustc-env=DEPLOYER_VERSION={version}"),
    }
}

/// What git answers on one line.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
