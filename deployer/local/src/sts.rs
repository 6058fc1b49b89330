//! Who a caller is, and taking on roles.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::accounts::account_of;
use crate::api::{Entry, Protocol};
use crate::params::Params;
use crate::{Aws, Caller, Result, Service};

pub(crate) static ENTRY: Entry = Entry::new(
    Service::Sts,
    "sts",
    Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/"),
    |aws, caller, operation, input| Box::pin(call(aws, caller, operation, input)),
);

async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value> {
    let params = Params::new(&input, "ValidationError");
    match operation {
        // Needs no permission, and cannot be denied.
        "GetCallerIdentity" => {
            let account = aws.settings.account.as_str();
            Ok(json!({"Arn": caller.arn(account), "UserId": user_id(aws, caller), "Account": account}))
        }
        "AssumeRole" => assume_role(aws, caller, params).await,
        _ => Err(Service::Sts.unknown(operation)),
    }
}

/// What AssumeRole can be given on AWS and the endpoint's sessions do not have: ignoring one would give a session more
/// than was asked for.
const REFUSED: [&str; 8] = [
    "Policy",
    "PolicyArns",
    "ProvidedContexts",
    "SerialNumber",
    "SourceIdentity",
    "Tags",
    "TokenCode",
    "TransitiveTagKeys",
];

async fn assume_role(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value> {
    let arn = params.text("RoleArn")?;
    if !is_arn(arn) {
        return Err(params.invalid(format!("{arn} is invalid")));
    }
    let session = session_name(params)?;
    let seconds = params.number("DurationSeconds", 900..=43_200)?.unwrap_or(3600);
    params.refuse(&REFUSED, "leave it out, or put what it restricts into the role's policies")?;
    let external_id = params.optional_text("ExternalId")?;
    // One that does not exist and one that trusts nobody are the same to whoever asks.
    let theirs = aws.account(account_of(arn), false).await.ok();
    aws.iam.may_assume(aws, theirs.as_deref(), caller, arn, external_id)?;
    let aws = theirs.as_ref().unwrap_or(aws);
    if aws.iam.longest_session(aws, arn).is_some_and(|longest| seconds > longest) {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(params.invalid(message));
    }
    let credentials = aws.iam.session_for(aws, arn, session, seconds)?;
    let caller = Caller::Role { arn: arn.to_owned(), session: session.to_owned() };
    let expiration = jiff::Timestamp::from_second(credentials.expiration).unwrap_or(jiff::Timestamp::MAX);
    Ok(json!({
        "AssumedRoleUser": {"AssumedRoleId": user_id(aws, &caller), "Arn": caller.arn(&aws.settings.account)},
        "Credentials": {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": expiration.to_string(),
        },
        "PackedPolicySize": 0,
    }))
}

/// Whether a text has an ARN's six parts and names partition, service and resource.
fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, service, _, _, resource]
        if !partition.is_empty() && !service.is_empty() && !resource.is_empty())
}

fn session_name<'a>(params: Params<'a>) -> Result<&'a str> {
    let name = params.text("RoleSessionName")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let constraint = match name.chars().count() {
        _ if !name.chars().all(fits) => r"satisfy regular expression pattern: [\w+=,.@-]*",
        ..2 => "have length greater than or equal to 2",
        65.. => "have length less than or equal to 64",
        _ => return Ok(name),
    };
    Err(params.invalid(format!(
        "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must \
         {constraint}"
    )))
}

fn user_id(aws: &Aws, caller: &Caller) -> String {
    match caller {
        Caller::Role { arn, session } => {
            let id = aws.iam.role_id(aws, arn).unwrap_or_else(|| "AROAUNKNOWN".to_owned());
            format!("{id}:{session}")
        }
        _ => "AIDAOWNEROFTHEACCOUNT".to_owned(),
    }
}
