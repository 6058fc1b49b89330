//! A call on its way through the protocol front, and what is done to it there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Kind, PENDING};
use crate::api::Protocol;
use crate::lambda::{ForcedEnd, Lambda, settling_for};
use crate::protocol::{Answer, Dropped, Response};
use crate::states::Interruption;
use crate::store::seeing;
use crate::{ApiError, Aws, Caller, Service};

/// A request of a role's session, for an operation.
pub(crate) struct Call {
    pub service: Service,
    pub operation: String,
    /// The function it names.
    pub function: Option<String>,
    /// The session's key.
    pub access_key_id: String,
}

/// Answers a call with what serving it gives, or with its refusal, unless it is its turn that something goes wrong. What is
/// not awaited of `serving` has no effect.
pub(crate) async fn answer(
    aws: &Arc<Aws>,
    caller: &Caller,
    call: &Call,
    serving: impl Future<Output = Response>,
    refuse: impl Fn(&ApiError) -> Response,
) -> Answer {
    let Caller::Role { session, .. } = caller else { return Ok(serving.await) };
    let Some((number, kind)) = aws.faults.meet(session, &call.operation, call.function.clone()) else {
        return Ok(serving.await);
    };
    if !aws.faults.pass_gates(session, &call.operation).await {
        return Err(Dropped);
    }
    let answer = match kind {
        None => Ok(match aws.faults.late(&call.operation) {
            Some(view) => seeing(view, serving).await,
            None => serving.await,
        }),
        Some(kind) => match refusal(aws, kind, call, caller) {
            Some(error) => Ok(refuse(&error)),
            None => injected(kind, aws, call, serving).await,
        },
    };
    if let Ok(response) = &answer {
        aws.faults.answered(number, response.status().as_u16());
    }
    answer
}

/// The error of a kind that refuses the call.
fn refusal(aws: &Aws, kind: Kind, call: &Call, caller: &Caller) -> Option<ApiError> {
    Some(match kind {
        Kind::Throttle => throttled(call.service),
        Kind::ServerError => server_error(call.service),
        Kind::Conflict => conflict(call),
        Kind::InvokeError(error) => error.answer(),
        Kind::Denied | Kind::DeniedFromNowOn => denied(aws, call, caller),
        Kind::NotYetKnown => ApiError::new(400, "ExecutionDoesNotExist", "Execution Does Not Exist"),
        _ => return None,
    })
}

async fn injected(
    kind: Kind,
    aws: &Arc<Aws>,
    call: &Call,
    serving: impl Future<Output = Response>,
) -> Answer {
    match kind {
        Kind::LostRequest => return Err(Dropped),
        Kind::EditMemory | Kind::EditSettings | Kind::EditVersions => edit(kind, aws).await,
        _ => {}
    }
    let before = (kind == Kind::StaleReads).then(|| Arc::new(aws.store.view()));
    let response = match kind {
        Kind::Pending => settling_for(PENDING, serving).await,
        _ => serving.await,
    };
    match kind {
        Kind::LostAnswer => Err(Dropped),
        Kind::CallerTimeOut | Kind::CallerCrash => {
            let end = if kind == Kind::CallerCrash { ForcedEnd::Crash } else { ForcedEnd::TimeUp };
            aws.lambda.force_end(&call.access_key_id, end).await;
            Err(Dropped)
        }
        Kind::UpdateFails => {
            Lambda::fail_update(aws, call.function.as_deref());
            Ok(response)
        }
        Kind::ExecutionStopped => {
            aws.states.end_running(Interruption::Stopped).await;
            Ok(response)
        }
        Kind::ExecutionTimedOut => {
            aws.states.end_running(Interruption::TimedOut).await;
            Ok(response)
        }
        _ => {
            if let Some(view) = before {
                aws.faults.show_late(view);
            }
            Ok(response)
        }
    }
}

fn throttled(service: Service) -> ApiError {
    match service.entry().protocol {
        Protocol::RestJson => ApiError::new(429, "TooManyRequestsException", "Rate Exceeded.")
            .with("Reason", "CallerRateLimitExceeded")
            .with("Type", "User")
            .with("retryAfterSeconds", "1"),
        Protocol::RestXml => ApiError::new(503, "SlowDown", "Please reduce your request rate."),
        Protocol::Query(_) | Protocol::Cbor(..) => ApiError::new(400, "Throttling", "Rate exceeded"),
        Protocol::Json(..) => ApiError::new(400, "ThrottlingException", "Rate exceeded"),
    }
}

fn server_error(service: Service) -> ApiError {
    match service.entry().protocol {
        Protocol::RestJson => {
            ApiError::new(500, "ServiceException", "An error occurred and the request cannot be processed.")
                .with("Type", "Service")
        }
        Protocol::RestXml => {
            ApiError::new(500, "InternalError", "We encountered an internal error. Please try again.")
        }
        _ => ApiError::new(500, "InternalFailure", "An internal error occurred. Please try again."),
    }
}

fn conflict(call: &Call) -> ApiError {
    if call.service.entry().protocol == Protocol::RestXml {
        let message = "A conflicting conditional operation is currently in progress against this resource.";
        return ApiError::new(409, "OperationAborted", message);
    }
    let resource = call.function.as_deref().unwrap_or("the resource");
    let message = format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {resource}"
    );
    ApiError::new(409, "ResourceConflictException", message).with("Type", "User")
}

fn denied(aws: &Aws, call: &Call, caller: &Caller) -> ApiError {
    let operation = match call.operation.as_str() {
        "Invoke" => "InvokeFunction",
        operation => operation,
    };
    let (who, service) = (caller.arn(&aws.settings.account), call.service.entry().actions);
    let message = format!(
        "User: {who} is not authorized to perform: {service}:{operation} because no identity-based policy allows the \
         {service}:{operation} action"
    );
    let (status, code) = call.service.entry().protocol.denial();
    ApiError::new(status, code, message)
}

/// What somebody else does to the function that the calls are about.
async fn edit(kind: Kind, aws: &Arc<Aws>) {
    let Some(function) = aws.faults.function() else { return };
    let name = json!(function);
    let configure = "UpdateFunctionConfiguration";
    match kind {
        Kind::EditMemory => {
            owner(aws, configure, json!({"FunctionName": name, "MemorySize": 333})).await;
        }
        Kind::EditSettings => {
            owner(aws, configure, json!({"FunctionName": name, "Description": "edited by somebody else"}))
                .await;
        }
        _ => {
            let published =
                owner(aws, "PublishVersion", json!({"FunctionName": name, "Description": "somebody else's"}))
                    .await;
            let version = published["Version"].clone();
            owner(
                aws,
                "CreateAlias",
                json!({"FunctionName": name, "Name": "somebody", "FunctionVersion": version}),
            )
            .await;
        }
    }
}

/// A call of the owner's, who tries again like anybody when a change is under way.
async fn owner(aws: &Arc<Aws>, operation: &str, input: Value) -> Value {
    for _ in 0..200 {
        match aws.call(&Caller::Owner, Service::Lambda, operation, input.clone()).await {
            Ok(answer) => return answer,
            Err(e) if e.code == "ResourceConflictException" => {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
            Err(_) => break,
        }
    }
    Value::Null
}
