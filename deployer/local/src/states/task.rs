//! Task states: a Lambda function by its ARN, or through `arn:aws:states:::lambda:invoke`.

use std::time::Duration;

use serde_json::{Value, json};

use super::definition::Task;
use super::engine::{LARGEST, Visit};
use super::failure::{DATA_LIMIT, Failure, HEARTBEAT_TIMEOUT, PERMISSIONS, TIMEOUT};
use super::parse::INVOKE;
use super::world::World;
use crate::ApiError;
use crate::ids;
use crate::lambda::{Invocation, InvocationType, Invoked};

/// The names of one kind of task's events and their details.
struct Events {
    /// `LambdaFunction` or `Task`.
    prefix: &'static str,
    /// The details' prefix.
    member: &'static str,
    /// What every detail says of the task.
    about: Value,
}

/// What a task's time is limited to, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// `TimeoutSeconds`.
    pub timeout: Option<u64>,
    /// `HeartbeatSeconds`.
    pub heartbeat: Option<u64>,
}

/// Runs the task once and records its events.
///
/// # Errors
/// The function's error, what kept it from running, or a time-out.
pub async fn run(task: &Task, input: Value, limits: Limits, visit: &Visit<'_>) -> Result<Value, Failure> {
    let region = visit.engine.region.as_str();
    let events = if task.integration {
        Events {
            prefix: "Task",
            member: "task",
            about: json!({"resourceType": "lambda", "resource": "invoke"}),
        }
    } else {
        Events { prefix: "LambdaFunction", member: "lambdaFunction", about: json!({}) }
    };
    let Limits { timeout, heartbeat } = limits;
    let text = input.to_string();
    let mut scheduled = if task.integration {
        json!({"resourceType": "lambda", "resource": "invoke", "region": region, "parameters": text})
    } else {
        json!({"resource": task.resource, "input": text, "inputDetails": {"truncated": false}})
    };
    for (member, seconds) in [("timeoutInSeconds", timeout), ("heartbeatInSeconds", heartbeat)] {
        if let (Some(seconds), true) = (seconds, task.integration || member == "timeoutInSeconds") {
            scheduled[member] = json!(seconds);
        }
    }
    visit.record(&events.name("Scheduled"), Some((events.details("Scheduled").as_str(), scheduled)))?;
    if text.len() > LARGEST {
        return events.failed(visit, too_large(&task.resource, "was given an input"));
    }
    let world = &visit.engine.world;
    if let Err(why) = world.permitted() {
        return events.failed(visit, Failure::new(PERMISSIONS, why));
    }
    let invocation = if task.integration {
        match parameters(&input) {
            Ok(invocation) => invocation,
            Err(why) => return events.failed(visit, why),
        }
    } else {
        Invocation { function: task.resource.clone(), payload: text.into(), ..Invocation::default() }
    };
    let about = task.integration.then(|| events.about.clone());
    visit.record(&events.name("Started"), about.map(|about| ("taskStartedEventDetails", about)))?;

    let limit = match (timeout, heartbeat) {
        // A function sends no heartbeats, so the first one is missed when it takes that long.
        (timeout, Some(heartbeat)) if timeout.is_none_or(|timeout| heartbeat < timeout) => {
            Some((heartbeat, HEARTBEAT_TIMEOUT))
        }
        (Some(timeout), _) => Some((timeout, TIMEOUT)),
        (None, _) => None,
    };
    let Some(answer) = within(world.as_ref(), invocation, limit.map(|(seconds, _)| seconds)).await else {
        let failure = Failure::bare(limit.map_or(TIMEOUT, |(_, error)| error));
        visit.record(
            &events.name("TimedOut"),
            Some((events.details("TimedOut").as_str(), events.with(failure.details()))),
        )?;
        return Err(failure);
    };
    let result = answer.map_err(|error| refused(&error)).and_then(|invoked| result(task, &invoked));
    match result {
        Ok(result) => {
            let output = result.to_string();
            if output.len() > LARGEST {
                return events.failed(visit, too_large(&task.resource, "returned a result"));
            }
            let details = events.with(json!({"output": output, "outputDetails": {"truncated": false}}));
            visit.record(&events.name("Succeeded"), Some((events.details("Succeeded").as_str(), details)))?;
            Ok(result)
        }
        Err(failure) => events.failed(visit, failure),
    }
}

impl Events {
    fn name(&self, what: &str) -> String {
        format!("{}{what}", self.prefix)
    }

    fn details(&self, what: &str) -> String {
        format!("{}{what}EventDetails", self.member)
    }

    fn with(&self, mut details: Value) -> Value {
        for (member, value) in self.about.as_object().into_iter().flatten() {
            details[member] = value.clone();
        }
        details
    }

    fn failed(&self, visit: &Visit<'_>, failure: Failure) -> Result<Value, Failure> {
        let details = self.with(failure.details());
        visit.record(&self.name("Failed"), Some((self.details("Failed").as_str(), details)))?;
        Err(failure)
    }
}

fn too_large(task: &str, what: &str) -> Failure {
    Failure::new(
        DATA_LIMIT,
        format!(
            "The state/task '{task}' {what} with a size exceeding the maximum number of bytes service limit."
        ),
    )
}

async fn within(
    world: &dyn World,
    invocation: Invocation,
    seconds: Option<u64>,
) -> Option<Result<Invoked, ApiError>> {
    let Some(seconds) = seconds else { return Some(world.invoke(invocation).await) };
    tokio::select! {
        biased;
        answer = world.invoke(invocation) => Some(answer),
        () = world.sleep(Duration::from_secs(seconds)) => None,
    }
}

/// The invocation that the parameters of `arn:aws:states:::lambda:invoke` ask for.
fn parameters(input: &Value) -> Result<Invocation, Failure> {
    let wrong = |name: &str, value: &Value| {
        Failure::runtime(format!(
            "The value of the field '{name}' in the parameters of {INVOKE} is not valid: {value}"
        ))
    };
    let known = ["FunctionName", "Payload", "Qualifier", "InvocationType", "LogType", "ClientContext"];
    let fields = input.as_object().ok_or_else(|| wrong("Parameters", input))?;
    if let Some((name, value)) = fields.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(wrong(name, value));
    }
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(value) => Err(wrong(name, value)),
    };
    let one = |name: &str, allowed: &[&str]| match text(name)? {
        Some(value) if !allowed.contains(&value.as_str()) => Err(wrong(name, &json!(value))),
        value => Ok(value),
    };
    let kind = match one("InvocationType", &["RequestResponse", "Event", "DryRun"])?.as_deref() {
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        _ => InvocationType::RequestResponse,
    };
    Ok(Invocation {
        function: text("FunctionName")?.ok_or_else(|| wrong("FunctionName", &Value::Null))?,
        qualifier: text("Qualifier")?,
        payload: fields.get("Payload").map(|payload| payload.to_string().into()).unwrap_or_default(),
        log_tail: one("LogType", &["None", "Tail"])?.as_deref() == Some("Tail"),
        invocation_type: kind,
        client_context: text("ClientContext")?,
    })
}

/// What the state gets from a function that ran.
fn result(task: &Task, invoked: &Invoked) -> Result<Value, Failure> {
    let text = String::from_utf8_lossy(&invoked.payload);
    let payload = if text.trim().is_empty() { Ok(Value::Null) } else { serde_json::from_str::<Value>(&text) };
    if invoked.function_error.is_some() {
        let name = payload
            .as_ref()
            .ok()
            .and_then(|payload| payload["errorType"].as_str())
            .filter(|name| !name.is_empty());
        return Err(match name {
            Some(name) => Failure::new(name, text),
            None => Failure::new(
                "Lambda.Unknown",
                format!(
                    "The cause could not be determined because Lambda did not return an error type. Returned payload: {text}"
                ),
            ),
        });
    }
    let payload = payload.map_err(|error| {
        Failure::new(
            "Lambda.Unknown",
            format!("The function did not return JSON ({error}). Returned payload: {text}"),
        )
    })?;
    if !task.integration {
        return Ok(payload);
    }
    let mut result = json!({
        "ExecutedVersion": invoked.executed_version,
        "Payload": payload,
        "SdkHttpMetadata": {
            "HttpHeaders": {"Content-Length": invoked.payload.len().to_string(), "Content-Type": "application/json"},
            "HttpStatusCode": invoked.status,
        },
        "SdkResponseMetadata": {"RequestId": ids::uuid()},
        "StatusCode": invoked.status,
    });
    if let Some(log) = &invoked.log_result {
        result["LogResult"] = json!(log);
    }
    Ok(result)
}

/// The error of a function that did not get to run. Lambda's own errors keep their names; what is not among them is the
/// SDK's general one, as Step Functions reports it.
fn refused(error: &ApiError) -> Failure {
    const LAMBDAS: [&str; 21] = [
        "EC2AccessDeniedException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "EFSIOException",
        "ENILimitReachedException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "InvalidRuntimeException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "RecursiveInvocationException",
        "RequestTooLargeException",
        "ResourceConflictException",
        "ResourceNotFoundException",
        "ResourceNotReadyException",
        "ServiceException",
        "SnapStartException",
        "TooManyRequestsException",
        "UnsupportedMediaTypeException",
    ];
    let name = match error.code.as_str() {
        code if LAMBDAS.contains(&code) => code,
        _ if error.status >= 500 => "ServiceException",
        _ => "AWSLambdaException",
    };
    let (message, status, code, id) = (&error.message, error.status, &error.code, ids::uuid());
    Failure::new(
        format!("Lambda.{name}"),
        format!(
            "{message} (Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: {id}; Proxy: null)"
        ),
    )
}
