//! The Parameter Store of Systems Manager, as far as templates and the CDK's command look parameters up in it: plain texts under
//! names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{Entry, JSON_1_1, Protocol};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result, Service};

const PARAMETERS: &str = "ssm-parameter";
/// The bytes of a value in AWS's standard tier.
const LONGEST: usize = 4096;
/// How many names GetParameters takes.
pub const MOST_NAMES: usize = 10;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parameter {
    kind: String,
    value: String,
    version: u64,
    /// Seconds since the epoch.
    modified: i64,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// What PutParameter can be given on AWS and is not kept here.
const REFUSED: [&str; 3] = ["AllowedPattern", "KeyId", "Policies"];
/// The characters of a description.
const LONGEST_DESCRIPTION: usize = 1024;

pub(crate) static ENTRY: Entry = Entry::new(
    Service::Ssm,
    "ssm",
    Protocol::Json("AmazonSSM.", JSON_1_1),
    |aws, caller, operation, input| Box::pin(async move { call(aws, caller, operation, &input) }),
);

/// Performs an operation.
///
/// # Errors
/// What AWS would answer.
pub fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    match operation {
        "PutParameter" => put(aws, caller, params),
        "GetParameter" => {
            let name = params.text("Name")?;
            authorize(aws, caller, operation, name)?;
            let (name, parameter) = found(aws, name)?.ok_or_else(missing)?;
            Ok(json!({"Parameter": described(aws, &name, &parameter)}))
        }
        "GetParameters" => get_all(aws, caller, params),
        "DeleteParameter" => {
            let name = params.text("Name")?;
            authorize(aws, caller, operation, name)?;
            aws.store.transaction(|records| {
                records.get::<Parameter>(PARAMETERS, name).ok_or_else(missing)?;
                records.delete(PARAMETERS, name);
                Ok(json!({}))
            })
        }
        "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => {
            tags(aws, caller, operation, params)
        }
        _ => Err(Service::Ssm.unknown(operation)),
    }
}

fn put(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.name("Name", 2048, "_.-/")?;
    check_name(name)?;
    authorize(aws, caller, "PutParameter", name)?;
    // No operation that is here shows it.
    if params.optional_text("Description")?.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        return Err(params.invalid(format!(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less \
             than or equal to {LONGEST_DESCRIPTION}"
        )));
    }
    params.refuse(&REFUSED, "leave it out")?;
    for (member, only) in [("DataType", "text"), ("Tier", "Standard")] {
        if params.optional_text(member)?.is_some_and(|value| value != only) {
            return Err(params.invalid(format!("'{member}' can only be {only} at the local endpoint")));
        }
    }
    let value = params.text("Value")?;
    if value.len() > LONGEST {
        return Err(params.invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter \
             value, upgrade the parameter to use the advanced-parameter tier.",
        ));
    }
    let overwrite = params.flag("Overwrite")?;
    let tags: BTreeMap<String, String> = params.tags("Tags")?.into_iter().collect();
    if overwrite && !tags.is_empty() {
        return Err(params.invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    let given = params.optional_text("Type")?;
    if let Some(kind) = given.filter(|kind| !["String", "StringList"].contains(kind)) {
        return Err(params.invalid(format!(
            "Type is '{kind}', and the local endpoint has no keys to encrypt with: use String or StringList"
        )));
    }
    aws.store.transaction(|records| {
        let former: Option<Parameter> = records.get(PARAMETERS, name);
        if former.is_some() && !overwrite {
            let message = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
            return Err(ApiError::new(400, "ParameterAlreadyExists", message));
        }
        let kind = given.or(former.as_ref().map(|f| f.kind.as_str())).ok_or_else(|| {
            params.invalid("A parameter type is required when you create a parameter.")
        })?;
        let parameter = Parameter {
            kind: kind.to_owned(),
            value: value.to_owned(),
            version: former.as_ref().map_or(1, |f| f.version + 1),
            modified: jiff::Timestamp::now().as_second(),
            tags: former.map_or(tags, |former| former.tags),
        };
        records.put(PARAMETERS, name, &parameter);
        Ok(json!({"Version": parameter.version, "Tier": "Standard"}))
    })
}

fn get_all(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let names = params.texts("Names")?;
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(params.invalid(format!(
            "1 validation error detected: Value '[{}]' at 'names' failed to satisfy constraint: Member must have length \
             less than or equal to {MOST_NAMES}, and greater than or equal to 1",
            names.join(", ")
        )));
    }
    let mut valid = Vec::new();
    let mut invalid = Vec::new();
    for name in names {
        authorize(aws, caller, "GetParameters", name)?;
        match found(aws, name)? {
            Some((name, parameter)) => valid.push(described(aws, &name, &parameter)),
            None => invalid.push(name),
        }
    }
    Ok(json!({"Parameters": valid, "InvalidParameters": invalid}))
}

/// The operations on a parameter's tags.
fn tags(aws: &Aws, caller: &Caller, operation: &str, params: Params<'_>) -> Result<Value> {
    let (kind, name) = (params.text("ResourceType")?, params.text("ResourceId")?);
    if kind != "Parameter" {
        let message =
            format!("{kind} is not a valid resource type at the local endpoint: it has parameters only.");
        return Err(ApiError::new(400, "InvalidResourceType", message));
    }
    authorize(aws, caller, operation, name)?;
    let (added, removed) = (params.tags("Tags")?, params.texts("TagKeys")?);
    aws.store.transaction(|records| {
        let parameter: Option<Parameter> = records.get(PARAMETERS, name);
        let mut parameter = parameter
            .ok_or_else(|| ApiError::new(400, "InvalidResourceId", format!("{name} is not there.")))?;
        match operation {
            "ListTagsForResource" => {
                let tags = parameter.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
                return Ok(json!({"TagList": tags.collect::<Vec<_>>()}));
            }
            "AddTagsToResource" => parameter.tags.extend(added),
            _ => parameter.tags.retain(|key, _| !removed.contains(&key.as_str())),
        }
        records.put(PARAMETERS, name, &parameter);
        Ok(json!({}))
    })
}

/// The parameter that a name or an ARN stands for, with its name.
fn found(aws: &Aws, name: &str) -> Result<Option<(String, Parameter)>> {
    let get = |name: String| aws.store.get(PARAMETERS, &name).map(|parameter| (name, parameter));
    match name.strip_prefix(&aws.arn("ssm", "parameter/")) {
        // An ARN does not say whether the name has a slash before it.
        Some(rest) => Ok(get(format!("/{rest}")).or_else(|| get(rest.to_owned()))),
        None => {
            check_name(name)?;
            Ok(get(name.to_owned()))
        }
    }
}

/// Whether a name that looks like a path is one.
fn check_name(name: &str) -> Result<()> {
    let is_path = name.contains('/');
    if !is_path || (name.starts_with('/') && !name.contains("//")) {
        return Ok(());
    }
    let message = "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
                   sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the \
                   following 3 symbols .-_";
    Err(ApiError::new(400, "ValidationException", message))
}

fn described(aws: &Aws, name: &str, parameter: &Parameter) -> Value {
    json!({
        "ARN": arn(aws, name),
        "DataType": "text",
        "LastModifiedDate": parameter.modified,
        "Name": name,
        "Type": parameter.kind,
        "Value": parameter.value,
        "Version": parameter.version,
    })
}

fn arn(aws: &Aws, name: &str) -> String {
    aws.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

fn authorize(aws: &Aws, caller: &Caller, operation: &str, name: &str) -> Result<()> {
    let arn = if name.starts_with("arn:") { name.to_owned() } else { arn(aws, name) };
    aws.iam.authorize(aws, caller, &format!("ssm:{operation}"), &arn)
}

fn missing() -> ApiError {
    ApiError::new(400, "ParameterNotFound", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Local;

    #[test]
    fn parameters_are_put_read_overwritten_and_deleted() {
        let local = Local::new();
        let ask = |operation: &str, input: Value| call(&local, &Caller::Owner, operation, &input);
        let code = |operation: &str, input: Value| ask(operation, input).unwrap_err().code;
        let put = json!({"Name": "/a/b", "Type": "String", "Value": "one"});
        assert_eq!(ask("PutParameter", put.clone()).unwrap(), json!({"Version": 1, "Tier": "Standard"}));
        assert_eq!(code("PutParameter", put), "ParameterAlreadyExists");
        let again = json!({"Name": "/a/b", "Value": "two", "Overwrite": true});
        assert_eq!(ask("PutParameter", again).unwrap()["Version"], 2);
        let found = ask("GetParameter", json!({"Name": "/a/b"})).unwrap()["Parameter"].clone();
        assert_eq!((&found["Value"], &found["Type"]), (&json!("two"), &json!("String")));
        assert_eq!(found["ARN"], "arn:aws:ssm:us-east-1:000000000000:parameter/a/b");
        let both = ask("GetParameters", json!({"Names": ["/a/b", "c"]})).unwrap();
        assert_eq!(both["Parameters"], json!([found]));
        assert_eq!(both["InvalidParameters"], json!(["c"]));
        ask("DeleteParameter", json!({"Name": "/a/b"})).unwrap();
        assert_eq!(code("GetParameter", json!({"Name": "/a/b"})), "ParameterNotFound");
        assert_eq!(code("DeleteParameter", json!({"Name": "/a/b"})), "ParameterNotFound");
    }

    #[test]
    fn a_parameter_is_named_by_its_arn_too_and_a_path_must_be_one() {
        let local = Local::new();
        let ask = |operation: &str, input: Value| call(&local, &Caller::Owner, operation, &input);
        for name in ["/a/b", "plain"] {
            let input = json!({"Name": name, "Type": "String", "Value": name, "Description": "why"});
            ask("PutParameter", input).unwrap();
            let by_name = ask("GetParameter", json!({"Name": name})).unwrap()["Parameter"].clone();
            let by_arn = ask("GetParameter", json!({"Name": by_name["ARN"]})).unwrap();
            assert_eq!(by_arn["Parameter"], by_name);
            let both = ask("GetParameters", json!({"Names": [by_name["ARN"]]})).unwrap();
            assert_eq!(both, json!({"Parameters": [by_name], "InvalidParameters": []}));
        }
        for name in ["/a//b", "a/b"] {
            for operation in ["GetParameter", "PutParameter"] {
                let input = json!({"Name": name, "Type": "String", "Value": "v"});
                let error = ask(operation, input).unwrap_err();
                assert_eq!(error.code, "ValidationException", "{operation} {name}");
                assert!(error.message.contains("sub-paths divided by slash symbol"), "{error}");
            }
        }
        let long = json!({"Name": "n", "Type": "String", "Value": "v", "Description": "x".repeat(1025)});
        assert!(ask("PutParameter", long).unwrap_err().message.contains("'description'"));
    }

    #[test]
    fn a_parameter_has_tags() {
        let local = Local::new();
        let ask = |operation: &str, input: Value| call(&local, &Caller::Owner, operation, &input);
        let tag = |key: &str| json!([{"Key": key, "Value": "1"}]);
        let put = json!({"Name": "n", "Type": "String", "Value": "v", "Tags": tag("a")});
        ask("PutParameter", put).unwrap();
        let overwritten = json!({"Name": "n", "Value": "w", "Overwrite": true, "Tags": tag("b")});
        let error = ask("PutParameter", overwritten).unwrap_err();
        assert!(error.message.contains("tags and overwrite can't be used together"), "{error}");
        ask("PutParameter", json!({"Name": "n", "Value": "w", "Overwrite": true})).unwrap();
        let of = |more: Value| {
            let mut input = json!({"ResourceType": "Parameter", "ResourceId": "n"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let list = || ask("ListTagsForResource", of(json!({}))).unwrap()["TagList"].clone();
        assert_eq!(list(), tag("a"));
        ask("AddTagsToResource", of(json!({"Tags": tag("b")}))).unwrap();
        ask("RemoveTagsFromResource", of(json!({"TagKeys": ["a"]}))).unwrap();
        assert_eq!(list(), tag("b"));
        let none = ask("ListTagsForResource", of(json!({"ResourceId": "none"}))).unwrap_err();
        assert_eq!(none.code, "InvalidResourceId");
        let document = ask("ListTagsForResource", of(json!({"ResourceType": "Document"}))).unwrap_err();
        assert_eq!(document.code, "InvalidResourceType");
    }

    #[test]
    fn what_a_parameter_cannot_have_is_refused_by_name() {
        let local = Local::new();
        for (member, value) in [
            ("Type", json!("SecureString")),
            ("Tier", json!("Advanced")),
            ("Policies", json!("[]")),
            ("DataType", json!("aws:ec2:image")),
            ("Value", json!("x".repeat(4097))),
        ] {
            let mut input = json!({"Name": "n", "Type": "String", "Value": "v"});
            input[member] = value;
            let error = call(&local, &Caller::Owner, "PutParameter", &input).unwrap_err();
            assert_eq!(error.code, "ValidationException", "{member}");
            assert!(error.message.to_lowercase().contains(&member.to_lowercase()), "{error}");
        }
        let names: Vec<String> = (0..=MOST_NAMES).map(|n| n.to_string()).collect();
        let error = call(&local, &Caller::Owner, "GetParameters", &json!({"Names": names})).unwrap_err();
        assert_eq!(error.code, "ValidationException");
    }

    #[test]
    fn callers_need_permission_on_the_parameter() {
        let local = Local::new();
        let nobody =
            Caller::Role { arn: "arn:aws:iam::000000000000:role/none".to_owned(), session: "s".to_owned() };
        for operation in ["GetParameter", "DeleteParameter"] {
            let error = call(&local, &nobody, operation, &json!({"Name": "n"})).unwrap_err();
            assert!(error.message.contains(&format!("ssm:{operation}")), "{error}");
        }
    }
}
