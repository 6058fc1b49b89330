//! What the tests speak: a `World` with an endpoint and a deployed stack of its own, the program as a command with
//! its exact output, and the function under test as it was before and after.
//!
//! Everything runs on 127.0.0.1 with dummy credentials and ends with the test.

mod function;
mod prepared;
mod program;
pub mod schema;
mod terminal;
mod world;

pub use function::{Function, Snapshot};
pub use prepared::{deployed, fork, prepared, release, samples_zip};
pub use program::*;
pub use terminal::Terminal;
pub use world::World;
