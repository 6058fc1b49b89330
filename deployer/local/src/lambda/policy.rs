//! Resource policies: who may invoke a function besides those whose own policies allow it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ApiError, Aws, Caller};

use super::Lambda;
use super::errors::{conflict, invalid, no_function, not_found, stale_revision};

use super::input::{Constraints, Named, is_word, read};
use super::name::{LATEST, Target, version_number};
use super::record::{ALIAS, Alias, FUNCTION, Function, VERSION, alias_id, version_id};

const POLICY_LIMIT: usize = 20 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Permission {
    function_name: Option<String>,
    qualifier: Option<String>,
    statement_id: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    source_arn: Option<String>,
    source_account: Option<String>,
    event_source_token: Option<String>,
    #[serde(rename = "PrincipalOrgID")]
    principal_org_id: Option<String>,
    function_url_auth_type: Option<String>,
    revision_id: Option<String>,
}

impl Permission {
    fn constrain(&self) -> Result<(), ApiError> {
        let mut constraints = Constraints::default();
        constraints.required("statementId", self.statement_id.as_ref());
        constraints.required("action", self.action.as_ref());
        constraints.required("principal", self.principal.as_ref());
        if let Some(id) = &self.statement_id {
            constraints.length("statementId", Some(id), 1, 100);
            constraints.pattern("statementId", id, is_word(id), "([a-zA-Z0-9-_]+)");
        }
        if let Some(action) = &self.action {
            let named = action.strip_prefix("lambda:");
            let holds = action == "*"
                || named.is_some_and(|a| {
                    a == "*" || (!a.is_empty() && a.bytes().all(|b| b.is_ascii_alphabetic()))
                });
            constraints.pattern("action", action, holds, "(lambda:[*]|lambda:[a-zA-Z]+|[*])");
        }
        if let Some(account) = &self.source_account {
            let holds = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            constraints.pattern("sourceAccount", account, holds, "\\d{12}");
        }
        constraints.one_of(
            "functionUrlAuthType",
            self.function_url_auth_type.as_deref(),
            &["NONE", "AWS_IAM"],
        );
        constraints.check()
    }

    fn statement(&self, resource: &str) -> Result<Value, ApiError> {
        let principal = self.principal.as_deref().unwrap_or_default();
        let is_account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
        let principal = if principal == "*" {
            json!("*")
        } else if is_account {
            json!({"AWS": format!("arn:aws:iam::{principal}:root")})
        } else if principal.starts_with("arn:") {
            json!({"AWS": principal})
        } else if principal.contains('.') {
            json!({"Service": principal})
        } else {
            return Err(invalid(
                "The provided principal was invalid. Please check the principal and try again.",
            ));
        };
        let mut statement = json!({
            "Sid": self.statement_id,
            "Effect": "Allow",
            "Principal": principal,
            "Action": self.action,
            "Resource": resource,
        });
        let mut equals = serde_json::Map::new();
        let mut equal = |key: &str, value: &Option<String>| {
            if let Some(value) = value {
                equals.insert(key.to_owned(), json!(value));
            }
        };
        equal("AWS:SourceAccount", &self.source_account);
        equal("lambda:EventSourceToken", &self.event_source_token);
        equal("aws:PrincipalOrgID", &self.principal_org_id);
        equal("lambda:FunctionUrlAuthType", &self.function_url_auth_type);
        let mut condition = serde_json::Map::new();
        if !equals.is_empty() {
            condition.insert("StringEquals".to_owned(), Value::Object(equals));
        }
        if let Some(source) = &self.source_arn {
            condition.insert("ArnLike".to_owned(), json!({"AWS:SourceArn": source}));
        }
        if !condition.is_empty() {
            statement["Condition"] = Value::Object(condition);
        }
        Ok(statement)
    }
}

/// The policy of a function, or of one of its versions or aliases; `None` when it has no statement.
pub fn document(function: &Function, qualifier: Option<&str>) -> Option<Value> {
    let statements = function.policies.get(qualifier.unwrap_or_default())?;
    Some(json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}))
}

/// Decides whether a caller may invoke what `target` names: by its own policies, or by the resource's.
///
/// # Errors
/// `AccessDeniedException`.
pub fn authorize_invoke(
    aws: &Aws,
    caller: &Caller,
    target: &Target,
    function: Option<&Function>,
) -> Result<(), ApiError> {
    let policy = function.and_then(|f| document(f, target.qualifier.as_deref()));
    aws.iam.authorize_with(aws, caller, "lambda:InvokeFunction", &target.arn(aws), &[], policy.as_ref())
}

impl Lambda {
    pub(super) fn add_permission(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value, ApiError> {
        let input: Permission = read(input)?;
        input.constrain()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "AddPermission")?;
        if target.qualifier.as_deref() == Some(LATEST) {
            return Err(invalid(
                "We currently do not support adding policies for $LATEST version's. Please add a policy for the \
                 unqualified function ARN or published version/alias.",
            ));
        }
        let statement = input.statement(&target.arn(aws))?;
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            if let Some(q) = target.qualifier.as_deref() {
                let there = match version_number(q) {
                    Some(n) => {
                        records.get::<Value>(VERSION, &version_id(&target.name, n)).is_some()
                    }
                    None => records.get::<Alias>(ALIAS, &alias_id(&target.name, q)).is_some(),
                };
                if !there {
                    return Err(no_function(target.arn(aws)));
                }
            }
            revision_matches(&function, input.revision_id.as_deref())?;
            let qualifier = target.qualifier.clone().unwrap_or_default();
            let statements = function.policies.entry(qualifier).or_default();
            if statements.iter().any(|s| s["Sid"] == statement["Sid"]) {
                return Err(conflict(format!(
                    "The statement id ({}) provided already exists. Please provide a new statement id, or remove the \
                     existing statement.",
                    statement["Sid"].as_str().unwrap_or_default()
                )));
            }
            statements.push(statement.clone());
            let length = json!(statements).to_string().len();
            if length > POLICY_LIMIT {
                return Err(ApiError::new(
                    400,
                    "PolicyLengthExceededException",
                    format!("The final policy size ({length}) is bigger than the limit ({POLICY_LIMIT})."),
                ));
            }
            function.latest.touch();
            records.put(FUNCTION, &target.name, &function);
            Ok(json!({"Statement": statement.to_string()}))
        })
    }

    pub(super) fn remove_permission(
        &self,
        aws: &Aws,
        caller: &Caller,
        input: Value,
    ) -> Result<Value, ApiError> {
        let input: Permission = read(input)?;
        let mut constraints = Constraints::default();
        constraints.required("statementId", input.statement_id.as_ref());
        constraints.check()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "RemovePermission")?;
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            let qualifier = target.qualifier.clone().unwrap_or_default();
            let Some(statements) = function.policies.get_mut(&qualifier) else {
                return Err(not_found("No policy is associated with the given resource."));
            };
            let before = statements.len();
            statements.retain(|s| s["Sid"].as_str() != input.statement_id.as_deref());
            if statements.len() == before {
                return Err(not_found(format!(
                    "Statement {} is not found in resource policy.",
                    input.statement_id.as_deref().unwrap_or_default()
                )));
            }
            if statements.is_empty() {
                function.policies.remove(&qualifier);
            }
            revision_matches(&function, input.revision_id.as_deref())?;
            function.latest.touch();
            records.put(FUNCTION, &target.name, &function);
            Ok(json!({}))
        })
    }

    pub(super) fn get_policy(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value, ApiError> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "GetPolicy")?;
        let function = self.function(aws, &target)?;
        let policy = document(&function, target.qualifier.as_deref())
            .ok_or_else(|| not_found("The resource you requested does not exist."))?;
        Ok(json!({"Policy": policy.to_string(), "RevisionId": function.latest.revision()}))
    }
}

fn revision_matches(function: &Function, revision: Option<&str>) -> Result<(), ApiError> {
    match revision {
        Some(r) if r != function.latest.revision() => Err(stale_revision()),
        _ => Ok(()),
    }
}
