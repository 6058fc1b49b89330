//! Many functions in one execution, where the stack has `fleets`: a machine whose distributed Map starts the tuning machine for each function of
//! a plan and waits for it, and a bucket for plans and results.
//!
//! The input is `{"plan","results","atOnce"}`: the key of the plan, the prefix of the results, how many functions are tuned at a time. The
//! plan is a list of `{"function","region","name","seconds","input"}`: the name of the function's execution, how long it may take, and
//! its input. A function whose run fails is a result like any other: `{"Error","Cause"}` instead of `{"executionArn","result"}`.

use constructs::iam::Role;
use constructs::s3::Bucket;
use constructs::states::StateMachine;
use constructs::{Catch, DistributedMap, Flow, Handle, Principal, Stack, State, Task, Val, pseudo, text};
use serde_json::json;

use super::functions;
use super::parameters::Choices;
use super::{FLEET_MACHINE_OUTPUT, FLEETS_BUCKET, FLEETS_BUCKET_OUTPUT};

/// As long as Step Functions keeps what it knows of an execution.
const KEPT_DAYS: u32 = 90;

/// Adds machine, role and bucket.
pub(super) fn add(stack: &mut Stack, choices: &Choices, tuning: &Handle<StateMachine>) {
    let fleets = &choices.fleets;
    let bucket = stack.add_if(fleets, FLEETS_BUCKET, Bucket { expire_after_days: Some(KEPT_DAYS) });
    let flow = flow(&bucket, tuning);
    // The prefix may have 43 characters and a name 80: there is no room for all of the stack's id.
    let part_of_id = pseudo::stack_id().split("/").select(2).as_text().split("-").select(4);
    let name: Val<String> = text![&choices.state_machine_name_prefix, "-fleet-", part_of_id];
    let mut grants = flow.grants();
    grants.extend(StateMachine::grant_own_executions(&name));
    let role = stack.add_if(
        fleets,
        "fleetRole",
        Role {
            description:
                "deployer: the machine of fleets, which starts the tuning machine for many functions"
                    .to_owned(),
            assumed_by: Principal::service("states.amazonaws.com").for_account(&pseudo::account_id()),
            grants,
            permissions_boundary: Some(functions::boundary(choices)),
        },
    );
    let machine = stack.add_if(fleets, "fleetStateMachine", StateMachine { name, flow, role: role.arn() });
    stack.output_if(
        fleets,
        FLEET_MACHINE_OUTPUT,
        "The state machine that tunes many functions",
        &machine.arn().as_text(),
    );
    stack.output_if(fleets, FLEETS_BUCKET_OUTPUT, "Plans and results of fleets", &bucket.name());
}

fn flow(bucket: &Handle<Bucket>, tuning: &Handle<StateMachine>) -> Flow {
    let run = Task::run(tuning, &json!({ "Name.$": "$.name", "Input.$": "$.input" }))
        .seconds_at("$.seconds")
        .result_selector(&json!({ "executionArn.$": "$.ExecutionArn", "result.$": "$.Output" }))
        .catch(Catch::all("Failure"))
        .end();
    let one = Flow::start_at("Function").state("Function", run).state("Failure", State::Succeed);
    Flow::start_at("Functions").comment("Tunes many Lambda functions").state(
        "Functions",
        DistributedMap::over(bucket, "$.plan", "$.results", "Functions", one).at_a_time("$.atOnce").end(),
    )
}
