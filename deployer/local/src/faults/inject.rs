//! A call on its way through the protocol front, and what is done to it there.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Kind, PENDING};
use crate::lambda::{Doom, settling_for};
use crate::protocol::{Answer, Dropped, Request, Response, error, serve};
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

/// Answers a request, unless it is its turn that something goes wrong.
pub(crate) async fn answer(aws: &Arc<Aws>, caller: &Caller, call: Call, request: Request) -> Answer {
    let Caller::Role { session, .. } = caller else {
        return Ok(serve(aws, caller, call.service, request).await);
    };
    let Some((number, kind)) = aws.faults.meet(session, &call.operation, call.function.clone()) else {
        return Ok(serve(aws, caller, call.service, request).await);
    };
    let answer = match kind {
        None => Ok(serve_late(aws, caller, &call, request).await),
        Some(kind) => injected(kind, aws, caller, &call, request).await,
    };
    if let Ok(response) = &answer {
        aws.faults.answered(number, response.status().as_u16());
    }
    answer
}

/// Answers a read from what was there before the last change, while that is to be seen late.
async fn serve_late(aws: &Arc<Aws>, caller: &Caller, call: &Call, request: Request) -> Response {
    let serving = serve(aws, caller, call.service, request);
    match aws.faults.late(&call.operation) {
        Some(view) => seeing(view, serving).await,
        None => serving.await,
    }
}

async fn injected(kind: Kind, aws: &Arc<Aws>, caller: &Caller, call: &Call, request: Request) -> Answer {
    let refuse = |e: ApiError| Ok(error(call.service, &e, &request.id, &request.method));
    match kind {
        Kind::Throttle => return refuse(throttled(call.service)),
        Kind::ServerError => return refuse(server_error(call.service)),
        Kind::Conflict => return refuse(conflict(call)),
        Kind::Denied | Kind::DeniedFromNowOn => return refuse(denied(call, caller)),
        Kind::LostRequest => return Err(Dropped),
        Kind::EditMemory | Kind::EditSettings | Kind::EditVersions => edit(kind, aws).await,
        _ => {}
    }
    let before = (kind == Kind::StaleReads).then(|| Arc::new(aws.store.view()));
    let serving = serve(aws, caller, call.service, request);
    let response = match kind {
        Kind::Pending => settling_for(PENDING, serving).await,
        _ => serving.await,
    };
    match kind {
        Kind::LostAnswer => Err(Dropped),
        Kind::CallerTimeOut | Kind::CallerCrash => {
            let doom = if kind == Kind::CallerCrash { Doom::Crash } else { Doom::TimeUp };
            aws.lambda.doom(&call.access_key_id, doom).await;
            Err(Dropped)
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
    match service {
        Service::Lambda => ApiError::new(429, "TooManyRequestsException", "Rate Exceeded.")
            .with("Reason", "CallerRateLimitExceeded")
            .with("Type", "User")
            .with("retryAfterSeconds", "1"),
        Service::CloudFront | Service::S3 => {
            ApiError::new(503, "SlowDown", "Please reduce your request rate.")
        }
        Service::CloudFormation | Service::Iam | Service::Sts => {
            ApiError::new(400, "Throttling", "Rate exceeded")
        }
        Service::Events | Service::Logs | Service::States => {
            ApiError::new(400, "ThrottlingException", "Rate exceeded")
        }
    }
}

fn server_error(service: Service) -> ApiError {
    match service {
        Service::Lambda => {
            ApiError::new(500, "ServiceException", "An error occurred and the request cannot be processed.")
                .with("Type", "Service")
        }
        Service::CloudFront | Service::S3 => {
            ApiError::new(500, "InternalError", "We encountered an internal error. Please try again.")
        }
        _ => ApiError::new(500, "InternalFailure", "An internal error occurred. Please try again."),
    }
}

fn conflict(call: &Call) -> ApiError {
    if call.service == Service::S3 {
        let message = "A conflicting conditional operation is currently in progress against this resource.";
        return ApiError::new(409, "OperationAborted", message);
    }
    let resource = call.function.as_deref().unwrap_or("the resource");
    let message = format!(
        "The operation cannot be performed at this time. An update is in progress for resource: {resource}"
    );
    ApiError::new(409, "ResourceConflictException", message).with("Type", "User")
}

fn denied(call: &Call, caller: &Caller) -> ApiError {
    let (service, operation) = match (call.service, call.operation.as_str()) {
        (Service::Lambda, "Invoke") => ("lambda", "InvokeFunction"),
        (Service::Lambda, operation) => ("lambda", operation),
        (Service::States, operation) => ("states", operation),
        (Service::S3, operation) => ("s3", operation),
        (Service::Logs, operation) => ("logs", operation),
        (Service::Events, operation) => ("events", operation),
        (Service::Iam, operation) => ("iam", operation),
        (Service::Sts, operation) => ("sts", operation),
        (Service::CloudFormation, operation) => ("cloudformation", operation),
        (Service::CloudFront, operation) => ("cloudfront", operation),
    };
    let who = caller.arn();
    let message = format!(
        "User: {who} is not authorized to perform: {service}:{operation} because no identity-based policy allows the \
         {service}:{operation} action"
    );
    let (status, code) = match call.service {
        Service::CloudFront | Service::S3 => (403, "AccessDenied"),
        Service::Lambda => (403, "AccessDeniedException"),
        Service::CloudFormation | Service::Iam | Service::Sts => (403, "AccessDenied"),
        Service::Events | Service::Logs | Service::States => (400, "AccessDeniedException"),
    };
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
