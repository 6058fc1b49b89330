//! What a request says about itself beside action and resource.

/// The condition keys of a request and their values; a key that occurs several times has several values.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pairs: &'a [(&'a str, &'a str)],
}

impl<'a> Context<'a> {
    /// A context of keys and values.
    #[must_use]
    pub fn new(pairs: &'a [(&'a str, &'a str)]) -> Self {
        Self { pairs }
    }

    /// The values of a key, whose case does not matter.
    #[must_use]
    pub fn values(&self, key: &str) -> Vec<&'a str> {
        self.pairs.iter().filter(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| *v).collect()
    }
}
