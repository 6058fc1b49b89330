//! The chart page on this machine: what is served ([`Site`]), how a request is answered ([`answer`]), the server
//! ([`Server`]), and how a result's chart comes before the user's eyes ([`show()`]).

mod answer;
mod server;
mod show;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};

pub use answer::answer;
pub use server::{ListenError, Server, is_served};
pub use show::show;

/// The port when none is given: always the same, so that links to it keep working.
pub const PORT: u16 = 8723;

/// Where links of a stack on this machine lead, unless told otherwise.
#[must_use]
pub fn local_url() -> String {
    format!("http://127.0.0.1:{PORT}/")
}

/// What makes a folder a page.
const INDEX: &str = "index.html";

/// Far above what the page has; bounds so that a folder named by mistake is not read into memory.
const MOST_FILES: usize = 1000;
const MOST_BYTES: u64 = 64 << 20;

/// A page's files in memory, by their path in URLs, compressed once. What is served is what was there at the start: no
/// path of a request ever reaches the file system.
#[derive(Debug)]
pub struct Site {
    files: BTreeMap<String, File>,
}

#[derive(Debug)]
struct File {
    media_type: &'static str,
    plain: Representation,
    /// By its content coding, the smallest first.
    compressed: Vec<(&'static str, Representation)>,
}

#[derive(Debug)]
struct Representation {
    body: Bytes,
    /// A strong entity tag, so it differs between plain and compressed.
    etag: String,
}

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// No page in it.
    #[error("{} is not a page: it has no {INDEX}", .0.display())]
    NoIndex(PathBuf),
    /// Too much in it.
    #[error("{} is not a page: it has more than {MOST_FILES} files or {} MB", .0.display(), MOST_BYTES >> 20)]
    TooMuch(PathBuf),
    /// A file that cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Site {
    /// Reads a page's folder. Hidden files are left out.
    ///
    /// # Errors
    /// [`SiteError`]
    pub fn load(folder: &Path) -> Result<Self, SiteError> {
        let mut paths = Vec::new();
        let mut bytes = 0;
        gather(folder, folder, &mut paths, &mut bytes)?;
        let mut files = BTreeMap::new();
        for path in paths {
            let content = std::fs::read(&path).map_err(failed(&path))?;
            let inside = path.strip_prefix(folder).unwrap_or(&path);
            let name: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            files.insert(name.join("/"), File::new(inside, content));
        }
        if files.contains_key(INDEX) {
            Ok(Self { files })
        } else {
            Err(SiteError::NoIndex(folder.to_owned()))
        }
    }

    /// The file at a path that begins with a slash; a folder's is its index.
    fn file(&self, path: &str) -> Option<&File> {
        let name = path.strip_prefix('/')?;
        if name.is_empty() || name.ends_with('/') {
            return self.files.get(&format!("{name}{INDEX}"));
        }
        self.files.get(name)
    }
}

fn gather(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>, bytes: &mut u64) -> Result<(), SiteError> {
    for entry in std::fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        let metadata = std::fs::metadata(&path).map_err(failed(&path))?;
        if metadata.is_dir() {
            gather(root, &path, paths, bytes)?;
        } else if metadata.is_file() {
            *bytes += metadata.len();
            paths.push(path);
        }
        if paths.len() > MOST_FILES || *bytes > MOST_BYTES {
            return Err(SiteError::TooMuch(root.to_owned()));
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SiteError {
    let path = path.to_owned();
    move |source| SiteError::File { path, source }
}

type Compress = fn(&[u8]) -> std::io::Result<Vec<u8>>;

impl File {
    fn new(path: &Path, content: Vec<u8>) -> Self {
        let (media_type, compressible) = media_type(path);
        let hash = hex::encode(&Sha256::digest(&content)[..16]);
        let codings: [(&str, Compress); 2] = [("br", brotli), ("gzip", gzip)];
        let compressed = codings.into_iter().filter(|_| compressible).filter_map(|(coding, compress)| {
            let body = compress(&content).ok().filter(|body| body.len() < content.len())?;
            Some((coding, Representation { body: body.into(), etag: format!("\"{hash}-{coding}\"") }))
        });
        let compressed = compressed.collect();
        let plain = Representation { body: content.into(), etag: format!("\"{hash}\"") };
        Self { media_type, plain, compressed }
    }
}

/// Not at the best level, which takes half a second for the page and saves 4 %.
fn brotli(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let (level, window) = (9, 22);
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, level, window);
    encoder.write_all(content)?;
    Ok(encoder.into_inner())
}

fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

/// The media type by a file's extension, and whether compressing such files pays.
fn media_type(path: &Path) -> (&'static str, bool) {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => ("text/html; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "js" | "mjs" => ("text/javascript; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "json" | "map" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "svg" => ("image/svg+xml", true),
        "txt" => ("text/plain; charset=utf-8", true),
        "ico" => ("image/x-icon", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "webp" => ("image/webp", false),
        "woff2" => ("font/woff2", false),
        _ => ("application/octet-stream", false),
    }
}
