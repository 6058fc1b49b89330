//! The state machine: `Initializer → Publisher ⟲ → Map(Executor ⟲) → Cleaner → Analyzer → Optimizer`, and from
//! everywhere, on an error, `CleanUpOnError → Failed`. With `powerValues: "AUTO"` it goes round: after the Map the Planner says which sizes
//! to publish and measure next, until it is sure enough.
//!
//! Publisher and Executor stop before their own deadline and a choice sends them in again, so no run is too long.
//! The execution's input travels flat as `$`, to which the states add `run`, `stats`, `cleaned` and `analysis`.

use constructs::iam::Role;
use constructs::lambda::Function;
use constructs::states::StateMachine;
use constructs::{
    Catch, Choice, Fail, Flow, Handle, Map, Principal, Retry, Stack, State, Task, Test, Val, pseudo, text,
};
use serde_json::{Value, json};
use tuning::failure::CRASHED;

use super::STATE_MACHINE;
use super::functions::{self, Functions};
use super::parameters::Choices;

const CLEAN_UP_ON_ERROR: &str = "CleanUpOnError";

/// The machine's name: the chosen prefix and the last part of the stack's id, which no other stack shares.
pub(super) fn name(choices: &Choices) -> Val<String> {
    text![&choices.state_machine_name_prefix, "-", pseudo::stack_id().split("/").select(2)]
}

/// Adds the machine and its role.
pub(super) fn add(
    stack: &mut Stack,
    choices: &Choices,
    name: &Val<String>,
    functions: &Functions,
) -> Handle<StateMachine> {
    let flow = flow(functions);
    let role = stack.add(
        "statemachineRole",
        Role {
            description: "deployer: the state machine, which invokes the stack's own functions".to_owned(),
            assumed_by: Principal::service("states.amazonaws.com").for_account(&pseudo::account_id()),
            grants: flow.grants(),
            permissions_boundary: Some(functions::boundary(choices)),
        },
    );
    stack.add(STATE_MACHINE, StateMachine { name: name.clone(), flow, role: role.arn() })
}

/// What a run does, in order.
fn flow(functions: &Functions) -> Flow {
    Flow::start_at("Initializer")
        .comment("Measures a Lambda function at several memory sizes and says which to choose")
        .state(
            "Initializer",
            task(&functions.initializer)
                .parameters(&whole_input())
                .result_path("$.run")
                .catch(clean_up())
                .next("Publisher"),
        )
        .state(
            "Publisher",
            task(&functions.publisher)
                .parameters(&whole_input())
                .result_path("$.run")
                .catch(clean_up())
                .next("AllPublished"),
        )
        .state(
            "AllPublished",
            Choice::new()
                .when(Test::boolean_equals("$.run.published.done", false), "Publisher")
                .when(Test::is_present("$.run.search"), "MeasureRound")
                .otherwise("Measure"),
        )
        .state(
            "Measure",
            Map::over("$.run.powerValues", measure_one(&functions.executor, ""))
                .item_selector(&json!({ "input.$": "$", "value.$": "$$.Map.Item.Value" }))
                .at_a_time("$.run.sizesAtOnce")
                .result_path("$.stats")
                .catch(clean_up())
                .next("Cleaner"),
        )
        .state(
            "MeasureRound",
            Map::over("$.run.search.blocks", measure_one(&functions.executor, "InRound"))
                .item_selector(&json!({ "input.$": "$", "value.$": "$$.Map.Item.Value" }))
                .at_a_time("$.run.sizesAtOnce")
                .result_path("$.stats")
                .catch(clean_up())
                .next("Planner"),
        )
        .state(
            "Planner",
            task(&functions.analyzer)
                .parameters(&json!({ "plan.$": "$" }))
                .result_path("$.run")
                .catch(clean_up())
                .next("Planned"),
        )
        .state(
            "Planned",
            Choice::new()
                .when(Test::boolean_equals("$.run.search.done", true), "Cleaner")
                .when(Test::boolean_equals("$.run.published.done", true), "MeasureRound")
                .otherwise("Publisher"),
        )
        .state("Cleaner", cleaner(&functions.cleaner).catch(clean_up()).next("Analyzer"))
        .state(
            "Analyzer",
            task(&functions.analyzer).result_path("$.analysis").catch(clean_up()).next("Optimizer"),
        )
        .state(
            "Optimizer",
            task(&functions.optimizer)
                .parameters(&whole_input())
                .result_path("$.analysis")
                .output_path("$.analysis")
                .catch(clean_up())
                .end(),
        )
        .state(
            CLEAN_UP_ON_ERROR,
            cleaner(&functions.cleaner)
                .catch(Catch::all("Failed").result_path("$.cleanupError"))
                .next("Failed"),
        )
        .state("Failed", Fail::with("$.error.Error", "$.error.Cause"))
}

/// One memory size: the Executor, as many passes as it takes. A pass that failed is made anew, unless the function crashed. Names of states
/// are unique in the whole machine, so those of a search have a suffix.
fn measure_one(executor: &Handle<Function>, suffix: &str) -> Flow {
    let [first, choice, last] = ["Executor", "AllMeasured", "Measured"].map(|name| format!("{name}{suffix}"));
    Flow::start_at(&first)
        .state(
            &first,
            task(executor)
                .retry(Retry::on([CRASHED]).max_attempts(0))
                .retry(Retry::on_all().interval_seconds(3).max_attempts(2))
                .next(&choice),
        )
        .state(&choice, Choice::new().when(Test::is_present("$.progress"), &first).otherwise(&last))
        .state(&last, State::Succeed)
}

/// Cleaning up. Every step of it can be repeated, so it is, after whatever error.
fn cleaner(function: &Handle<Function>) -> Task {
    task(function)
        .parameters(&whole_input())
        .result_path("$.cleaned")
        .retry(Retry::on_all().interval_seconds(5).max_attempts(4))
}

/// A function of ours, invoked again when Lambda itself was at fault or busy.
fn task(function: &Handle<Function>) -> Task {
    let transient = [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ];
    Task::invoke(function)
        .retry(Retry::on(transient).interval_seconds(2).max_attempts(6).max_delay_seconds(60).full_jitter())
}

fn clean_up() -> Catch {
    Catch::all(CLEAN_UP_ON_ERROR).result_path("$.error")
}

fn whole_input() -> Value {
    json!({ "input.$": "$", "execution.$": "$$.Execution.Id" })
}
