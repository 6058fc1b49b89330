//! CDK-style constructs.

mod asset;
mod condition;
mod flow;
mod grant;
mod parameter;
mod problem;
mod resource;
mod resources;
mod stack;
mod template;
mod value;

pub use asset::{Asset, Location};
pub use condition::{Condition, Predicate};
pub use flow::{Catch, Choice, Fail, Flow, Map, ResultPath, Retry, State, Task, Test};
pub use grant::{Grant, Principal};
pub use parameter::{Parameter, ParameterType};
pub use problem::{Problem, Problems};
pub use resource::{Handle, Properties, Resource};
pub use resources::{events, iam, lambda, logs, states};
pub use stack::Stack;
pub use template::{ParameterInfo, Template};
pub use value::{Arn, Node, Piece, Textual, Val, pseudo};
