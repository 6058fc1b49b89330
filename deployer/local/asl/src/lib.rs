#![doc = include_str!("../README.md")]

mod choice;
mod definition;
mod distributed;
mod engine;
mod failure;
mod fan;
mod fields;
mod functions;
mod graph;
mod history;
mod intrinsic;
mod map_run;
mod parse;
mod path;
mod problems;
mod resource;
mod retry;
mod task;
mod template;
mod visit;
mod world;

pub use definition::{Flow, Transformation};
pub use failure::{
    EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure, ITEM_READER_FAILED, PERMISSIONS, RESULT_WRITER_FAILED,
    RUNTIME, TASK_FAILED, TIMEOUT,
};
pub use history::{Log, MOST_EVENTS, event, seconds};
pub use map_run::{Export, MapRun, Source, Tolerance};
pub use parse::machine as parse;
pub use problems::{Problem, Problems};
pub use resource::Resource;
pub use visit::{Engine, LARGEST, iso};
pub use world::{Answer, Pending, World};
