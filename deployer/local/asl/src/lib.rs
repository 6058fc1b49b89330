#![doc = include_str!("../README.md")]

mod choice;
mod definition;
mod engine;
mod failure;
mod fan;
mod fields;
mod functions;
mod graph;
mod history;
mod intrinsic;
mod parse;
mod path;
mod problems;
mod resource;
mod retry;
mod task;
mod template;
mod visit;
mod world;

pub use definition::Flow;
pub use failure::{Failure, PERMISSIONS, RUNTIME, TIMEOUT};
pub use history::{Log, MOST_EVENTS, event, seconds};
pub use parse::machine as parse;
pub use problems::{Problem, Problems};
pub use resource::Resource;
pub use visit::{Engine, LARGEST, iso};
pub use world::{Pending, World};
