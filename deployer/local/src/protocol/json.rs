//! The JSON protocols 1.0 and 1.1 of Step Functions, Logs and EventBridge: the operation in a header, JSON both ways.

use serde_json::{Map, Value};

use super::{Request, Response, response, set};
use crate::{ApiError, Result};

/// Answers a request, whose operation stands behind a prefix, with what `call` makes of operation and input.
pub async fn serve(
    (prefix, media_type): (&str, &'static str),
    request: &Request,
    call: impl AsyncFnOnce(&str, Value) -> Result<Value>,
) -> Response {
    let target = request.header("x-amz-target").unwrap_or_default();
    let result = match (target.strip_prefix(prefix), input(&request.body)) {
        (None, _) => {
            let message = format!("the X-Amz-Target header must be {prefix}OPERATION, not \"{target}\"");
            Err(ApiError::new(400, "UnknownOperationException", message))
        }
        (_, Err(e)) => Err(e),
        (Some(operation), Ok(input)) => call(operation, input).await,
    };
    match result {
        Ok(output) => {
            let body = if output.is_null() { "{}".to_owned() } else { output.to_string() };
            response(200, media_type, body, &request.id)
        }
        Err(e) => error(&e, &request.id),
    }
}

/// A body that is a JSON object, or nothing for an empty one.
pub fn input(body: &[u8]) -> Result<Value> {
    let wrong = |message: String| ApiError::new(400, "SerializationException", message);
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(wrong("the body must be a JSON object".to_owned())),
        Err(e) => Err(wrong(format!("the body is not JSON: {e}"))),
    }
}

/// An error as the JSON protocols write it.
pub fn error(error: &ApiError, id: &str) -> Response {
    let mut body = Map::new();
    body.insert("__type".to_owned(), error.code.clone().into());
    body.insert("message".to_owned(), error.message.clone().into());
    body.extend(error.details.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    let body = Value::Object(body).to_string();
    let mut response = response(error.status, "application/x-amz-json-1.1", body, id);
    set(&mut response, "x-amzn-errortype", &error.code);
    response
}
