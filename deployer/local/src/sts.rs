//! Who a caller is, and taking on roles.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::params::Params;
use crate::{ACCOUNT, ApiError, Aws, Caller};

/// Performs an operation of STS.
///
/// # Errors
/// What AWS would answer.
pub async fn call(aws: &Arc<Aws>, caller: &Caller, operation: &str, input: Value) -> Result<Value, ApiError> {
    let params = Params::new(&input, "ValidationError");
    match operation {
        // Needs no permission, and cannot be denied.
        "GetCallerIdentity" => {
            Ok(json!({"Arn": caller.arn(), "UserId": user_id(aws, caller), "Account": ACCOUNT}))
        }
        "AssumeRole" => assume_role(aws, caller, params),
        _ => {
            let message = format!("Could not find operation {operation} for version 2011-06-15");
            Err(ApiError::new(400, "InvalidAction", message))
        }
    }
}

fn assume_role(aws: &Arc<Aws>, caller: &Caller, params: Params<'_>) -> Result<Value, ApiError> {
    let arn = params.text("RoleArn")?;
    let session = params.name("RoleSessionName", 64, "+=,.@-_")?;
    let seconds = params.number("DurationSeconds", 900..=43_200)?.unwrap_or(3600);
    aws.iam.may_assume(aws, caller, arn)?;
    if aws.iam.longest_session(aws, arn).is_some_and(|longest| seconds > longest) {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(params.invalid(message));
    }
    let credentials = aws.iam.session_for(aws, arn, session, seconds)?;
    let caller = Caller::Role { arn: arn.to_owned(), session: session.to_owned() };
    let expiration = jiff::Timestamp::from_second(credentials.expiration).unwrap_or(jiff::Timestamp::MAX);
    Ok(json!({
        "AssumedRoleUser": {"AssumedRoleId": user_id(aws, &caller), "Arn": caller.arn()},
        "Credentials": {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": expiration.to_string(),
        },
        "PackedPolicySize": 0,
    }))
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
