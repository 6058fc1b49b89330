#![doc = include_str!("../README.md")]

mod asset;
mod condition;
mod flow;
mod grant;
mod node;
mod parameter;
mod print;
mod problem;
mod resource;
mod resources;
mod stack;
mod template;
mod value;

pub use asset::{Asset, Location};
pub use condition::{Condition, Predicate};
pub use flow::{Catch, Choice, Fail, Flow, Map, Retry, State, Task, Test};
pub use grant::{Grant, Principal};
pub use node::Node;
pub use parameter::{Parameter, ParameterType};
pub use problem::{Problem, Problems};
pub use resource::{Handle, Properties, Resource};
pub use resources::{cloudfront, events, iam, lambda, logs, s3, states};
pub use stack::Stack;
pub use template::{ParameterInfo, Template};
pub use value::{Arn, Piece, Textual, Val, pseudo};
