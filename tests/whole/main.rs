//! The program, its Lambdas and its endpoint through their front doors.

// All of this is test code; clippy knows only the functions marked as tests.
#![allow(clippy::unwrap_used)]

mod clients;
mod compare;
mod denied;
mod deploy;
mod emulators;
mod follow;
mod harness;
mod left_behind;
mod page;
mod permissions;
mod proxy;
mod release;
mod settings;
mod stuck;
mod tune;
mod usage;
