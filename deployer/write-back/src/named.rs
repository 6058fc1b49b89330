//! The name that a function may have when it is deployed.

use wildmatch::WildMatch;

/// A name in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// This one.
    Exactly(String),
    /// One like this, where `*` stands for what is only known when it is deployed.
    Like(String),
    /// Any.
    Unknown,
}

impl Named {
    /// A name put together from parts, of which those that are not known are `None`.
    pub fn of(parts: &[Option<String>]) -> Self {
        if let Some(all) = parts.iter().cloned().collect::<Option<Vec<String>>>() {
            return Self::Exactly(all.concat());
        }
        let known: String = parts.iter().flatten().flat_map(|part| part.chars()).collect();
        // A hyphen alone fits too many names.
        if !known.chars().any(char::is_alphanumeric) {
            return Self::Unknown;
        }
        Self::Like(parts.iter().map(|part| part.as_deref().unwrap_or("*")).collect())
    }

    /// The parts of a text in which `${…}` stands for what is not known.
    pub fn template(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            parts.push(Some(before.to_owned()));
            parts.push(None);
            rest = behind_brace(after);
        }
        parts.push(Some(rest.to_owned()));
        Self::of(&parts)
    }

    /// Whether it is this name for certain.
    pub fn is(&self, name: &str) -> bool {
        matches!(self, Self::Exactly(exactly) if exactly == name)
    }

    /// Whether it may be this name.
    pub fn may_be(&self, name: &str) -> bool {
        match self {
            Self::Exactly(exactly) => exactly == name,
            Self::Like(pattern) => WildMatch::new(pattern).matches(name),
            Self::Unknown => false,
        }
    }
}

/// What stands behind the brace that closes; braces may be nested.
fn behind_brace(text: &str) -> &str {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return &text[at + 1..];
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_fits_anything() {
        assert_eq!(Named::template("orders"), Named::Exactly("orders".to_owned()));
        assert_eq!(Named::template("${AWS::StackName}-orders"), Named::Like("*-orders".to_owned()));
        assert_eq!(Named::template("a-${self:custom.${sls:stage}}-b"), Named::Like("a-*-b".to_owned()));
        assert_eq!(Named::template("${Name}"), Named::Unknown);
        assert_eq!(Named::template("${A}-${B}"), Named::Unknown);
        let named = Named::template("${Stage}-orders");
        assert!(named.may_be("prod-orders") && !named.may_be("orders-prod") && !named.is("prod-orders"));
        assert!(!Named::Unknown.may_be("orders"));
    }
}
