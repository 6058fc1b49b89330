//! Lines that are longer than a terminal is wide, folded between words: a terminal itself cuts them anywhere.

use console::Term;
use textwrap::{Options, WordSeparator, WordSplitter};

/// What a folded line is indented by, beyond what it was indented itself.
const FURTHER: &str = "    ";

/// The text with lines of at most `width` columns. Links and commands stay whole, to be
/// opened and copied, and so do words that are longer, with the one that names them.
#[must_use]
pub fn fold(text: &str, width: usize) -> String {
    let lines = text.lines().map(|line| {
        let words = line.trim_start_matches(' ');
        let a_word = words.split_whitespace().count() < 3;
        if words.contains("://") || words.starts_with("deployer ") || a_word {
            return line.to_owned();
        }
        let indent = &line[..line.len() - words.len()];
        let further = if indent.is_empty() { String::new() } else { format!("{indent}{FURTHER}") };
        let options = Options::new(width)
            .initial_indent(indent)
            .subsequent_indent(&further)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        textwrap::fill(words, options)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The columns of the terminal that standard output is, if it is one.
#[must_use]
pub fn stdout_columns() -> Option<usize> {
    columns(&Term::stdout())
}

/// The columns of the terminal that standard error is, if it is one.
#[must_use]
pub fn stderr_columns() -> Option<usize> {
    columns(&Term::stderr())
}

fn columns(terminal: &Term) -> Option<usize> {
    // A terminal that does not know its width says zero.
    terminal.size_checked().map(|(_, columns)| columns.into()).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_words_and_keep_their_indent() {
        let text = "short\n    allow lambda:GetFunction, lambda:UpdateAlias on everything\nChart: http://127.0.0.1:8723/#a;b;c and more\nStateMachineARN  arn:aws:states:us-east-1:000000000000:stateMachine:x";
        assert_eq!(
            fold(text, 34),
            "short\n    allow lambda:GetFunction,\n        lambda:UpdateAlias on\n        everything\nChart: http://127.0.0.1:8723/#a;b;c and more\nStateMachineARN  arn:aws:states:us-east-1:000000000000:stateMachine:x"
        );
        assert_eq!(
            fold("\u{1b}[31mred words\u{1b}[0m", 9),
            "\u{1b}[31mred words\u{1b}[0m",
            "colours have no width"
        );
    }
}
