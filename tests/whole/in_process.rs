//! The stack's functions, and the function it tunes, as handlers in the test's own process: a run then takes milliseconds, so
//! that every call of it can be made to fail in every way. The endpoint, the template's state machine and the roles'
//! permissions are the ones that the program uses.

use std::io::Write as _;
use std::sync::Arc;

use functions::clients::Clients;
use functions::deadline::Deadline;
use functions::handlers::Handler;
use local_aws::Aws;
use local_aws::lambda::in_process::{self, Candidate, FunctionError, Handling, Invocation};
use serde_json::Value;

/// From now on functions of these handlers run in this process: the six of the stack, and the samples `echo` and `fail`.
pub fn host(aws: &Aws) {
    aws.lambda.run_in_process(|Candidate { handler, .. }| {
        let ours = Handler::named(handler).ok();
        let sample = match handler {
            "echo" => true,
            "fail" => false,
            _ if ours.is_some() => true,
            _ => return None,
        };
        let hosted: in_process::Handler = Arc::new(move |invocation| -> Handling {
            match ours {
                Some(handler) => Box::pin(ours_handles(handler, invocation)),
                None => Box::pin(async move { sample_handles(sample, &invocation) }),
            }
        });
        Some(hosted)
    });
}

async fn ours_handles(handler: Handler, invocation: Invocation) -> Result<Value, FunctionError> {
    let clients = Clients::with((*invocation.variables).clone());
    let answer = handler.handle(event(&invocation)?, Deadline::before(invocation.deadline), &clients).await;
    answer.map_err(|error| FunctionError::raised(error.kind.name(), error.message))
}

/// As the samples' own executable does, which notes its invocations in a file.
fn sample_handles(well: bool, invocation: &Invocation) -> Result<Value, FunctionError> {
    let event = event(invocation)?;
    if let Some(path) = invocation.variables.get("INVOCATIONS_FILE") {
        let line = format!("{} {} {event}\n", invocation.request_id, invocation.function_arn);
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the file opens");
        file.write_all(line.as_bytes()).expect("a line is written");
    }
    if well { Ok(event) } else { Err(FunctionError::raised("SampleError", "this sample always fails")) }
}

fn event(invocation: &Invocation) -> Result<Value, FunctionError> {
    serde_json::from_slice(&invocation.event).map_err(|e| FunctionError::raised("Event", e.to_string()))
}
