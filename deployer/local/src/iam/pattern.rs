//! Patterns of policies: `*` and `?`, and variables such as `${aws:PrincipalArn}`.

use super::condition::Context;

/// A pattern of a policy.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(char),
    One,
    Any,
    Variable { key: String, otherwise: Option<String> },
}

impl Pattern {
    /// Reads a pattern; `variables` when the document's version knows them.
    #[must_use]
    pub fn new(text: &str, variables: bool) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some((name, after)) =
                rest.strip_prefix("${").filter(|_| variables).and_then(|r| r.split_once('}'))
            {
                parts.push(match name {
                    "*" | "?" | "$" => Part::Literal(name.chars().next().unwrap_or('$')),
                    _ => variable(name),
                });
                rest = after;
                continue;
            }
            parts.push(match c {
                '*' => Part::Any,
                '?' => Part::One,
                c => Part::Literal(c),
            });
            rest = &rest[c.len_utf8()..];
        }
        Self { parts }
    }

    /// Whether the whole text matches. A variable without a value matches nothing.
    #[must_use]
    pub fn matches(&self, text: &str, context: &Context<'_>) -> bool {
        let Some(parts) = self.filled(context) else { return false };
        let text: Vec<char> = text.chars().collect();
        // The usual walk with one point to fall back to: the last `*`, which then takes one character more.
        let (mut t, mut p, mut fall_back) = (0, 0, None);
        while t < text.len() {
            match parts.get(p) {
                Some(Part::Any) => {
                    fall_back = Some((p, t));
                    p += 1;
                }
                Some(Part::One) => (t, p) = (t + 1, p + 1),
                Some(Part::Literal(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
                _ => match fall_back {
                    Some((star, taken)) => {
                        fall_back = Some((star, taken + 1));
                        (t, p) = (taken + 1, star + 1);
                    }
                    None => return false,
                },
            }
        }
        parts[p..].iter().all(|part| matches!(part, Part::Any))
    }

    /// The text that the pattern is when its wildcards are taken as characters.
    #[must_use]
    pub fn literal(&self, context: &Context<'_>) -> Option<String> {
        let character = |part: &Part| match part {
            Part::Literal(c) => *c,
            Part::One => '?',
            Part::Any | Part::Variable { .. } => '*',
        };
        Some(self.filled(context)?.iter().map(character).collect())
    }

    fn filled(&self, context: &Context<'_>) -> Option<Vec<Part>> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Variable { key, otherwise } => {
                    let values = context.values(key);
                    let value = match values.as_slice() {
                        [one] => (*one).to_owned(),
                        _ => otherwise.clone()?,
                    };
                    parts.extend(value.chars().map(Part::Literal));
                }
                other => parts.push(other.clone()),
            }
        }
        Some(parts)
    }
}

fn variable(name: &str) -> Part {
    match name.split_once(',') {
        Some((key, otherwise)) => Part::Variable {
            key: key.trim().to_owned(),
            otherwise: Some(otherwise.trim().trim_matches('\'').to_owned()),
        },
        None => Part::Variable { key: name.to_owned(), otherwise: None },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern, true).matches(text, &Context::new(&[("aws:PrincipalArn", "arn:x*")]))
    }

    #[test]
    fn wildcards_reach_across_colons_and_slashes() {
        assert!(matches("arn:aws:lambda:*:function:*", "arn:aws:lambda:us-east-1:1:function:f:1"));
        assert!(matches("a?c", "abc"));
        assert!(!matches("a?c", "ac"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("a*b*c", "a-b-b-"));
        assert!(!matches("abc", "abcd"));
    }

    #[test]
    fn variables_are_filled_in_literally() {
        assert!(matches("x${aws:PrincipalArn}", "xarn:x*"));
        assert!(!matches("x${aws:PrincipalArn}", "xarn:xyz"));
        assert!(matches("${*}${aws:none, 'team'}", "*team"));
        assert!(!matches("${aws:none}*", "anything"));
        assert!(Pattern::new("${aws:none}", false).matches("${aws:none}", &Context::new(&[])));
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            fn defined(p: &[u8], t: &[u8]) -> bool {
                match p.split_first() {
                    None => t.is_empty(),
                    Some((b'*', rest)) => (0..=t.len()).any(|i| defined(rest, &t[i..])),
                    Some((b'?', rest)) => !t.is_empty() && defined(rest, &t[1..]),
                    Some((c, rest)) => t.first() == Some(c) && defined(rest, &t[1..]),
                }
            }
            prop_assert_eq!(matches(&pattern, &text), defined(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
