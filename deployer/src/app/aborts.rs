//! Cleaning up after executions that ended without a chance to: stopped, out of time, or failed in a way that no state
//! can catch (a state too large, an execution history that is full). A rule on EventBridge calls the Cleaner, which does
//! nothing where the execution has cleaned up after itself.

use constructs::events::{EventPattern, Rule};
use constructs::lambda::{Function, Permission};
use constructs::states::StateMachine;
use constructs::{Handle, Stack};

/// Adds the rule and leave for EventBridge to invoke the Cleaner on its behalf.
pub(super) fn add(stack: &mut Stack, machine: &Handle<StateMachine>, cleaner: &Handle<Function>) {
    let rule = stack.add(
        "abortRule",
        Rule {
            description: "deployer: puts a function back as it was when its power tuning was stopped"
                .to_owned(),
            pattern: EventPattern {
                source: "aws.states".to_owned(),
                detail_type: "Step Functions Execution Status Change".to_owned(),
                detail: vec![
                    ("status".to_owned(), vec!["ABORTED".into(), "FAILED".into(), "TIMED_OUT".into()]),
                    ("stateMachineArn".to_owned(), vec![machine.arn().as_text()]),
                ],
            },
            targets: vec![("cleaner".to_owned(), cleaner.arn())],
        },
    );
    stack.add(
        "abortRulePermission",
        Permission {
            function: cleaner.arn(),
            principal: "events.amazonaws.com".to_owned(),
            source_arn: rule.arn(),
        },
    );
}
