//! The handlers against a small model of AWS over HTTP: whole runs, their failures, and who may go on
//! with a function. Every call of whole runs going wrong in every way is tested on the endpoint (`tests/whole/faults.rs`).

#![allow(
    clippy::unwrap_used,
    reason = "all of this is test code; clippy knows only the functions marked as tests"
)]

mod bootstrap;
mod executor;
mod fake;
mod handover;
mod machine;
mod ownership;
mod runs;
mod world;
