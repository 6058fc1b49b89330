//! Many functions at once: the plan that says which of them are tuned, and how.

pub mod plan;
