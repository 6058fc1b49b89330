//! Lambda as a client of the endpoint sees it, with real processes: SPEC.md, section Lambda.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

#[path = "lambda/aliases.rs"]
mod aliases;
#[path = "lambda/asynchronous.rs"]
mod asynchronous;
#[path = "lambda/concurrency.rs"]
mod concurrency;
#[path = "lambda/cpu_share.rs"]
mod cpu_share;
#[path = "lambda/disturbed.rs"]
mod disturbed;
#[path = "lambda/failures.rs"]
mod failures;
#[path = "lambda/functions.rs"]
mod functions;
#[path = "lambda/in_process.rs"]
mod in_process;
#[path = "lambda/invocations.rs"]
mod invocations;
#[path = "lambda/languages.rs"]
mod languages;
#[path = "lambda/layers.rs"]
mod layers;
#[path = "lambda/metrics.rs"]
mod metrics;
#[path = "lambda/permissions.rs"]
mod permissions;
#[path = "lambda/recorded.rs"]
mod recorded;
#[path = "lambda/settings.rs"]
mod settings;
#[path = "lambda/versions.rs"]
mod versions;
