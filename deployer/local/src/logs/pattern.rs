//! Filter patterns: terms of a text, and comparisons of a JSON line's fields.

use serde_json::Value;

/// A filter pattern.
#[derive(Debug)]
pub enum Pattern {
    /// All of the first, none of the second, and one of the third if there are any.
    Text { all: Vec<String>, none: Vec<String>, any: Vec<String> },
    /// One of the lists must hold in full.
    Json(Vec<Vec<Comparison>>),
}

/// A comparison of a field.
#[derive(Debug)]
pub struct Comparison {
    path: Vec<String>,
    operator: &'static str,
    value: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is not a pattern of the kinds known here.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('{') {
            let inner = inner.strip_suffix('}').ok_or("{ is not closed")?;
            if inner.contains(['(', ')']) {
                return Err("parentheses are not known here".to_owned());
            }
            let alternative = |text: &str| text.split("&&").map(comparison).collect::<Result<Vec<_>, _>>();
            return Ok(Self::Json(inner.split("||").map(alternative).collect::<Result<_, _>>()?));
        }
        if text.starts_with(['[', '%']) {
            return Err("patterns of columns and regular expressions are not known here".to_owned());
        }
        let (mut all, mut none, mut any) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest = text;
        while !rest.is_empty() {
            let (list, after) = match rest.as_bytes()[0] {
                b'-' => (&mut none, &rest[1..]),
                b'?' => (&mut any, &rest[1..]),
                _ => (&mut all, rest),
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
        Ok(Self::Text { all, none, any })
    }

    /// Whether a line matches.
    #[must_use]
    pub fn matches(&self, line: &str) -> bool {
        match self {
            Self::Text { all, none, any } => {
                let has = |term: &String| line.contains(term.as_str());
                all.iter().all(has) && !none.iter().any(has) && (any.is_empty() || any.iter().any(has))
            }
            Self::Json(alternatives) => {
                let Ok(value) = serde_json::from_str::<Value>(line) else { return false };
                alternatives.iter().any(|all| all.iter().all(|comparison| comparison.holds(&value)))
            }
        }
    }
}

impl Comparison {
    fn holds(&self, line: &Value) -> bool {
        let field = self.path.iter().try_fold(line, |value, step| match value {
            Value::Array(list) => list.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        });
        let Some(field) = field else { return false };
        let numbers = || Some((field.as_f64()?, self.value.parse::<f64>().ok()?));
        match self.operator {
            "=" => self.equals(field),
            "!=" => !self.equals(field),
            operator => numbers().is_some_and(|(left, right)| match operator {
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            }),
        }
    }

    fn equals(&self, field: &Value) -> bool {
        match field {
            Value::String(text) => starred(&self.value, text),
            Value::Number(number) => self.value.parse::<f64>().ok() == number.as_f64(),
            Value::Bool(flag) => self.value == flag.to_string(),
            _ => false,
        }
    }
}

fn comparison(text: &str) -> Result<Comparison, String> {
    let text = text.trim();
    let wrong = || format!("\"{text}\" is not a comparison like $.field = value");
    let at = text.find(['=', '!', '<', '>']).ok_or_else(wrong)?;
    let (path, rest) = text.split_at(at);
    let known = ["!=", "<=", ">=", "=", "<", ">"];
    let operator = known.into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(wrong)?;
    let path = path.trim().strip_prefix("$.").ok_or_else(wrong)?;
    let steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']').to_owned());
    let value = rest[operator.len()..].trim();
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    if value.is_empty() {
        return Err(wrong());
    }
    Ok(Comparison { path: steps.collect(), operator, value: value.to_owned() })
}

/// Whether a text is the pattern's, in which `*` stands for anything.
fn starred(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
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
    fn fields_are_compared() {
        let line = r#"{"level":"ERROR","n":5,"deep":{"list":["a",{"k":true}]}}"#;
        assert!(matches("{ $.level = \"ERR*\" }", line));
        assert!(matches("{ $.level != INFO && $.n >= 5 }", line));
        assert!(matches("{ $.n > 9 || $.n < 6 }", line));
        assert!(matches("{ $.deep.list[1].k = true }", line));
        assert!(!matches("{ $.absent = 1 }", line));
        assert!(!matches("{ $.n = 5 }", "not json"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for pattern in
            ["[ip, user]", "%a%", "{ $.a }", "{ a = 1 }", "{ $.a = 1", "\"open", "?", "{ ($.a = 1) }"]
        {
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
