//! Conditions: what a template decides at deployment, under a name that values and resources refer to.

use std::fmt;

/// A named condition of a stack.
#[derive(Clone, PartialEq, Eq)]
pub struct Condition {
    id: String,
}

impl Condition {
    pub(crate) fn named(id: &str) -> Self {
        Condition { id: id.to_owned() }
    }

    /// The condition's logical id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.id)
    }
}
