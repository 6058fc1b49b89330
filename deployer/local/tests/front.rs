//! The endpoint over HTTP, byte by byte: what clients nobody here wrote depend on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs)]

#[path = "front/client.rs"]
mod client;
#[path = "front/faults.rs"]
mod faults;
#[path = "front/hostile.rs"]
mod hostile;
#[path = "front/lifecycle.rs"]
mod lifecycle;
#[path = "front/packages.rs"]
mod packages;
#[path = "front/protocols.rs"]
mod protocols;
#[path = "front/s3.rs"]
mod s3;
#[path = "front/s3_answers.rs"]
mod s3_answers;
#[allow(dead_code, reason = "shared with the tests of Lambda")]
mod support;
