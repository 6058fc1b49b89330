//! The result of a run in files, beside what is printed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::failure::Usage;
use crate::options;
use crate::render::{Form, Tuned};

/// Files that a result is written to as well.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// For the JSON form.
    pub json: Option<PathBuf>,
    /// For the Markdown form.
    pub markdown: Option<PathBuf>,
}

impl Files {
    /// Judges the names before a run: afterwards it would have been for nothing.
    ///
    /// # Errors
    /// A folder instead of a file, or a file in a folder that is not there.
    pub fn check(&self) -> Result<(), Usage> {
        let named =
            [(options::JSON_FILE.spec.name, &self.json), (options::MARKDOWN_FILE.spec.name, &self.markdown)];
        for (option, file) in named {
            let Some(file) = file else { continue };
            if file.is_dir() {
                return Err(Usage(format!("--{option} {} is a folder: name a file", file.display())));
            }
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let (file, folder) = (file.display(), folder.display());
                return Err(Usage(format!("--{option} {file}: there is no folder {folder}; make it first")));
            }
        }
        Ok(())
    }

    /// Writes a result to those that are named; one that cannot be written keeps no other from being written.
    /// Gives what the system says of each that cannot.
    #[must_use]
    pub fn write(&self, tuned: Tuned) -> Vec<anyhow::Error> {
        let json = self.json.as_deref().map(|file| {
            let text = serde_json::to_string_pretty(&tuned).context("writing the result as JSON")?;
            write(file, &text)
        });
        let markdown = self.markdown.as_deref();
        let markdown = markdown.map(|file| write(file, &tuned.with_form(Form::Markdown).to_string()));
        [json, markdown].into_iter().flatten().filter_map(Result::err).collect()
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, format!("{}\n", text.trim_end()))
        .with_context(|| format!("the result could not be written to {}", file.display()))
}
