//! Filter patterns: terms of a line's text.

/// A filter pattern.
#[derive(Debug, Default)]
pub struct Pattern {
    all: Vec<String>,
    none: Vec<String>,
    /// One of these, if there are any.
    any: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is not a pattern of the kinds known here.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            return Err(
                "the local endpoint knows terms only, not JSON fields, columns and regular expressions"
                    .to_owned(),
            );
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes()[0] {
                b'-' => (&mut pattern.none, &rest[1..]),
                b'?' => (&mut pattern.any, &rest[1..]),
                _ => (&mut pattern.all, rest),
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or("\" is not closed")?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            if term.is_empty() {
                return Err("a term is empty".to_owned());
            }
            list.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a line matches.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        let has = |term: &String| line.contains(term.as_str());
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (self.any.is_empty() || self.any.iter().any(has))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(line)
    }

    #[test]
    fn terms_are_all_one_of_or_none() {
        assert!(matches("", "anything"));
        assert!(matches("ERROR 400", "[ERROR 400] x"));
        assert!(!matches("ERROR 401", "[ERROR 400] x"));
        assert!(matches("\"not found\"", "page not found"));
        assert!(!matches("\"not found\"", "found not"));
        assert!(matches("?ERROR ?WARN", "WARN"));
        assert!(!matches("?ERROR ?WARN", "INFO"));
        assert!(!matches("ERROR -400", "ERROR 400"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for pattern in ["[ip, user]", "%a%", "{ $.a = 1 }", "\"open", "?"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_refused(pattern in "[{}$.=<>!&|\"?a1 *\\[\\]-]{0,30}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.matches("{\"a\":1}");
            }
        }
    }
}
