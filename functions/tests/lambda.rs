//! What a cold start costs whatever the machine, of the executable as it is uploaded: bytes and instructions. The figures by the
//! clock are `tests/lambda`'s.

#![allow(clippy::unwrap_used, reason = "clippy knows only the functions marked as tests")]

use std::io::Write as _;
use std::path::PathBuf;

#[path = "../benches/lambda/instructions.rs"]
mod instructions;
#[path = "../benches/lambda/platform.rs"]
#[allow(dead_code, reason = "made for the benchmark")]
mod platform;

use instructions::instructions;
use platform::{Platform, Work};

/// Counted on x86-64 with glibc, whose loader is part of it, in millions.
const INSTRUCTIONS: [(Work, f64); 2] = [(Work::Executor, 2.09), (Work::Analyzer, 0.97)];

/// Of the zip: the design's budget is 3 MB, and this a tenth more than when it was last set.
const MOST_BYTES: u64 = 2_950_000;

/// Other compilers and processors come to other figures; what somebody adds by mistake is more than this.
const MARGIN: f64 = if cfg!(target_arch = "x86_64") { 1.1 } else { 2.0 };

/// The functions in the profile that Lambda gets, for this machine's C library.
fn executable() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    let path = me.ancestors().nth(3).expect("target/release/deps/lambda").join("lambda/bootstrap");
    assert!(
        path.exists(),
        "{} is missing: run tests/run, or `cargo build --profile lambda -p functions --bin bootstrap` first",
        path.display()
    );
    path
}

#[test]
fn the_zip_is_no_larger_than_it_was() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("bootstrap", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&std::fs::read(executable()).unwrap()).unwrap();
    let bytes = zip.finish().unwrap().into_inner().len() as u64;
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of at most {MOST_BYTES}");
}

#[test]
fn a_cold_start_takes_no_more_instructions_than_it_did() {
    let (platform, executable) = (Platform::start(), executable());
    for (work, counted) in INSTRUCTIONS {
        #[expect(clippy::cast_precision_loss, reason = "millions")]
        let found = instructions(&executable, &platform, work) as f64 / 1e6;
        assert!(
            found < counted * MARGIN,
            "{}: {found:.2} million instructions, where there were {counted}",
            work.name()
        );
    }
}
