#![doc = include_str!("../README.md")]

mod asset;
mod condition;
mod flow;
mod grant;
mod node;
mod parameter;
mod predicate;
mod print;
mod problem;
mod raw;
mod resource;
mod resources;
mod stack;
mod template;
mod value;

pub use asset::{Asset, Location};
pub use condition::Condition;
pub use flow::{Catch, Choice, DistributedMap, Fail, Flow, Map, Retry, State, Task, Test};
pub use grant::{Grant, Principal};
pub use node::Node;
pub use parameter::{Parameter, ParameterType};
pub use predicate::Predicate;
pub use problem::{Problem, Problems};
pub use raw::RawResource;
pub use resource::{Handle, Properties, Resource};
pub use resources::{cloudfront, events, iam, lambda, logs, s3, states};
pub use stack::Stack;
pub use template::{ParameterInfo, Template};
pub use value::{Arn, Piece, Textual, Val, pseudo};
