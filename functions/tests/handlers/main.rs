//! The handlers against a small model of AWS over HTTP: whole runs, their failures, and every call going wrong once.

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
mod sweep;
mod world;
