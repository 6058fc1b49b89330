//! Patterns of policies: wildcards, and variables such as `${aws:PrincipalArn}`.

use crate::context::Context;
use crate::wildcard::{Token, Wildcard};

/// A pattern of a policy.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Token(Token),
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
                    "*" | "?" | "$" => Part::Token(Token::Literal(name.chars().next().unwrap_or('$'))),
                    _ => variable(name),
                });
                rest = after;
                continue;
            }
            parts.push(Part::Token(match c {
                '*' => Token::Any,
                '?' => Token::One,
                c => Token::Literal(c),
            }));
            rest = &rest[c.len_utf8()..];
        }
        Self { parts }
    }

    /// Whether the whole text matches. A variable without a value matches nothing.
    #[must_use]
    pub fn matches(&self, text: &str, context: &Context<'_>) -> bool {
        self.filled(context).is_some_and(|tokens| Wildcard::from_iter(tokens).matches(text))
    }

    /// The text that the pattern is when its wildcards are taken as characters.
    #[must_use]
    pub fn literal(&self, context: &Context<'_>) -> Option<String> {
        let character = |token| match token {
            Token::Literal(c) => c,
            Token::One => '?',
            Token::Any => '*',
        };
        Some(self.filled(context)?.into_iter().map(character).collect())
    }

    fn filled(&self, context: &Context<'_>) -> Option<Vec<Token>> {
        let mut tokens = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Token(token) => tokens.push(*token),
                Part::Variable { key, otherwise } => {
                    let values = context.values(key);
                    let value = match values.as_slice() {
                        [one] => (*one).to_owned(),
                        _ => otherwise.clone()?,
                    };
                    tokens.extend(value.chars().map(Token::Literal));
                }
            }
        }
        Some(tokens)
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
    use super::*;

    #[test]
    fn variables_are_filled_in_literally() {
        let context = Context::new(&[("aws:PrincipalArn", "arn:x*")]);
        let matches = |pattern: &str, text: &str| Pattern::new(pattern, true).matches(text, &context);
        assert!(matches("x${aws:PrincipalArn}", "xarn:x*"));
        assert!(!matches("x${aws:PrincipalArn}", "xarn:xyz"));
        assert!(matches("${*}${aws:none, 'team'}", "*team"));
        assert!(!matches("${aws:none}*", "anything"));
        assert!(Pattern::new("${aws:none}", false).matches("${aws:none}", &Context::new(&[])));
    }
}
