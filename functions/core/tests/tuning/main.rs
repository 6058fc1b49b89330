//! The crate from outside: recorded cases of the program this one replaces, then each room by its public names.

#![allow(clippy::unwrap_used)] // A test says what it expects; a panic is how it says that it was wrong.

mod contract;
mod failures;
mod inputs;
mod links;
mod outputs;
mod payloads;
mod reports;
mod search;
mod statistics;
