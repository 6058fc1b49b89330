//! Resource policies: who may invoke a function besides those whose own policies allow it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::store::Records;
use crate::{ApiError, Aws, Caller, Result, ids};

use super::Lambda;
use super::errors::{conflict, invalid, no_alias, no_function, not_found, stale_policy};
use super::input::{Constraints, Named, is_word, read};
use super::name::{LATEST, Target, version_number};
use super::record::{ALIAS, Alias, Configuration, FUNCTION, Function, VERSION, alias_id, version_id};

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
    fn constrain(&self) -> Result<()> {
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

    fn statement(&self, resource: &str) -> Result<Value> {
        let principal = self.principal.as_deref().unwrap_or_default();
        let is_account = principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit());
        let principal = if principal == "*" {
            json!("*")
        } else if is_account {
            json!({"AWS": format!("arn:aws:iam::{principal}:root")})
        } else if principal.starts_with("arn:") {
            json!({"AWS": principal})
        } else if [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"]
            .iter()
            .any(|end| principal.ends_with(end))
        {
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
) -> Result<()> {
    let policy = function.and_then(|f| document(f, target.qualifier.as_deref()));
    aws.iam.authorize_with(aws, caller, "lambda:InvokeFunction", &target.arn(aws), &[], policy.as_ref())
}

impl Lambda {
    pub(super) fn add_permission(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Permission = read(input)?;
        input.constrain()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "AddPermission")?;
        if target.qualifier.as_deref() == Some(LATEST) {
            return Err(invalid("We currently do not support adding policies for $LATEST."));
        }
        let statement = input.statement(&target.arn(aws))?;
        aws.store.transaction(|records| {
            let mut function: Function =
                records.get(FUNCTION, &target.name).ok_or_else(|| no_function(target.arn(aws)))?;
            let mut holder = Holder::find(aws, records, &function, &target)?;
            let qualifier = target.qualifier.clone().unwrap_or_default();
            revision_matches(&function, &qualifier, &holder, input.revision_id.as_deref())?;
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
            holder.changed(records, &mut function, &target);
            Ok(json!({"Statement": statement.to_string()}))
        })
    }

    pub(super) fn remove_permission(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Permission = read(input)?;
        let mut constraints = Constraints::default();
        constraints.required("statementId", input.statement_id.as_ref());
        constraints.check()?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "RemovePermission")?;
        aws.store.transaction(|records| {
            let mut function: Function = records
                .get(FUNCTION, &target.name)
                .ok_or_else(|| not_found(format!("No policy found for: {}", target.arn(aws))))?;
            let mut holder = Holder::find(aws, records, &function, &target)?;
            let qualifier = target.qualifier.clone().unwrap_or_default();
            revision_matches(&function, &qualifier, &holder, input.revision_id.as_deref())?;
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
            holder.changed(records, &mut function, &target);
            Ok(json!({}))
        })
    }

    pub(super) fn get_policy(&self, aws: &Aws, caller: &Caller, input: Value) -> Result<Value> {
        let input: Named = read(input)?;
        let target = Target::read(aws, input.function_name.as_deref(), input.qualifier.as_deref())?;
        target.authorize_qualified(aws, caller, "GetPolicy")?;
        // A function that is not there reads as one without a policy.
        let absent = || not_found("The resource you requested does not exist.");
        let function: Function = aws.store.get(FUNCTION, &target.name).ok_or_else(absent)?;
        let policy = document(&function, target.qualifier.as_deref()).ok_or_else(absent)?;
        let qualifier = target.qualifier.as_deref().unwrap_or_default();
        let revision = function.policy_revisions.get(qualifier);
        Ok(json!({"Policy": policy.to_string(), "RevisionId": revision}))
    }
}

/// What a policy belongs to: it gets a new revision when the policy changes.
enum Holder {
    Function,
    Version(u64, Box<Configuration>),
    Alias(Alias),
}

impl Holder {
    fn find(aws: &Aws, records: &Records<'_>, function: &Function, target: &Target) -> Result<Self> {
        let Some(qualifier) = target.qualifier.as_deref() else { return Ok(Self::Function) };
        if let Some(number) = version_number(qualifier) {
            let version = records.get(VERSION, &version_id(&function.name, number));
            return version
                .map(|version| Self::Version(number, Box::new(version)))
                .ok_or_else(|| no_function(target.arn(aws)));
        }
        let alias = records.get(ALIAS, &alias_id(&function.name, qualifier)).map(Self::Alias);
        // What no alias can be called is looked for among the versions.
        alias.ok_or_else(|| match is_word(qualifier) {
            true => no_alias(target.arn(aws)),
            false => no_function(target.arn(aws)),
        })
    }

    fn revision<'a>(&'a self, function: &'a Function) -> &'a str {
        match self {
            Self::Function => function.latest.revision(),
            Self::Version(_, version) => version.revision(),
            Self::Alias(alias) => &alias.revision,
        }
    }

    /// Gives the holder a new revision, which is its policy's from now on, and writes both.
    fn changed(&mut self, records: &mut Records<'_>, function: &mut Function, target: &Target) {
        match self {
            Self::Function => function.latest.touch(),
            Self::Version(number, version) => {
                version.touch();
                records.put(VERSION, &version_id(&function.name, *number), version);
            }
            Self::Alias(alias) => {
                alias.revision = ids::uuid();
                records.put(ALIAS, &alias_id(&function.name, &alias.name), alias);
            }
        }
        let qualifier = target.qualifier.clone().unwrap_or_default();
        if function.policies.contains_key(&qualifier) {
            let revision = self.revision(function).to_owned();
            function.policy_revisions.insert(qualifier, revision);
        } else {
            function.policy_revisions.remove(&qualifier);
        }
        records.put(FUNCTION, &function.name, function);
    }
}

/// A policy has a revision of its own: publishing, for example, changes the function's and not the policy's. Before there
/// is a policy it is its holder's.
fn revision_matches(
    function: &Function,
    qualifier: &str,
    holder: &Holder,
    revision: Option<&str>,
) -> Result<()> {
    let own = function.policy_revisions.get(qualifier).map(String::as_str);
    match revision {
        Some(r) if r != own.unwrap_or_else(|| holder.revision(function)) => Err(stale_policy()),
        _ => Ok(()),
    }
}
