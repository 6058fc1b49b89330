//! The program, its Lambdas and its endpoint through their front doors.

mod clients;
mod deploy;
mod harness;
mod left_behind;
mod tune;
mod usage;
