//! What the tasks of machines do: invoke Lambda functions, and make of Lambda's answers what Step Functions makes of them.
//! Executions that an execution starts are those of [`nested`] and [`maps`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use asl::{Answer, Failure, LARGEST, MapRun, PERMISSIONS, Pending, Resource, World};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::machines::{PRINCIPAL, assumable};
use super::records::Execution;
use super::{maps, names, nested};
use crate::lambda::{Invocation, InvocationType, Invoked};
use crate::{ApiError, Aws, Caller, Result, ids};

/// The world of the local account, in which functions are invoked as a machine's role.
pub struct Account {
    /// The account.
    pub aws: Arc<Aws>,
    /// The execution.
    pub execution: Execution,
    role: String,
    session: String,
    ended: AtomicBool,
}

impl Account {
    /// The world of one execution, in which its machine's role acts.
    pub fn new(aws: &Arc<Aws>, execution: &Execution, role: &str) -> Self {
        let (aws, execution) = (Arc::clone(aws), execution.clone());
        Self { aws, execution, role: role.to_owned(), session: ids::upper(32), ended: AtomicBool::new(false) }
    }

    /// Who acts: the machine's role.
    pub fn caller(&self) -> Caller {
        Caller::Role { arn: self.role.clone(), session: self.session.clone() }
    }

    /// Checks that Step Functions may act as the role.
    ///
    /// # Errors
    /// `States.Permissions`.
    fn assumable(&self) -> Result<(), Failure> {
        // The processor of a distributed Map acts for the whole machine.
        let machine = names::machine_arn(&self.aws, &self.execution.machine);
        if assumable(&self.aws, &self.role, &machine) {
            return Ok(());
        }
        let why = format!("The role {} is not authorized to be assumed by {PRINCIPAL}.", self.role);
        Err(Failure::new(PERMISSIONS, why))
    }

    /// From now on nothing is begun any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    async fn invoke(&self, invocation: Invocation) -> Result<Invoked> {
        if self.ended.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let aws = Arc::clone(&self.aws);
        let caller = self.caller();
        // On its own, so that a function goes on to its end when the execution that called it has been stopped.
        let invoked = tokio::spawn(async move { aws.lambda.invoke(&aws, &caller, invocation).await });
        invoked.await.unwrap_or_else(|_| {
            Err(ApiError::new(500, "ServiceException", "The invocation ended without an answer."))
        })
    }
}

impl World for Account {
    fn task(
        &self,
        resource: &Resource,
        input: Value,
    ) -> Result<Pending<'_, Result<Answer<'_>, Failure>>, Failure> {
        self.assumable()?;
        let (invocation, integration) = match resource {
            Resource::Integration { service: "states", action } => return nested::task(self, action, &input),
            Resource::Function(arn) => {
                let payload = input.to_string().into();
                (Invocation { function: arn.clone(), payload, ..Invocation::default() }, false)
            }
            Resource::Integration { .. } => (parameters(&input)?, true),
        };
        let name = resource.name().to_owned();
        Ok(Box::pin(async move {
            let invoked = self.invoke(invocation).await.map_err(|error| refused(&error))?;
            let payload = payload(&invoked, &name)?;
            Ok(Answer::Done(if integration { answer(&invoked, payload) } else { payload }))
        }))
    }

    fn map_run(&self, run: MapRun) -> Result<(String, Pending<'_, Result<Value, Failure>>), Failure> {
        self.assumable()?;
        Ok(maps::course::begin(self, run))
    }

    fn sleep(&self, time: Duration) -> Pending<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The invocation that the parameters of `arn:aws:states:::lambda:invoke` ask for.
fn parameters(input: &Value) -> Result<Invocation, Failure> {
    let wrong = |name: &str, value: &Value| {
        Failure::runtime(format!(
            "The value of the field '{name}' in the parameters of arn:aws:states:::lambda:invoke is not valid: {value}"
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
        payload: fields.get("Payload").map(event).unwrap_or_default().into(),
        log_tail: one("LogType", &["None", "Tail"])?.as_deref() == Some("Tail"),
        invocation_type: kind,
        client_context: text("ClientContext")?,
    })
}

/// The event that a `Payload` is: JSON in a text is that JSON, and null an empty object.
fn event(payload: &Value) -> String {
    match payload {
        Value::Null => "{}".to_owned(),
        Value::String(text) if serde_json::from_str::<Value>(text).is_ok() => text.clone(),
        other => other.to_string(),
    }
}

/// What a function that ran gave.
fn payload(invoked: &Invoked, task: &str) -> Result<Value, Failure> {
    if invoked.payload.len() > LARGEST {
        return Err(Failure::too_large(task, "returned a result"));
    }
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
    payload.map_err(|error| {
        Failure::new(
            "Lambda.Unknown",
            format!("The function did not return JSON ({error}). Returned payload: {text}"),
        )
    })
}

/// The answer of Lambda's Invoke as a task's result.
fn answer(invoked: &Invoked, payload: Value) -> Value {
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
    result
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
    Failure::new(format!("Lambda.{name}"), said(error, "AWSLambda"))
}

/// A service's refusal as the SDK inside Step Functions words it.
pub fn said(error: &ApiError, service: &str) -> String {
    let (message, status, code, id) = (&error.message, error.status, &error.code, ids::uuid());
    format!(
        "{message} (Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: {id}; Proxy: null)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoked(text: &str, failed: bool) -> Invoked {
        Invoked {
            status: 200,
            payload: text.to_owned().into(),
            function_error: failed.then(|| "Unhandled".to_owned()),
            log_result: Some("TG9n".to_owned()),
            executed_version: "$LATEST".to_owned(),
        }
    }

    fn failure(text: &str, failed: bool) -> (String, String) {
        let failure = payload(&invoked(text, failed), "f").unwrap_err();
        (failure.error.unwrap(), failure.cause.unwrap())
    }

    #[test]
    fn a_functions_error_keeps_its_type_and_its_whole_answer() {
        for kind in ["MyError", "Sandbox.Timedout", "Runtime.ExitError"] {
            let text = format!("{{\"errorMessage\":\"no\",\"errorType\":\"{kind}\",\"trace\":[\"a\"]}}");
            assert_eq!(failure(&text, true), (kind.to_owned(), text));
        }
        let text = "{\"errorMessage\":\"?\"}";
        let cause = format!(
            "The cause could not be determined because Lambda did not return an error type. Returned payload: {text}"
        );
        assert_eq!(failure(text, true), ("Lambda.Unknown".to_owned(), cause));
        for failed in [true, false] {
            assert_eq!(failure("not json", failed).0, "Lambda.Unknown");
        }
    }

    #[test]
    fn a_functions_answer_is_its_json_and_an_empty_one_null() {
        assert_eq!(payload(&invoked("{\"a\":1}", false), "f"), Ok(json!({"a": 1})));
        assert_eq!(payload(&invoked("", false), "f"), Ok(json!(null)));
        // Its size is looked at before what it is.
        let large = payload(&invoked(&"a".repeat(LARGEST + 1), false), "lambda").unwrap_err();
        assert_eq!(large, Failure::too_large("lambda", "returned a result"));
        let answer = answer(&invoked("[1]", false), json!([1]));
        let metadata = json!({"HttpHeaders": {"Content-Length": "3", "Content-Type": "application/json"}, "HttpStatusCode": 200});
        assert_eq!((&answer["Payload"], &answer["LogResult"]), (&json!([1]), &json!("TG9n")));
        assert_eq!((&answer["StatusCode"], &answer["SdkHttpMetadata"]), (&json!(200), &metadata));
    }

    #[test]
    fn what_lambda_refuses_is_named_as_on_aws() {
        for (status, code, name) in [
            (429, "TooManyRequestsException", "Lambda.TooManyRequestsException"),
            (500, "ServiceException", "Lambda.ServiceException"),
            (503, "ServiceUnavailable", "Lambda.ServiceException"),
            (404, "ResourceNotFoundException", "Lambda.ResourceNotFoundException"),
            (409, "ResourceConflictException", "Lambda.ResourceConflictException"),
            (403, "AccessDeniedException", "Lambda.AWSLambdaException"),
        ] {
            let failure = refused(&ApiError::new(status, code, "No."));
            assert_eq!(failure.error.unwrap(), name);
            let words =
                format!("No. (Service: AWSLambda; Status Code: {status}; Error Code: {code}; Request ID: ");
            assert!(failure.cause.unwrap().starts_with(&words));
        }
    }

    #[test]
    fn the_integration_takes_lambdas_parameters_and_no_others() {
        let given = json!({"FunctionName": "f", "Qualifier": "1", "Payload": {"a": 1}, "LogType": "Tail", "InvocationType": "Event"});
        let invocation = parameters(&given).unwrap();
        assert_eq!((invocation.function.as_str(), invocation.qualifier.as_deref()), ("f", Some("1")));
        assert_eq!((&invocation.payload[..], invocation.log_tail), (&b"{\"a\":1}"[..], true));
        assert_eq!(invocation.invocation_type, InvocationType::Event);
        for (payload, event) in [
            (json!("{\"a\": 1}"), "{\"a\": 1}"),
            (json!("true"), "true"),
            (json!("plain"), "\"plain\""),
            (json!(null), "{}"),
        ] {
            let invocation = parameters(&json!({"FunctionName": "f", "Payload": payload})).unwrap();
            assert_eq!(&invocation.payload[..], event.as_bytes());
        }
        for wrong in [
            json!({"FunctionName": 3}),
            json!({"FunctionName": "f", "Nope": 1}),
            json!({"FunctionName": "f", "InvocationType": "Sometimes"}),
        ] {
            assert_eq!(parameters(&wrong).unwrap_err().error.as_deref(), Some(asl::RUNTIME));
        }
    }
}
