//! The query protocol of CloudFormation, IAM and STS: parameters as a form, answers in XML.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::xml::Xml;
use super::{Request, Response, response, set};
use crate::{ApiError, Result};

const MOST_PARAMETERS: usize = 20_000;
const DEEPEST: usize = 16;

/// Answers a request, in XML of a namespace, with what `call` makes of operation and input.
pub async fn serve(
    namespace: &str,
    request: &Request,
    call: impl AsyncFnOnce(&str, Value) -> Result<Value>,
) -> Response {
    let result = match input(request) {
        Ok((operation, input)) => call(&operation, input).await.map(|output| (operation, output)),
        Err(e) => Err(e),
    };
    match result {
        Ok((operation, output)) => {
            let xml = Xml::document(&format!("{operation}Response"), namespace, |xml| {
                xml.element(&format!("{operation}Result"), |xml| xml.members(&output));
                xml.element("ResponseMetadata", |xml| xml.text("RequestId", &request.id));
            });
            response(200, "text/xml", xml, &request.id)
        }
        Err(e) => error(namespace, &e, &request.id),
    }
}

/// An error as the query protocol writes it.
pub fn error(namespace: &str, error: &ApiError, id: &str) -> Response {
    let xml = Xml::document("ErrorResponse", namespace, |xml| {
        xml.element("Error", |xml| {
            xml.text("Type", if error.status < 500 { "Sender" } else { "Receiver" });
            xml.text("Code", &error.code);
            xml.text("Message", &error.message);
            for (name, value) in &error.details {
                xml.text(name, value);
            }
        });
        xml.text("RequestId", id);
    });
    response(error.status, "text/xml", xml, id)
}

/// The same error as services name it that speak newer protocols besides: there a code is the name of a shape.
pub fn newer(error: ApiError) -> ApiError {
    let shape = match error.code.as_str() {
        "AccessDenied" => "AccessDeniedException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "InvalidParameterValue" => "InvalidParameterValueException",
        "MissingParameter" => "MissingRequiredParameterException",
        "Throttling" => "ThrottlingException",
        "ValidationError" => "ValidationException",
        _ => return error,
    };
    ApiError { code: shape.to_owned(), ..error }
}

/// Tells an error's code in the header where such services keep it for clients that know the query protocol's codes.
pub fn keep_code(response: &mut Response, error: &ApiError) {
    let side = if error.status < 500 { "Sender" } else { "Receiver" };
    set(response, "x-amzn-query-error", &format!("{};{side}", error.code));
}

/// The operation that a request asks for, empty for none.
pub fn operation(request: &Request) -> String {
    let mut pairs =
        form_urlencoded::parse(request.query.as_bytes()).chain(form_urlencoded::parse(&request.body));
    pairs.find(|(name, _)| name == "Action").map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The operation and its input.
fn input(request: &Request) -> Result<(String, Value)> {
    let malformed = |message: String| ApiError::new(400, "MalformedQueryString", message);
    let mut root = Node::default();
    let mut operation = None;
    let pairs = form_urlencoded::parse(request.query.as_bytes()).chain(form_urlencoded::parse(&request.body));
    for (count, (name, value)) in pairs.enumerate() {
        if count >= MOST_PARAMETERS {
            return Err(malformed(format!("the request has more than {MOST_PARAMETERS} parameters")));
        }
        match &*name {
            "Action" => operation = Some(value.into_owned()),
            "Version" => {}
            name if name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("X-Amz-")) => {}
            _ => root.put(&name, &value).map_err(malformed)?,
        }
    }
    match operation {
        // It becomes the name of an element.
        Some(name)
            if !name.is_empty() && name.len() <= 100 && name.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            Ok((name, root.into_value()))
        }
        Some(name) => Err(ApiError::new(
            400,
            "InvalidAction",
            format!("The action \"{name}\" is not valid for this endpoint."),
        )),
        None => Err(ApiError::new(400, "MissingAction", "The request is missing an Action parameter.")),
    }
}

/// What the dotted names of parameters describe: texts at the leaves.
#[derive(Default)]
struct Node {
    text: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    fn put(&mut self, name: &str, value: &str) -> Result<(), String> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= DEEPEST {
                return Err(format!("the parameter {name} is nested too deeply"));
            }
            node = node.members.entry(part.to_owned()).or_default();
        }
        match node.text.replace(value.to_owned()) {
            Some(_) => Err(format!("the parameter {name} is given twice")),
            None => Ok(()),
        }
    }

    fn into_value(self) -> Value {
        if self.members.is_empty() {
            return self.text.map_or_else(|| Value::Object(Map::new()), Value::String);
        }
        let only =
            if self.members.len() == 1 { self.members.keys().next().map(String::as_str) } else { None };
        match only {
            Some("member") => {
                Value::Array(self.elements("member").into_iter().map(Self::into_value).collect())
            }
            Some("entry") => {
                let pair = |mut entry: Self| {
                    let key = entry.members.remove("key")?.text?;
                    Some((key, entry.members.remove("value")?.into_value()))
                };
                Value::Object(self.elements("entry").into_iter().filter_map(pair).collect())
            }
            _ => Value::Object(
                self.members.into_iter().map(|(name, node)| (name, node.into_value())).collect(),
            ),
        }
    }

    /// The numbered elements below a name, in their numbers' order.
    fn elements(mut self, name: &str) -> Vec<Self> {
        let list = self.members.remove(name).unwrap_or_default();
        let mut elements: Vec<_> =
            list.members.into_iter().filter_map(|(n, node)| Some((n.parse::<u32>().ok()?, node))).collect();
        elements.sort_by_key(|(number, _)| *number);
        elements.into_iter().map(|(_, node)| node).collect()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &str) -> Result<(String, Value)> {
        input(&Request {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
            id: String::new(),
        })
    }

    #[test]
    fn names_describe_lists_structures_and_maps() {
        let body = "Action=CreateStack&Version=2010-05-15&StackName=s&Capabilities.member.1=CAPABILITY_IAM\
                    &Parameters.member.2.ParameterKey=b&Parameters.member.1.ParameterKey=a\
                    &Parameters.member.10.ParameterKey=c&Tags=&Deep.entry.1.key=k&Deep.entry.1.value=v";
        let (operation, input) = read(body).unwrap();
        assert_eq!(operation, "CreateStack");
        let expected = json!({
            "StackName": "s",
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [{"ParameterKey": "a"}, {"ParameterKey": "b"}, {"ParameterKey": "c"}],
            "Tags": "",
            "Deep": {"k": "v"},
        });
        assert_eq!(input, expected);
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        let code = |body: &str| read(body).unwrap_err().code;
        assert_eq!(code("StackName=s"), "MissingAction");
        assert_eq!(code("Action=<script>"), "InvalidAction");
        assert_eq!(code("Action=A&X=1&X=2"), "MalformedQueryString");
        assert_eq!(code(&format!("Action=A&{}=1", "x.".repeat(1000))), "MalformedQueryString");
    }

    proptest! {
        #[test]
        fn any_form_is_read_or_refused(body in "([A-Za-z.0-9%&=+é]|member|entry|key|value){0,60}") {
            let _ = read(&format!("Action=A&{body}"));
        }
    }
}
