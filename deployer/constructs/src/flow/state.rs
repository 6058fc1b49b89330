//! The kinds of state, and what they say in Amazon States Language.

use super::Flow;
use super::recovery::{Catch, Retry};
use crate::grant::Grant;
use crate::node::Node;
use crate::resource::{Handle, Properties};
use crate::resources::lambda::Function;
use crate::resources::s3::Bucket;
use crate::resources::states::StateMachine;
use crate::value::{Arn, Val};
use crate::{pseudo, text};

/// One state of a flow.
#[derive(Debug, Clone)]
pub enum State {
    /// Does work.
    Task(Task),
    /// Decides where to go on.
    Choice(Choice),
    /// Runs an inner flow for every item of a list.
    Map(Map),
    /// Runs an execution of its own for every item of a list in S3.
    DistributedMap(DistributedMap),
    /// Ends well.
    Succeed,
    /// Ends badly.
    Fail(Fail),
}

impl State {
    pub(super) fn grants(&self) -> Vec<Grant> {
        match self {
            State::Task(task) => task.grants.clone(),
            State::Map(map) => map.items.grants(),
            State::DistributedMap(map) => map.grants(),
            State::Choice(_) | State::Succeed | State::Fail(_) => Vec::new(),
        }
    }

    /// The flow that runs for each item, of a state that has one.
    pub(super) fn inner(&self) -> Option<&Flow> {
        match self {
            State::Map(map) => Some(&map.items),
            State::DistributedMap(map) => Some(&map.items),
            State::Task(_) | State::Choice(_) | State::Succeed | State::Fail(_) => None,
        }
    }

    pub(super) fn definition(&self) -> Node {
        let properties = match self {
            State::Task(task) => task.definition(),
            State::Choice(choice) => choice.definition(),
            State::Map(map) => map.definition(),
            State::DistributedMap(map) => map.definition(),
            State::Succeed => kind("Succeed"),
            State::Fail(fail) => fail.definition(),
        };
        properties.into_node()
    }
}

fn kind(name: &str) -> Properties {
    Properties::new().set_node("Type", Node::text(name))
}

/// Where a state's result goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ResultPath {
    /// It takes the place of the state's input.
    Replace,
    /// Into the input, at this path.
    At(String),
    /// Nowhere: the output is the input.
    Discard,
}

/// How states that do work are left, and what happens when they fail.
#[derive(Debug, Clone)]
pub(super) struct Course {
    pub(super) result_path: ResultPath,
    pub(super) output_path: Option<String>,
    pub(super) retry: Vec<Retry>,
    pub(super) catch: Vec<Catch>,
    pub(super) next: Option<Next>,
}

/// Where a state leads when it has done its work.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    State(String),
    End,
}

impl Course {
    fn new() -> Self {
        Course {
            result_path: ResultPath::Replace,
            output_path: None,
            retry: Vec::new(),
            catch: Vec::new(),
            next: None,
        }
    }

    fn write(&self, mut properties: Properties) -> Properties {
        properties = match &self.result_path {
            ResultPath::Replace => properties,
            ResultPath::At(path) => properties.set_node("ResultPath", Node::text(path.as_str())),
            ResultPath::Discard => properties.set_node("ResultPath", Node::Null),
        };
        if let Some(path) = &self.output_path {
            properties = properties.set_node("OutputPath", Node::text(path.as_str()));
        }
        if !self.retry.is_empty() {
            let retry = self.retry.iter().map(Retry::definition).collect();
            properties = properties.set_node("Retry", Node::List(retry));
        }
        if !self.catch.is_empty() {
            let catch = self.catch.iter().map(Catch::definition).collect();
            properties = properties.set_node("Catch", Node::List(catch));
        }
        match &self.next {
            Some(Next::State(name)) => properties.set_node("Next", Node::text(name.as_str())),
            Some(Next::End) => properties.set_node("End", Node::Bool(true)),
            None => properties,
        }
    }
}

/// The methods that states which do work have in common.
macro_rules! course {
    ($state:ident) => {
        impl $state {
            /// Where the result goes; without this it takes the place of the input.
            #[must_use]
            pub fn result_path(mut self, path: impl Into<String>) -> Self {
                self.course.result_path = ResultPath::At(path.into());
                self
            }

            /// Leaves the result out: the output is the input.
            #[must_use]
            pub fn discard_result(mut self) -> Self {
                self.course.result_path = ResultPath::Discard;
                self
            }

            /// The part of the output that is handed on.
            #[must_use]
            pub fn output_path(mut self, path: impl Into<String>) -> Self {
                self.course.output_path = Some(path.into());
                self
            }

            /// Adds a way to try again; the first that names the error is the one that counts.
            #[must_use]
            pub fn retry(mut self, retry: Retry) -> Self {
                self.course.retry.push(retry);
                self
            }

            /// Adds a way on after an error for which trying again did not help.
            #[must_use]
            pub fn catch(mut self, catch: Catch) -> Self {
                self.course.catch.push(catch);
                self
            }

            /// The state that comes next.
            #[must_use]
            pub fn next(mut self, state: impl Into<String>) -> Self {
                self.course.next = Some(Next::State(state.into()));
                self
            }

            /// Nothing comes next: the flow ends here.
            #[must_use]
            pub fn end(mut self) -> Self {
                self.course.next = Some(Next::End);
                self
            }
        }

        impl From<$state> for State {
            fn from(state: $state) -> Self {
                State::$state(state)
            }
        }
    };
}

course!(Task);
course!(Map);
course!(DistributedMap);

/// Work: a Lambda function is invoked, or another state machine run, and what it answers is the result.
#[derive(Debug, Clone)]
pub struct Task {
    resource: Val<Arn>,
    grants: Vec<Grant>,
    pub(super) parameters: Option<Node>,
    pub(super) timeout: Option<String>,
    pub(super) result_selector: Option<Node>,
    pub(super) course: Course,
}

impl Task {
    /// Invokes a function; the machine's role gets leave to do so.
    #[must_use]
    pub fn invoke(function: &Handle<Function>) -> Self {
        Task {
            resource: function.arn(),
            grants: vec![function.grant_invoke()],
            parameters: None,
            timeout: None,
            result_selector: None,
            course: Course::new(),
        }
    }

    /// Starts an execution of another state machine and waits for its end; the result is what DescribeExecution says of it, its output
    /// as JSON. An execution that does not succeed is an error. The machine's role may start, describe and stop such executions; one whose
    /// task is given up is stopped.
    ///
    /// `parameters` are those of StartExecution but for the machine: `Input`, `Name`; members whose name ends in `.$` are paths.
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html>.
    #[must_use]
    pub fn run(machine: &Handle<StateMachine>, parameters: &serde_json::Value) -> Self {
        let mut all = Properties::new().set("StateMachineArn", &machine.arn());
        for (name, value) in parameters.as_object().into_iter().flatten() {
            all = all.set_node(name, Node::from_json(value));
        }
        Task {
            resource: text!["arn:", pseudo::partition(), ":states:::states:startExecution.sync:2"],
            grants: machine.grant_run().into(),
            parameters: Some(all.into_node()),
            timeout: None,
            result_selector: None,
            course: Course::new(),
        }
    }

    /// What the function is invoked with instead of the state's input; members whose name ends in `.$` are paths.
    #[must_use]
    pub fn parameters(mut self, parameters: &serde_json::Value) -> Self {
        self.parameters = Some(Node::from_json(parameters));
        self
    }

    /// Gives it up after as many seconds as the number at this path says.
    #[must_use]
    pub fn seconds_at(mut self, path: impl Into<String>) -> Self {
        self.timeout = Some(path.into());
        self
    }

    /// What of the result counts; members whose name ends in `.$` are paths into it.
    #[must_use]
    pub fn result_selector(mut self, selector: &serde_json::Value) -> Self {
        self.result_selector = Some(Node::from_json(selector));
        self
    }

    fn definition(&self) -> Properties {
        let mut properties = kind("Task").set("Resource", &self.resource);
        if let Some(parameters) = &self.parameters {
            properties = properties.set_node("Parameters", parameters.clone());
        }
        if let Some(path) = &self.timeout {
            properties = properties.set_node("TimeoutSecondsPath", Node::text(path.as_str()));
        }
        if let Some(selector) = &self.result_selector {
            properties = properties.set_node("ResultSelector", selector.clone());
        }
        self.course.write(properties)
    }
}

/// An inner flow for every item of a list, at the same time; the result is the list of their results.
#[derive(Debug, Clone)]
pub struct Map {
    pub(super) items_path: String,
    pub(super) item_selector: Option<Node>,
    pub(super) at_a_time: Option<String>,
    pub(super) items: Flow,
    pub(super) course: Course,
}

impl Map {
    /// Runs the flow for every item of the list at this path, as many at a time as Step Functions allows.
    pub fn over(items_path: impl Into<String>, flow: Flow) -> Self {
        Map {
            items_path: items_path.into(),
            item_selector: None,
            at_a_time: None,
            items: flow,
            course: Course::new(),
        }
    }

    /// What the inner flow starts with instead of the item; members whose name ends in `.$` are paths.
    #[must_use]
    pub fn item_selector(mut self, selector: &serde_json::Value) -> Self {
        self.item_selector = Some(Node::from_json(selector));
        self
    }

    /// Runs it for no more items at a time than the number at this path says; 0 is as many as Step Functions allows.
    #[must_use]
    pub fn at_a_time(mut self, path: impl Into<String>) -> Self {
        self.at_a_time = Some(path.into());
        self
    }

    fn definition(&self) -> Properties {
        let mut properties = kind("Map").set_node("ItemsPath", Node::text(self.items_path.as_str()));
        if let Some(selector) = &self.item_selector {
            properties = properties.set_node("ItemSelector", selector.clone());
        }
        let properties = at_a_time(properties, self.at_a_time.as_deref());
        let processor = processor(&self.items, [("Mode", Node::text("INLINE"))]);
        self.course.write(properties.set_node("ItemProcessor", processor))
    }
}

fn at_a_time(properties: Properties, path: Option<&str>) -> Properties {
    match path {
        Some(path) => properties.set_node("MaxConcurrencyPath", Node::text(path)),
        None => properties.set_node("MaxConcurrency", Node::Number(0.into())),
    }
}

fn processor<const N: usize>(items: &Flow, config: [(&str, Node); N]) -> Node {
    let Node::Map(mut processor) = items.definition() else { return Node::Null };
    processor.shift_insert(0, "ProcessorConfig".to_owned(), Node::map(config));
    Node::Map(processor)
}

/// An execution of its own, of the standard type, for every item of a JSON list that is an object in S3; what becomes of each is written
/// to S3. However many of them fail, the others go on.
///
/// A machine with such a state starts executions of its own, which its role must allow: [`Grant`]s for `states:StartExecution` on its ARN.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>.
#[derive(Debug, Clone)]
pub struct DistributedMap {
    bucket: Handle<Bucket>,
    pub(super) key: String,
    pub(super) results: String,
    label: String,
    pub(super) at_a_time: Option<String>,
    pub(super) items: Flow,
    pub(super) course: Course,
}

impl DistributedMap {
    /// Runs the flow for every item of the list whose key in the bucket is at the path `key`, and writes results below the prefix at the path
    /// `results`. The label is part of the executions' names.
    pub fn over(
        bucket: &Handle<Bucket>,
        key: impl Into<String>,
        results: impl Into<String>,
        label: impl Into<String>,
        flow: Flow,
    ) -> Self {
        DistributedMap {
            bucket: bucket.clone(),
            key: key.into(),
            results: results.into(),
            label: label.into(),
            at_a_time: None,
            items: flow,
            course: Course::new(),
        }
    }

    /// No more executions at a time than the number at this path says; 0 is as many as Step Functions allows.
    #[must_use]
    pub fn at_a_time(mut self, path: impl Into<String>) -> Self {
        self.at_a_time = Some(path.into());
        self
    }

    fn grants(&self) -> Vec<Grant> {
        let files =
            ["s3:GetObject", "s3:PutObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"];
        let mut grants = self.items.grants();
        grants.push(self.bucket.grant_on_objects(files));
        grants
    }

    fn definition(&self) -> Properties {
        let s3 = |action: &str| -> Val<Arn> { text!["arn:", pseudo::partition(), ":states:::s3:", action] };
        let place = |member: &str, path: &str| {
            let bucket = Properties::new().set("Bucket", &self.bucket.name());
            bucket.set_node(member, Node::text(path)).into_node()
        };
        let reader = Properties::new()
            .set("Resource", &s3("getObject"))
            .set_node("ReaderConfig", Node::map([("InputType", Node::text("JSON"))]))
            .set_node("Parameters", place("Key.$", &self.key));
        let writer = Properties::new()
            .set("Resource", &s3("putObject"))
            .set_node("Parameters", place("Prefix.$", &self.results));
        let properties = kind("Map")
            .set_node("Label", Node::text(self.label.as_str()))
            .set_node("ItemReader", reader.into_node());
        let mode = [("Mode", Node::text("DISTRIBUTED")), ("ExecutionType", Node::text("STANDARD"))];
        let properties = at_a_time(properties, self.at_a_time.as_deref())
            .set_node("ToleratedFailurePercentage", Node::Number(100.into()))
            .set_node("ItemProcessor", processor(&self.items, mode))
            .set_node("ResultWriter", writer.into_node());
        self.course.write(properties)
    }
}

/// A decision: the first test that holds says where to go on.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub(super) branches: Vec<(Test, String)>,
    pub(super) otherwise: Option<String>,
}

impl Choice {
    /// A decision without branches yet.
    #[must_use]
    pub fn new() -> Self {
        Choice::default()
    }

    /// Goes to the state if the test holds.
    #[must_use]
    pub fn when(mut self, test: Test, state: impl Into<String>) -> Self {
        self.branches.push((test, state.into()));
        self
    }

    /// Goes to the state if no test holds.
    #[must_use]
    pub fn otherwise(mut self, state: impl Into<String>) -> Self {
        self.otherwise = Some(state.into());
        self
    }

    fn definition(&self) -> Properties {
        let branch = |(test, state): &(Test, String)| {
            Properties::new()
                .set_node("Variable", Node::text(test.variable.as_str()))
                .set_node(test.operator, Node::Bool(test.expected))
                .set_node("Next", Node::text(state.as_str()))
                .into_node()
        };
        let properties =
            kind("Choice").set_node("Choices", Node::List(self.branches.iter().map(branch).collect()));
        match &self.otherwise {
            Some(state) => properties.set_node("Default", Node::text(state.as_str())),
            None => properties,
        }
    }
}

impl From<Choice> for State {
    fn from(choice: Choice) -> Self {
        State::Choice(choice)
    }
}

/// What a [`Choice`] asks of its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    pub(super) variable: String,
    operator: &'static str,
    expected: bool,
}

impl Test {
    /// Whether the value at the path is this truth value. A path that leads nowhere fails the execution.
    pub fn boolean_equals(path: impl Into<String>, expected: bool) -> Self {
        Test { variable: path.into(), operator: "BooleanEquals", expected }
    }

    /// Whether there is a value at the path.
    pub fn is_present(path: impl Into<String>) -> Self {
        Test { variable: path.into(), operator: "IsPresent", expected: true }
    }
}

/// The end of a flow that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Fail {
    pub(super) error_path: String,
    pub(super) cause_path: String,
}

impl Fail {
    /// Fails with the error's name and cause found at these paths.
    pub fn with(error_path: impl Into<String>, cause_path: impl Into<String>) -> Self {
        Fail { error_path: error_path.into(), cause_path: cause_path.into() }
    }

    fn definition(&self) -> Properties {
        kind("Fail")
            .set_node("ErrorPath", Node::text(self.error_path.as_str()))
            .set_node("CausePath", Node::text(self.cause_path.as_str()))
    }
}

impl From<Fail> for State {
    fn from(fail: Fail) -> Self {
        State::Fail(fail)
    }
}
