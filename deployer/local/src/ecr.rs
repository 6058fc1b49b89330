//! Repositories of the Elastic Container Registry, as far as the CDK's bootstrap stack has one: what they are called and what their
//! policies say. Nothing is pushed or pulled here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::{Entry, JSON_1_1, Protocol};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result, Service, iam};

const REPOSITORIES: &str = "ecr-repository";
const NAME: &str = r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Repository {
    /// Seconds since the epoch.
    created: i64,
    mutability: String,
    scan_on_push: bool,
    policy: Option<String>,
    lifecycle: Option<String>,
}

pub(crate) static ENTRY: Entry = Entry::new(
    Service::Ecr,
    "ecr",
    Protocol::Json("AmazonEC2ContainerRegistry_V20150921.", JSON_1_1),
    |aws, caller, operation, input| Box::pin(async move { call(aws, caller, operation, &input) }),
);

/// Performs an operation.
///
/// # Errors
/// What AWS would answer.
pub fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: &Value) -> Result<Value> {
    let params = Params::new(input, "InvalidParameterException");
    match operation {
        "CreateRepository" => create(aws, caller, params),
        "DescribeRepositories" => describe_all(aws, caller, params),
        "DeleteRepository" => {
            let name = allowed(aws, caller, operation, params)?;
            aws.store.transaction(|records| {
                let repository: Repository =
                    records.get(REPOSITORIES, name).ok_or_else(|| missing(aws, name))?;
                records.delete(REPOSITORIES, name);
                Ok(json!({"repository": described(aws, name, &repository)}))
            })
        }
        "PutImageTagMutability" => {
            let mutability = mutability(params)?;
            change(aws, caller, operation, params, |repository, answer| {
                answer["imageTagMutability"] = json!(mutability);
                mutability.clone_into(&mut repository.mutability);
                Ok(())
            })
        }
        "PutImageScanningConfiguration" => {
            let scans = scans(params)?;
            change(aws, caller, operation, params, |repository, answer| {
                answer["imageScanningConfiguration"] = json!({"scanOnPush": scans});
                repository.scan_on_push = scans;
                Ok(())
            })
        }
        "SetRepositoryPolicy" => {
            let text = params.text("policyText")?;
            let document: Option<Value> = serde_json::from_str(text).ok();
            let wrong = |why: &str| {
                params.invalid(format!(
                    "Invalid parameter at 'PolicyText' failed to satisfy constraint: '{why}'"
                ))
            };
            let document = document.ok_or_else(|| wrong("Invalid repository policy provided"))?;
            // A repository's policy is about the repository, and names no resource.
            check_policy(document).map_err(|why| wrong(&why))?;
            change(aws, caller, operation, params, |repository, answer| {
                answer["policyText"] = json!(text);
                repository.policy = Some(text.to_owned());
                Ok(())
            })
        }
        "PutLifecyclePolicy" => {
            let text = params.text("lifecyclePolicyText")?;
            let rules = serde_json::from_str(text).ok().filter(|policy: &Value| policy["rules"].is_array());
            if rules.is_none() {
                let message = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy \
                               validation failure'";
                return Err(params.invalid(message));
            }
            change(aws, caller, operation, params, |repository, answer| {
                answer["lifecyclePolicyText"] = json!(text);
                repository.lifecycle = Some(text.to_owned());
                Ok(())
            })
        }
        "GetRepositoryPolicy" | "DeleteRepositoryPolicy" => {
            text_of(aws, caller, operation, params, |r| &mut r.policy, "policyText")
        }
        "GetLifecyclePolicy" | "DeleteLifecyclePolicy" => {
            text_of(aws, caller, operation, params, |r| &mut r.lifecycle, "lifecyclePolicyText")
        }
        _ => Err(Service::Ecr.unknown(operation)),
    }
}

fn create(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let name = params.text("repositoryName")?;
    aws.iam.authorize(aws, caller, "ecr:CreateRepository", &arn(aws, name))?;
    let fits = (2..=256).contains(&name.len());
    if !fits || !regex_lite::Regex::new(NAME).is_ok_and(|pattern| pattern.is_match(name)) {
        return Err(params.invalid(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
             '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''",
        ));
    }
    params.refuse(&["imageTagMutabilityExclusionFilters", "tags"], "leave it out")?;
    let encryption = params.get("encryptionConfiguration").map(|encryption| &encryption["encryptionType"]);
    if encryption.is_some_and(|kind| kind != "AES256") {
        return Err(params.invalid("the local endpoint encrypts repositories with AES256 only"));
    }
    let repository = Repository {
        created: jiff::Timestamp::now().as_second(),
        mutability: mutability(params)?.to_owned(),
        scan_on_push: scans(params)?,
        policy: None,
        lifecycle: None,
    };
    aws.store.transaction(|records| {
        if records.get::<Repository>(REPOSITORIES, name).is_some() {
            let message = format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                aws.settings.account
            );
            return Err(ApiError::new(400, "RepositoryAlreadyExistsException", message));
        }
        records.put(REPOSITORIES, name, &repository);
        Ok(json!({"repository": described(aws, name, &repository)}))
    })
}

fn describe_all(aws: &Aws, caller: &Caller, params: Params<'_>) -> Result<Value> {
    aws.iam.authorize(aws, caller, "ecr:DescribeRepositories", &arn(aws, "*"))?;
    let names = params.texts("repositoryNames")?;
    let found: Vec<(String, Repository)> = if names.is_empty() {
        aws.store.list(REPOSITORIES)
    } else {
        let get = |name: &&str| {
            let repository = aws.store.get(REPOSITORIES, name).ok_or_else(|| missing(aws, name))?;
            Ok(((*name).to_owned(), repository))
        };
        names.iter().map(get).collect::<Result<_>>()?
    };
    let shown: Vec<Value> = found.iter().map(|(name, repository)| described(aws, name, repository)).collect();
    Ok(json!({"repositories": shown}))
}

/// The name of the repository that is asked about, once the caller is known to be allowed to.
fn allowed<'a>(aws: &Aws, caller: &Caller, operation: &str, params: Params<'a>) -> Result<&'a str> {
    let name = params.text("repositoryName")?;
    aws.iam.authorize(aws, caller, &format!("ecr:{operation}"), &arn(aws, name))?;
    Ok(name)
}

/// Changes a repository and answers with its names and what the change adds.
fn change(
    aws: &Aws,
    caller: &Caller,
    operation: &str,
    params: Params<'_>,
    change: impl FnOnce(&mut Repository, &mut Value) -> Result<()>,
) -> Result<Value> {
    let name = allowed(aws, caller, operation, params)?;
    aws.store.transaction(|records| {
        let mut repository: Repository = records.get(REPOSITORIES, name).ok_or_else(|| missing(aws, name))?;
        let mut answer = json!({"registryId": aws.settings.account, "repositoryName": name});
        change(&mut repository, &mut answer)?;
        records.put(REPOSITORIES, name, &repository);
        Ok(answer)
    })
}

/// Reads one of the texts of a repository, or takes it away.
fn text_of(
    aws: &Aws,
    caller: &Caller,
    operation: &str,
    params: Params<'_>,
    text: fn(&mut Repository) -> &mut Option<String>,
    member: &str,
) -> Result<Value> {
    let name = allowed(aws, caller, operation, params)?;
    let kind = if member == "policyText" { "Repository" } else { "Lifecycle" };
    change(aws, caller, operation, params, |repository, answer| {
        let text = text(repository);
        answer[member] = json!(text.clone().ok_or_else(|| {
            let message = format!(
                "{kind} policy does not exist for the repository with name '{name}' in the registry with id '{}'",
                aws.settings.account
            );
            ApiError::new(400, format!("{kind}PolicyNotFoundException"), message)
        })?);
        if operation.starts_with("Delete") {
            *text = None;
        }
        Ok(())
    })
}

/// Whether a document is a policy once its statements name a resource.
fn check_policy(mut document: Value) -> Result<(), String> {
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for statement in statements.into_iter().filter_map(Value::as_object_mut) {
        statement.entry("Resource").or_insert(json!("*"));
    }
    iam::check_resource_policy(&document)
}

fn mutability<'a>(params: Params<'a>) -> Result<&'a str> {
    match params.optional_text("imageTagMutability")? {
        None => Ok("MUTABLE"),
        Some(known @ ("MUTABLE" | "IMMUTABLE")) => Ok(known),
        Some(other) => Err(params.invalid(format!(
            "1 validation error detected: Value '{other}' at 'imageTagMutability' failed to satisfy constraint: Member must \
             satisfy enum value set at the local endpoint: [MUTABLE, IMMUTABLE]"
        ))),
    }
}

fn scans(params: Params<'_>) -> Result<bool> {
    match params.get("imageScanningConfiguration") {
        None => Ok(false),
        Some(configuration) => Params::new(configuration, "InvalidParameterException").flag("scanOnPush"),
    }
}

fn described(aws: &Aws, name: &str, repository: &Repository) -> Value {
    let (account, region) = (&aws.settings.account, &aws.settings.region);
    json!({
        "repositoryArn": arn(aws, name),
        "registryId": account,
        "repositoryName": name,
        "repositoryUri": format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
        "createdAt": repository.created,
        "imageTagMutability": repository.mutability,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    })
}

fn arn(aws: &Aws, name: &str) -> String {
    aws.arn("ecr", &format!("repository/{name}"))
}

fn missing(aws: &Aws, name: &str) -> ApiError {
    let account = &aws.settings.account;
    let message =
        format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
    ApiError::new(400, "RepositoryNotFoundException", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Local;

    #[test]
    fn a_repository_has_settings_and_policies() {
        let local = Local::new();
        let ask = |operation: &str, input: Value| call(&local, &Caller::Owner, operation, &input);
        let code = |operation: &str, input: Value| ask(operation, input).unwrap_err().code;
        let of = |more: Value| {
            let mut input = json!({"repositoryName": "team/images"});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        assert_eq!(
            code("CreateRepository", json!({"repositoryName": "Images"})),
            "InvalidParameterException"
        );
        let tags = json!({"tags": [{"Key": "a", "Value": "b"}]});
        assert!(ask("CreateRepository", of(tags)).unwrap_err().message.contains("'tags'"));
        assert_eq!(code("PutImageTagMutability", of(json!({}))), "RepositoryNotFoundException");
        let made = ask("CreateRepository", of(json!({}))).unwrap()["repository"].clone();
        assert_eq!(made["repositoryArn"], "arn:aws:ecr:us-east-1:000000000000:repository/team/images");
        assert_eq!(made["repositoryUri"], "000000000000.dkr.ecr.us-east-1.amazonaws.com/team/images");
        assert_eq!(code("CreateRepository", of(json!({}))), "RepositoryAlreadyExistsException");
        ask("PutImageTagMutability", of(json!({"imageTagMutability": "IMMUTABLE"}))).unwrap();
        ask("PutImageScanningConfiguration", of(json!({"imageScanningConfiguration": {"scanOnPush": true}})))
            .unwrap();
        let found = ask("DescribeRepositories", json!({"repositoryNames": ["team/images"]})).unwrap();
        let found = &found["repositories"][0];
        assert_eq!(
            (&found["imageTagMutability"], &found["imageScanningConfiguration"]["scanOnPush"]),
            (&json!("IMMUTABLE"), &json!(true))
        );
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "ecr:BatchGetImage"}]});
        for (put, get, delete, member, text, wrong) in [
            (
                "SetRepositoryPolicy",
                "GetRepositoryPolicy",
                "DeleteRepositoryPolicy",
                "policyText",
                policy.to_string(),
                "{}",
            ),
            (
                "PutLifecyclePolicy",
                "GetLifecyclePolicy",
                "DeleteLifecyclePolicy",
                "lifecyclePolicyText",
                "{\"rules\":[]}".to_owned(),
                "{}",
            ),
        ] {
            assert!(code(get, of(json!({}))).ends_with("PolicyNotFoundException"));
            assert_eq!(code(put, of(json!({member: wrong}))), "InvalidParameterException", "{put}");
            ask(put, of(json!({member: text}))).unwrap();
            assert_eq!(ask(get, of(json!({}))).unwrap()[member], text);
            ask(delete, of(json!({}))).unwrap();
            assert!(code(get, of(json!({}))).ends_with("PolicyNotFoundException"));
        }
        ask("DeleteRepository", of(json!({}))).unwrap();
        assert_eq!(ask("DescribeRepositories", json!({})).unwrap()["repositories"], json!([]));
        let nobody =
            Caller::Role { arn: "arn:aws:iam::000000000000:role/none".to_owned(), session: "s".to_owned() };
        let error = call(&local, &nobody, "DeleteRepository", &of(json!({}))).unwrap_err();
        assert!(error.message.contains("ecr:DeleteRepository"), "{error}");
    }
}
