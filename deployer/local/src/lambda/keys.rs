//! Customer-managed keys of the environment variables. The endpoint has no KMS and encrypts nothing; whoever acts needs the
//! permissions on the key that AWS asks for, and hears of it in AWS's words.

use serde_json::{Value, json};

use crate::{ApiError, Aws, Caller, Result};

use super::errors::invalid;
use super::record::Content;

/// Whether the caller may have a grant made on the function's key, which changing such a function can need.
///
/// # Errors
/// `InvalidParameterValueException` with what KMS said.
pub fn check_grant(aws: &Aws, caller: &Caller, content: &Content) -> Result<()> {
    authorized(aws, caller, content, "kms:CreateGrant").map_err(|denied| {
        invalid(format!(
            "Lambda was unable to configure access to your environment variables because the KMS key is invalid for \
             CreateGrant. Please check your KMS key settings. KMS Exception: AccessDeniedException KMS Message: {}",
            denied.message
        ))
    })
}

/// Whether a function's role may read its variables when it starts.
///
/// # Errors
/// `KMSAccessDeniedException`.
pub fn check_start(aws: &Aws, function: &str, content: &Content) -> Result<()> {
    let role = Caller::Role { arn: content.role.clone(), session: function.to_owned() };
    authorized(aws, &role, content, "kms:Decrypt").map_err(|denied| {
        ApiError::new(
            502,
            "KMSAccessDeniedException",
            format!(
                "Lambda was unable to decrypt the environment variables because KMS access was denied. Please check the \
                 function's KMS key settings. KMS Exception: AccessDeniedException KMS Message: {}",
                denied.message
            ),
        )
        .with("Type", "User")
    })
}

/// Hides the variables from a caller who may not decrypt them.
pub fn hide(aws: &Aws, caller: &Caller, content: &Content, shown: &mut Value) {
    if let Err(denied) = authorized(aws, caller, content, "kms:Decrypt") {
        let message = format!(
            "Lambda was unable to decrypt your environment variables because the KMS access was denied. Please check your \
             KMS permissions. KMS Exception: AccessDeniedException KMS Message: {}",
            denied.message
        );
        shown["Environment"] = json!({"Error": {"ErrorCode": "AccessDeniedException", "Message": message}});
    }
}

/// Asks for an action on the key of a function that has one and something to encrypt.
fn authorized(aws: &Aws, caller: &Caller, content: &Content, action: &str) -> Result<()> {
    let Some(key) = content.kms_key.as_deref().filter(|_| content.environment.is_some()) else {
        return Ok(());
    };
    let service = format!("lambda.{}.amazonaws.com", aws.settings.region);
    aws.iam.authorize_with(aws, caller, action, key, &[("kms:ViaService", service.as_str())], None)
}
