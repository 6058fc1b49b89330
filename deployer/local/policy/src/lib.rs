#![doc = include_str!("../README.md")]

pub mod condition;
pub mod context;
pub mod decision;
pub mod document;
pub mod pattern;
pub mod wildcard;

pub use context::Context;
pub use decision::{Documents, Refusal, decide};
pub use document::{Kind, Policy, Principal, Request, Verdict};
pub use wildcard::Wildcard;
