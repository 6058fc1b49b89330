//! A second opinion on the intrinsic functions, written from CloudFormation's documentation and not from the crate.

use serde_json::Value;

/// The text that `Fn::Sub` gives when every `${name}` has the value `<name>`.
pub fn substitute(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let after = &rest[start + 2..];
        let end = after.find('}').unwrap_or_else(|| panic!("no closing brace in {text:?}"));
        match after[..end].strip_prefix('!') {
            Some(literal) => out.push_str(&format!("${{{literal}}}")),
            None => out.push_str(&format!("<{}>", &after[..end])),
        }
        rest = &after[end + 1..];
    }
    out + rest
}

/// The text that a value stands for: literals, `Ref`, `Fn::GetAtt`, `Fn::Sub` and `Fn::Join` of those.
pub fn text(value: &Value) -> String {
    if let Value::String(text) = value {
        return text.clone();
    }
    let function = value.as_object().unwrap_or_else(|| panic!("{value} is no text"));
    assert_eq!(function.len(), 1, "{value} is no intrinsic function");
    let (name, argument) = function.iter().next().unwrap();
    match name.as_str() {
        "Ref" => format!("<{}>", argument.as_str().unwrap()),
        "Fn::GetAtt" => format!("<{}.{}>", argument[0].as_str().unwrap(), argument[1].as_str().unwrap()),
        "Fn::Sub" => substitute(argument.as_str().unwrap()),
        "Fn::Join" => {
            let parts: Vec<String> = argument[1].as_array().unwrap().iter().map(text).collect();
            parts.join(argument[0].as_str().unwrap())
        }
        "Fn::Select" | "Fn::Split" | "Fn::If" => format!("<{value}>"),
        other => panic!("unexpected {other}"),
    }
}
