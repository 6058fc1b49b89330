//! Tasks that start executions: `arn:aws:states:::states:startExecution`, without waiting or until the execution has ended.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use asl::{Answer, Failure, Flow, Pending, Resource, TASK_FAILED};
use serde_json::{Value, json};

use super::executions;
use super::names::error;
use super::records::{EXECUTION, Execution, Status};
use super::run::{Ending, Running};
use super::tasks::{Account, said};
use crate::{ApiError, Aws, Caller, Result, ids};

/// The rule by which Step Functions is told on AWS that such an execution has ended.
const RULE: &str = "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule";

/// Checks that a machine's role may make the rule that waiting for executions needs.
///
/// # Errors
/// `AccessDeniedException`, in AWS's words.
pub fn managed_rule(aws: &Aws, role: &str, flow: &Flow) -> Result<()> {
    let waits = |resource: &&Resource| matches!(resource, Resource::Integration { service: "states", action } if *action != "startExecution");
    if !flow.resources().iter().any(waits) {
        return Ok(());
    }
    let caller = Caller::Role { arn: role.to_owned(), session: ids::upper(32) };
    let rule = aws.arn("events", RULE);
    for action in ["events:PutRule", "events:PutTargets", "events:DescribeRule"] {
        aws.iam.authorize(aws, &caller, action, &rule).map_err(|_| {
            error("AccessDeniedException", format!("'{role}' is not authorized to create managed-rule."))
        })?;
    }
    Ok(())
}

/// Starts an execution, and by `.sync` and `.sync:2` waits for its end.
///
/// # Errors
/// What is wrong with the parameters.
pub fn task<'w>(
    account: &'w Account,
    action: &'static str,
    input: &Value,
) -> Result<Pending<'w, Result<Answer<'w>, Failure>>, Failure> {
    let request = request(action, input)?;
    Ok(Box::pin(async move {
        let (aws, caller) = (&account.aws, account.caller());
        let started = executions::start(aws, &caller, &request).map_err(|error| refused(&error))?;
        let arn = started["executionArn"].as_str().unwrap_or_default().to_owned();
        let execution = executions::found(aws, &arn).map_err(|error| refused(&error))?;
        let answer = json!({
            "ExecutionArn": arn,
            "SdkHttpMetadata": {"HttpHeaders": {"Content-Type": "application/x-amz-json-1.0"}, "HttpStatusCode": 200},
            "SdkResponseMetadata": {"RequestId": ids::uuid()},
            "StartDate": execution.started,
        });
        if action == "startExecution" {
            return Ok(Answer::Done(answer));
        }
        let id = execution.id();
        let running = aws.states.running().get(&id).cloned();
        let mut started = Started { account, arn, running };
        // AWS looks at the execution itself as well, in case its event is lost.
        if let Err(error) = aws.iam.authorize(aws, &caller, "states:DescribeExecution", &started.arn) {
            return Err(refused(&error));
        }
        let parsed = action == "startExecution.sync:2";
        let course = Box::pin(async move {
            if let Some(running) = &started.running {
                running.ended().await;
            }
            started.over();
            let ended = account.aws.store.get::<Execution>(EXECUTION, &id).unwrap_or(execution);
            let result = result(&account.aws, &ended, parsed);
            match ended.status {
                Status::Succeeded => Ok(result),
                _ => Err(Failure::new(TASK_FAILED, result.to_string())),
            }
        });
        Ok(Answer::Submitted(answer, course))
    }))
}

/// An execution that is waited for. Whoever stops waiting stops it, if the role may.
struct Started<'w> {
    account: &'w Account,
    arn: String,
    running: Option<Arc<Running>>,
}

impl Started<'_> {
    /// There is nothing left to stop.
    fn over(&mut self) {
        self.running = None;
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let aws = &self.account.aws;
        let may =
            || aws.iam.authorize(aws, &self.account.caller(), "states:StopExecution", &self.arn).is_ok();
        if let Some(running) = self.running.take().filter(|_| may()) {
            let cause = "The execution that waited for this one has stopped waiting.".to_owned();
            running.ask(Ending { cause: Some(cause), ..Ending::default() });
        }
    }
}

/// The request that a task's parameters are.
fn request(action: &str, input: &Value) -> Result<Value, Failure> {
    let wrong = |name: &str, value: &Value| {
        Failure::runtime(format!(
            "The value of the field '{name}' in the parameters of arn:aws:states:::states:{action} is not valid: {value}"
        ))
    };
    let fields = input.as_object().ok_or_else(|| wrong("Parameters", input))?;
    let mut request = json!({});
    for (name, value) in fields {
        let member = match name.as_str() {
            "StateMachineArn" => "stateMachineArn",
            "Name" => "name",
            "TraceHeader" => "traceHeader",
            "Input" => {
                let text = match value {
                    Value::Null => "{}".to_owned(),
                    Value::String(text) => text.clone(),
                    document => document.to_string(),
                };
                request["input"] = json!(text);
                continue;
            }
            _ => return Err(wrong(name, value)),
        };
        if !value.is_string() {
            return Err(wrong(name, value));
        }
        request[member] = value.clone();
    }
    Ok(request)
}

/// What an execution that ended is to the one that waited for it.
fn result(aws: &Aws, execution: &Execution, parsed: bool) -> Value {
    let document = |text: &str| match parsed {
        true => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        false => json!(text),
    };
    let mut result = json!({});
    for (name, text) in [("Cause", &execution.cause), ("Error", &execution.error)] {
        if let Some(text) = text {
            result[name] = json!(text);
        }
    }
    result["ExecutionArn"] = json!(execution.arn(aws));
    result["Input"] = document(&execution.input);
    result["InputDetails"] = json!({"Included": true});
    result["Name"] = json!(execution.name);
    if let Some(output) = &execution.output {
        result["Output"] = document(output);
        result["OutputDetails"] = json!({"Included": true});
    }
    result["StartDate"] = json!(execution.started);
    result["StateMachineArn"] = json!(execution.machine_arn(aws));
    result["Status"] = json!(execution.status.name());
    if let Some(stopped) = execution.stopped {
        result["StopDate"] = json!(stopped);
    }
    result
}

/// The error of an execution that was not started. What is not among Step Functions' own errors is the SDK's general one.
fn refused(error: &ApiError) -> Failure {
    let name = match error.code.as_str() {
        code @ ("ExecutionAlreadyExists"
        | "ExecutionLimitExceeded"
        | "InvalidArn"
        | "InvalidExecutionInput"
        | "InvalidName"
        | "StateMachineDeleting"
        | "StateMachineDoesNotExist") => {
            format!("{code}Exception")
        }
        "ValidationException" => "ValidationException".to_owned(),
        _ => "AWSStepFunctionsException".to_owned(),
    };
    Failure::new(format!("StepFunctions.{name}"), said(error, "AWSStepFunctions"))
}
