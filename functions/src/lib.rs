//! The six Lambda functions of the power-tuning state machine.
//!
//! One binary, `bootstrap`, is all six: `_HANDLER` says which ([`handlers`]). They share the tuned function as the
//! Lambda API shows it ([`function_api`]), the lock that is also the undo record ([`undo`]), and copies of it ([`copies`]). What tuning *is*
//! (inputs, statistics, prices, strategies) is the crate `tuning`; here is what it takes to do that to a
//! live function without harming it.
//!
//! ```text
//! Initializer → Publisher ⟲ → Map(Executor ⟲) → Cleaner → Analyzer → Optimizer
//! ```

pub mod clients;
pub mod copies;
pub mod deadline;
pub mod error;
pub mod event;
pub mod function_api;
pub mod handlers;
pub mod log;
pub mod mark;
pub mod objects;
pub mod roles;
pub mod run;
mod signing;
pub mod transport;
pub mod undo;
pub mod waits;

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
