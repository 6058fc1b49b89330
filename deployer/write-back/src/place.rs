//! Where a number stands in a text, and the function that it is the memory size of.

use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use crate::Problem;
use crate::named::Named;

/// A function as a file defines it.
pub struct Function {
    /// What the file calls it, without doubt in the file.
    pub name: String,
    /// Shorter forms of that, which may be ambiguous.
    pub short: Option<String>,
    /// Its logical id in CloudFormation.
    pub logical_id: Option<String>,
    /// The name that the file gives it.
    pub named: Named,
    /// The name that it gets where the file gives it none.
    pub generated: Option<Named>,
    /// Where its memory size is.
    pub size: Result<Place, Problem>,
}

impl Function {
    /// Whether the file calls it this.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.short.as_deref() == Some(name)
    }
}

/// The scalar that decides a memory size.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file it is in.
    pub file: PathBuf,
    /// That file's text.
    pub text: Rc<str>,
    /// Where in it, in bytes: the scalar, with its quotes, tag and anchor.
    pub span: Range<usize>,
    /// The way there.
    pub through: Vec<String>,
    /// The values that the file allows there, if it names them.
    pub allowed: Option<Vec<String>>,
}

/// A number in a text.
pub struct Number {
    /// Its digits, in bytes of the text.
    pub digits: Range<usize>,
    /// What it is.
    pub value: u32,
}

impl Place {
    /// The number that stands there.
    ///
    /// # Errors
    /// Something else stands there, or a number that is not written in digits alone.
    pub fn number(&self) -> Result<Number, Problem> {
        let written = &self.text[self.span.clone()];
        // A tag or an anchor may stand before it.
        let (before, scalar) =
            written.trim_end().rsplit_once(char::is_whitespace).unwrap_or(("", written.trim_end()));
        let bare = before.split_whitespace().all(|word| word.starts_with(['&', '!']));
        let digits = ['"', '\'']
            .iter()
            .find_map(|quote| scalar.strip_prefix(*quote)?.strip_suffix(*quote))
            .unwrap_or(scalar);
        let plain = bare && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let number = digits.parse().ok().filter(|_| plain);
        let start = written.rfind(digits).map(|at| self.span.start + at);
        match (number, start) {
            (Some(value), Some(start)) => Ok(Number { digits: start..start + digits.len(), value }),
            _ => {
                let what = format!(
                    "the memory size is `{}`, not a whole number of MB: change it by hand",
                    excerpt(written)
                );
                Err(Problem::at_line(&self.file, line_of(&self.text, self.span.start), what))
            }
        }
    }
}

/// The line of a byte, from 1.
pub fn line_of(text: &str, byte: usize) -> usize {
    text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1
}

/// Enough of a text to know it by, in one line.
pub fn excerpt(text: &str) -> String {
    const ENOUGH: usize = 60;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}
