//! Texts with `*` and `?`, as policies have them.

/// A pattern: `*` stands for any text, `?` for any one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    tokens: Vec<Token>,
}

/// A part of a [`Wildcard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// This character.
    Literal(char),
    /// `?`: any one character.
    One,
    /// `*`: any text, also none.
    Any,
}

impl Wildcard {
    /// A pattern in which both `*` and `?` are wildcards.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let token = |c| match c {
            '*' => Token::Any,
            '?' => Token::One,
            c => Token::Literal(c),
        };
        pattern.chars().map(token).collect()
    }

    /// Whether the whole text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // One point to fall back to is enough: the last `*`, which then takes one character more.
        let (mut t, mut p, mut fall_back) = (0, 0, None);
        while t < text.len() {
            match self.tokens.get(p) {
                Some(Token::Any) => {
                    fall_back = Some((p, t));
                    p += 1;
                }
                Some(Token::One) => (t, p) = (t + 1, p + 1),
                Some(Token::Literal(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
                _ => match fall_back {
                    Some((star, taken)) => {
                        fall_back = Some((star, taken + 1));
                        (t, p) = (taken + 1, star + 1);
                    }
                    None => return false,
                },
            }
        }
        self.tokens[p..].iter().all(|token| *token == Token::Any)
    }
}

impl FromIterator<Token> for Wildcard {
    fn from_iter<T: IntoIterator<Item = Token>>(tokens: T) -> Self {
        Self { tokens: tokens.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::new(pattern).matches(text)
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
