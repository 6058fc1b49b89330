//! Lambda's REST protocol: the operation in method and path, its input in path, query, headers and a JSON body.

use std::sync::{Arc, OnceLock};

use http::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Invocation, InvocationType, Invoked};
use crate::protocol::{Request, Response, json, response, set};
use crate::{ApiError, Aws, Caller, Result, Service};

/// Method, path, operation, and the status of a success.
#[rustfmt::skip]
const ROUTES: &[(&str, &str, &str, u16)] = &[
    ("GET",    "/2015-03-31/functions",                                           "ListFunctions", 200),
    ("POST",   "/2015-03-31/functions",                                           "CreateFunction", 201),
    ("GET",    "/2015-03-31/functions/{FunctionName}",                            "GetFunction", 200),
    ("DELETE", "/2015-03-31/functions/{FunctionName}",                            "DeleteFunction", 204),
    ("GET",    "/2015-03-31/functions/{FunctionName}/configuration",              "GetFunctionConfiguration", 200),
    ("PUT",    "/2015-03-31/functions/{FunctionName}/configuration",              "UpdateFunctionConfiguration", 200),
    ("PUT",    "/2015-03-31/functions/{FunctionName}/code",                       "UpdateFunctionCode", 200),
    ("POST",   "/2015-03-31/functions/{FunctionName}/invocations",                "Invoke", 200),
    ("GET",    "/2015-03-31/functions/{FunctionName}/versions",                   "ListVersionsByFunction", 200),
    ("POST",   "/2015-03-31/functions/{FunctionName}/versions",                   "PublishVersion", 201),
    ("GET",    "/2015-03-31/functions/{FunctionName}/aliases",                    "ListAliases", 200),
    ("POST",   "/2015-03-31/functions/{FunctionName}/aliases",                    "CreateAlias", 201),
    ("GET",    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",             "GetAlias", 200),
    ("PUT",    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",             "UpdateAlias", 200),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/aliases/{Name}",             "DeleteAlias", 204),
    ("GET",    "/2015-03-31/functions/{FunctionName}/policy",                     "GetPolicy", 200),
    ("POST",   "/2015-03-31/functions/{FunctionName}/policy",                     "AddPermission", 201),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}",       "RemovePermission", 204),
    ("GET",    "/2016-08-19/account-settings",                                    "GetAccountSettings", 200),
    ("GET",    "/2017-03-31/tags/{Resource}",                                     "ListTags", 200),
    ("POST",   "/2017-03-31/tags/{Resource}",                                     "TagResource", 204),
    ("DELETE", "/2017-03-31/tags/{Resource}",                                     "UntagResource", 204),
    ("PUT",    "/2017-10-31/functions/{FunctionName}/concurrency",                "PutFunctionConcurrency", 200),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency",                "DeleteFunctionConcurrency", 204),
    ("GET",    "/2018-10-31/layers",                                              "ListLayers", 200),
    ("GET",    "/2018-10-31/layers/{LayerName}/versions",                         "ListLayerVersions", 200),
    ("POST",   "/2018-10-31/layers/{LayerName}/versions",                         "PublishLayerVersion", 201),
    ("GET",    "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}",         "GetLayerVersion", 200),
    ("DELETE", "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}",         "DeleteLayerVersion", 204),
    ("GET",    "/2019-09-30/functions/{FunctionName}/concurrency",                "GetFunctionConcurrency", 200),
    ("GET",    "/2021-07-20/functions/{FunctionName}/runtime-management-config",   "GetRuntimeManagementConfig", 200),
    ("PUT",    "/2021-07-20/functions/{FunctionName}/runtime-management-config",   "PutRuntimeManagementConfig", 200),
];

/// The operations of one path.
type Methods = Vec<(&'static str, &'static str, u16)>;

/// Answers a request.
pub async fn serve(aws: &Arc<Aws>, caller: &Caller, request: &Request) -> Response {
    let (operation, status, path) = match route(request) {
        Ok(route) => route,
        Err(e) => return error(&e, &request.id),
    };
    if operation == "Invoke" {
        return match invocation(request, &path) {
            Ok(invocation) => match aws.lambda.invoke(aws, caller, invocation).await {
                Ok(invoked) => answered(invoked, &request.id),
                Err(e) => error(&e, &request.id),
            },
            Err(e) => error(&e, &request.id),
        };
    }
    let result = match input(request, path) {
        Ok(input) => aws.call(caller, Service::Lambda, operation, input).await,
        Err(e) => Err(e),
    };
    match result {
        Ok(_) if status == 204 => response(204, "", "", &request.id),
        Ok(output) => response(status, "application/json", output.to_string(), &request.id),
        Err(e) => error(&e, &request.id),
    }
}

/// An error as Lambda writes it: its shapes disagree on the case of `message`, so both are there.
pub fn error(error: &ApiError, id: &str) -> Response {
    let mut body = Map::new();
    body.insert("Type".to_owned(), if error.status < 500 { "User" } else { "Service" }.into());
    body.insert("Message".to_owned(), error.message.clone().into());
    body.insert("message".to_owned(), error.message.clone().into());
    body.extend(error.details.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    let mut response = response(error.status, "application/json", Value::Object(body).to_string(), id);
    set(&mut response, "x-amzn-errortype", &error.code);
    if let Some((_, seconds)) = error.details.iter().find(|(name, _)| name == "retryAfterSeconds") {
        set(&mut response, "retry-after", seconds);
    }
    response
}

fn router() -> &'static Router<Methods> {
    static ROUTER: OnceLock<Router<Methods>> = OnceLock::new();
    ROUTER.get_or_init(|| {
        let mut router = Router::new();
        for (_, path, ..) in ROUTES {
            if router.at(path).is_err() {
                let methods = ROUTES.iter().filter(|(_, p, ..)| p == path).map(|(m, _, o, s)| (*m, *o, *s));
                router
                    .insert(*path, methods.collect())
                    .expect("paths of the table do not contradict each other");
            }
        }
        router
    })
}

/// The operation, the status of its success, and the members in the path.
fn route(request: &Request) -> Result<(&'static str, u16, Map<String, Value>)> {
    let unknown = |status| {
        let message =
            format!("the local endpoint knows no Lambda operation {} {}", request.method, request.path);
        ApiError::new(status, "UnknownOperationException", message)
    };
    let path = request.path.strip_suffix('/').unwrap_or(&request.path);
    let found = router().at(path).map_err(|_| unknown(404))?;
    let method = found.value.iter().find(|(method, ..)| *method == request.method.as_str());
    let (_, operation, status) = method.ok_or_else(|| unknown(405))?;
    let mut members = Map::new();
    for (name, value) in found.params.iter() {
        let value = percent_decode_str(value).decode_utf8().map_err(|_| unknown(404))?;
        members.insert(name.to_owned(), value.into());
    }
    Ok((operation, *status, members))
}

/// The operation that a request asks for and the function it names, both empty for what is none.
pub fn named(request: &Request) -> (String, Option<String>) {
    match route(request) {
        Ok((operation, _, members)) => {
            let function = members.get("FunctionName").and_then(Value::as_str);
            (operation.to_owned(), function.map(str::to_owned))
        }
        Err(_) => (String::new(), None),
    }
}

/// The members of path, query and body together.
fn input(request: &Request, path: Map<String, Value>) -> Result<Value> {
    let has_body = request.method == Method::POST || request.method == Method::PUT;
    let body = if has_body { json::input(&request.body)? } else { Value::Object(Map::new()) };
    let Value::Object(mut input) = body else { return Ok(body) };
    for (name, value) in request.parameters() {
        match name.as_str() {
            "tagKeys" => match input.entry("TagKeys").or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(keys) => keys.push(value.into()),
                other => *other = value.into(),
            },
            "MaxItems" => {
                let number: i64 = value.parse().map_err(|_| {
                    let message = format!("MaxItems must be a number, not \"{value}\"");
                    ApiError::new(400, "InvalidParameterValueException", message)
                })?;
                input.insert(name, number.into());
            }
            _ => {
                input.insert(name, value.into());
            }
        }
    }
    input.extend(path);
    Ok(Value::Object(input))
}

fn invocation(request: &Request, path: &Map<String, Value>) -> Result<Invocation> {
    let invalid = |message: String| ApiError::new(400, "InvalidParameterValueException", message);
    let invocation_type = match request.header("x-amz-invocation-type") {
        None | Some("" | "RequestResponse") => InvocationType::RequestResponse,
        Some("Event") => InvocationType::Event,
        Some("DryRun") => InvocationType::DryRun,
        Some(other) => {
            return Err(invalid(format!(
                "the invocation type must be RequestResponse, Event or DryRun, not \"{other}\""
            )));
        }
    };
    let log_tail = match request.header("x-amz-log-type") {
        None | Some("" | "None") => false,
        Some("Tail") => true,
        Some(other) => return Err(invalid(format!("the log type must be None or Tail, not \"{other}\""))),
    };
    let qualifier = request.parameters().into_iter().find(|(name, _)| name == "Qualifier");
    Ok(Invocation {
        function: path.get("FunctionName").and_then(Value::as_str).unwrap_or_default().to_owned(),
        qualifier: qualifier.map(|(_, value)| value),
        payload: request.body.clone(),
        log_tail,
        invocation_type,
        client_context: request.header("x-amz-client-context").map(str::to_owned),
    })
}

fn answered(invoked: Invoked, id: &str) -> Response {
    let mut response = response(invoked.status, "application/json", invoked.payload, id);
    let headers = [
        ("x-amz-executed-version", Some(invoked.executed_version)),
        ("x-amz-function-error", invoked.function_error),
        ("x-amz-log-result", invoked.log_result),
    ];
    for (name, value) in headers {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            set(&mut response, name, &value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn request(method: Method, path: &str, query: &str, body: &str) -> Request {
        Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
            id: String::new(),
        }
    }

    #[test]
    fn every_route_leads_to_its_operation() {
        for (method, path, operation, status) in ROUTES {
            let path = path.replace(['{', '}'], "");
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            for path in [path.clone(), format!("{path}/")] {
                let (found, code, _) = route(&request(method.clone(), &path, "", "")).unwrap();
                assert_eq!((found, code), (*operation, *status), "{method} {path}");
            }
        }
    }

    #[test]
    fn members_come_from_path_query_and_body() {
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";
        let request = request(
            Method::PUT,
            &format!("/2015-03-31/functions/{arn}/aliases/live"),
            "Qualifier=1&MaxItems=5",
            r#"{"FunctionVersion":"2","Name":"other"}"#,
        );
        let (operation, _, path) = route(&request).unwrap();
        assert_eq!(operation, "UpdateAlias");
        let expected = json!({
            "FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f",
            "Name": "live",
            "Qualifier": "1",
            "MaxItems": 5,
            "FunctionVersion": "2",
        });
        assert_eq!(input(&request, path).unwrap(), expected);
    }

    #[test]
    fn repeated_tag_keys_are_a_list() {
        let request = request(Method::DELETE, "/2017-03-31/tags/arn", "tagKeys=a&tagKeys=b", "");
        let (_, _, path) = route(&request).unwrap();
        assert_eq!(input(&request, path).unwrap()["TagKeys"], json!(["a", "b"]));
    }

    #[test]
    fn what_is_no_route_is_said() {
        let status = |method, path| route(&request(method, path, "", "")).unwrap_err().status;
        assert_eq!(status(Method::GET, "/2015-03-31/nothing"), 404);
        assert_eq!(status(Method::PATCH, "/2015-03-31/functions"), 405);
        assert_eq!(status(Method::GET, "/2015-03-31/functions/%ff"), 404);
    }
}
