//! CDK-style constructs: a stack described in Rust, checked as a whole, synthesized to a CloudFormation template.
//!
//! The crate is pure: no file, no network, no clock. Data flows one way, and the modules are in that order:
//!
//! ```text
//! node, value ─ typed values (a literal, Ref, GetAtt, Sub, Join, If, …)
//!   └ parameter, condition ─ what is decided at deployment
//!   └ grant ─ permissions as values, attached by whoever needs them
//!       └ resources ─ plain structs of typed values, one file per service
//!           └ flow ─ a state machine as states that name each other
//!               └ stack ─ ids, checks, synth() ─ template
//! ```
//!
//! # A stack
//!
//! A function that writes its own log and nothing else, and a machine that runs it:
//!
//! ```
//! use constructs::iam::Role;
//! use constructs::lambda::{Architecture, Function};
//! use constructs::logs::LogGroup;
//! use constructs::states::StateMachine;
//! use constructs::{Asset, Flow, Location, Parameter, Principal, Retry, Stack, Task, pseudo, text};
//!
//! let mut stack = Stack::new("says hello");
//!
//! // What may be chosen at deployment is a typed value from here on.
//! let days = stack.parameter("retentionInDays", &Parameter::<u32>::new("Days to keep the log").default(7u32));
//!
//! // Files are known by their content; somebody else builds and uploads them.
//! let zip = Asset::zip("hello", "5a".repeat(32), Location::Bucket("my-assets".into()));
//! stack.asset(&zip);
//!
//! // Resources are structs. Adding one gives a handle, whose methods give values and grants for others to use.
//! let log = stack.add(
//!     "helloLogGroup",
//!     LogGroup { name: text!["/aws/lambda/", pseudo::stack_name(), "-hello"], retention_in_days: days },
//! );
//! let role = stack.add(
//!     "helloRole",
//!     Role {
//!         description: "lets hello write its log".to_owned(),
//!         assumed_by: Principal::service("lambda.amazonaws.com"),
//!         grants: vec![log.grant_write()],
//!         permissions_boundary: None,
//!     },
//! );
//! let hello = stack.add(
//!     "hello",
//!     Function {
//!         description: "says hello".to_owned(),
//!         code: zip.code(),
//!         handler: "hello".to_owned(),
//!         runtime: "provided.al2023".to_owned(),
//!         architecture: Architecture::Arm64,
//!         memory_size: 128.into(),
//!         timeout: 10.into(),
//!         role: role.arn(),
//!         log_group: log.name(),
//!         environment: Default::default(),
//!         vpc: None,
//!         tags: Default::default(),
//!     },
//! );
//!
//! // A flow knows what its states need: the machine's role follows from it.
//! let flow = Flow::start_at("Greet").state("Greet", Task::invoke(&hello).retry(Retry::on_all()).end());
//! let role = stack.add(
//!     "machineRole",
//!     Role {
//!         description: "lets the machine invoke hello".to_owned(),
//!         assumed_by: Principal::service("states.amazonaws.com").for_account(&pseudo::account_id()),
//!         grants: flow.grants(),
//!         permissions_boundary: None,
//!     },
//! );
//! let machine = stack.add(
//!     "machine",
//!     StateMachine { name: text![pseudo::stack_name(), "-hello"], flow, role: role.arn() },
//! );
//! stack.output("MachineArn", "The machine that says hello", &machine.arn());
//!
//! let template = stack.synth()?;
//! assert!(template.to_json().contains(r#""Fn::Sub": "/aws/lambda/${AWS::StackName}-hello""#));
//! assert_eq!(template.parameters()[0].default.as_deref(), Some("7"));
//! # Ok::<(), constructs::Problems>(())
//! ```
//!
//! # Mistakes
//!
//! Types keep an ARN out of a name's place at compile time. The rest is found by [`Stack::synth`], all of it at once,
//! before anything is deployed:
//!
//! ```
//! use constructs::{Choice, Flow, Stack, State, Test};
//!
//! let flow = Flow::start_at("Decide")
//!     .state("Decide", Choice::new().when(Test::is_present("$.more"), "Work").otherwise("Done"))
//!     .state("Done", State::Succeed)
//!     .state("Forgotten", State::Succeed);
//! let problems: Vec<String> = flow.problems().iter().map(ToString::to_string).collect();
//! assert_eq!(
//!     problems,
//!     [
//!         "state 'Decide': it leads to 'Work', which is no state of the same flow",
//!         "state 'Forgotten': no way from the start leads here",
//!     ]
//! );
//! ```
//!
//! # Another resource type
//!
//! Implement [`Resource`] for a struct with the properties you set, and give its [`Handle`] the values and grants that
//! others want of it; `resources/logs.rs` is the shortest example.

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
