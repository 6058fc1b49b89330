//! What many tests start from, made once for the executables as they are: cargo-nextest gives each test a process of its own, so
//! it is kept on the disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::program::{Said, built, deployer, executable_zip, up_local};

/// A folder that is made by the first test that wants it; the others wait for that.
pub fn prepared(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prepared");
    let current = root.join(executables());
    let folder = current.join(name);
    fs::create_dir_all(&root).unwrap();
    let lock = File::create(root.join("lock")).unwrap();
    lock.lock().unwrap();
    if !folder.exists() {
        for entry in fs::read_dir(&root).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() && entry.path() != current {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        // Into place in one step: a test that fails meanwhile leaves nothing that looks whole.
        let unfinished = current.join(format!("{name}.unfinished"));
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir_all(&unfinished).unwrap();
        make(&unfinished);
        fs::rename(&unfinished, &folder).unwrap();
    }
    folder
}

/// Changes whenever one of the executables does.
fn executables() -> String {
    let state = |name| {
        let file = fs::metadata(built(name)).unwrap();
        let changed = file.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
        format!("{}-{}", changed.as_nanos(), file.len())
    };
    ["deployer", "bootstrap", "samples"].map(state).join("-")
}

/// A folder like a release's: the program, and beside it the functions built for this machine.
pub fn release() -> PathBuf {
    prepared("release", |folder| {
        Said::by(deployer(&["build", "functions", "--out"]).arg(folder)).success();
        // Not copied: what this process writes, no other thread's child could be made to run meanwhile.
        fs::hard_link(built("deployer"), folder.join("deployer")).unwrap();
    })
}

/// A state folder with the stack deployed with these flags of `up`.
pub fn deployed(flags: &[&str]) -> PathBuf {
    // ARNs hold what a file's name cannot, and are long.
    let name = format!("stack-{}", tuning::copies::hash(&flags.join(" ")));
    let folder = prepared(&name, |folder| {
        up_local(folder, flags).success();
    });
    folder.join("state")
}

/// The samples as a deployment package.
pub fn samples_zip() -> Vec<u8> {
    let folder = prepared("samples", |folder| {
        fs::write(folder.join("samples.zip"), executable_zip(&built("samples"))).unwrap();
    });
    fs::read(folder.join("samples.zip")).unwrap()
}

/// Copies a state folder. Files that never change are shared where the system can do that, the database is not.
pub fn fork(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            fork(&path, &target);
        } else if entry.file_name() != "lock" {
            let is_database = path.extension().is_some_and(|extension| extension == "redb");
            if is_database || fs::hard_link(&path, &target).is_err() {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
}
