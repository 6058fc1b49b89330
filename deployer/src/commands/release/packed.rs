//! The program with everything inside, packed as people install programs: a tarball, and a wheel for Python's installers.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::TEXTS;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes `NAME.tar.gz`, in which all is in a folder of that name.
///
/// # Errors
/// Files that cannot be read or written.
pub fn tarball(program: &Path, name: &str, out: &Path) -> anyhow::Result<()> {
    let writing = || format!("writing {}", out.display());
    let content = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let file = std::fs::File::create(out).with_context(writing)?;
    let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    let texts = TEXTS.map(|(name, text)| (name, 0o644, text.as_bytes()));
    for (file, mode, content) in [("deployer", 0o755, content.as_slice())].into_iter().chain(texts) {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        // The same bytes whenever it is packed.
        header.set_mtime(0);
        header.set_cksum();
        tar.append_data(&mut header, format!("{name}/{file}"), content).with_context(writing)?;
    }
    tar.into_inner().and_then(GzEncoder::finish).map(drop).with_context(writing)
}

/// The name of the wheel for a target of Rust's; none when Python's installers have no name for it.
#[must_use]
pub fn wheel_name(target: &str) -> Option<String> {
    Some(format!("deployer-{VERSION}-{}.whl", tag(target)?))
}

/// What a wheel says it runs on. A static executable needs no C library; installers ask for one all the same.
fn tag(target: &str) -> Option<String> {
    let (processor, rest) = target.split_once('-')?;
    match rest {
        "unknown-linux-musl" => Some(format!(
            "py3-none-manylinux_2_17_{processor}.manylinux2014_{processor}.musllinux_1_1_{processor}"
        )),
        // Not static: for the distribution that it was built on.
        "unknown-linux-gnu" => Some(format!("py3-none-linux_{processor}")),
        _ => None,
    }
}

/// Writes a wheel with the program in it, as <https://packaging.python.org/en/latest/specifications/binary-distribution-format/> says.
///
/// # Errors
/// Files that cannot be read or written, a target without a name.
pub fn wheel(program: &Path, target: &str, out: &Path) -> anyhow::Result<()> {
    let content = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let tag = tag(target).with_context(|| format!("wheels have no name for {target}"))?;
    let (python, platforms) = tag.rsplit_once('-').unwrap_or((&tag, ""));
    let mut described = "Wheel-Version: 1.0\nGenerator: deployer\nRoot-Is-Purelib: false\n".to_owned();
    for platform in platforms.split('.') {
        writeln!(described, "Tag: {python}-{platform}")?;
    }
    let (_, readme) = TEXTS[1];
    let metadata = format!(
        "Metadata-Version: 2.1\nName: deployer\nVersion: {VERSION}\nSummary: Which memory size should this Lambda function have\n\
         License: Apache-2.0\nDescription-Content-Type: text/markdown\n\n{readme}"
    );
    let info = format!("deployer-{VERSION}.dist-info");
    let files: [(String, u32, &[u8]); 4] = [
        (format!("deployer-{VERSION}.data/scripts/deployer"), 0o755, &content),
        (format!("{info}/METADATA"), 0o644, metadata.as_bytes()),
        (format!("{info}/WHEEL"), 0o644, described.as_bytes()),
        (format!("{info}/licenses/LICENSE"), 0o644, TEXTS[0].1.as_bytes()),
    ];
    let mut record = String::new();
    for (name, _, content) in &files {
        let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        writeln!(record, "{name},sha256={hash},{}", content.len())?;
    }
    let listed = format!("{info}/RECORD");
    writeln!(record, "{listed},,")?;
    let file = std::fs::File::create(out).with_context(|| format!("writing {}", out.display()))?;
    let mut zip = ZipWriter::new(file);
    for (name, mode, content) in files.into_iter().chain([(listed, 0o644, record.as_bytes())]) {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        zip.start_file(name, options)?;
        zip.write_all(content)?;
    }
    zip.finish()?;
    Ok(())
}
