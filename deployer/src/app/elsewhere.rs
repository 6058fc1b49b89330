//! What another account needs whose functions a stack is to tune: one role that this stack's account may assume, named in the
//! stack's `assumableRoles` and in the input's `roleARN`.

use constructs::iam::Role;
use constructs::{Predicate, Principal, Problems, Template};

use super::grants;
use super::parameters;
use crate::options;

/// The output that holds the role's ARN.
pub const ROLE_OUTPUT: &str = "RoleARN";

/// The template of the role for the stacks of an account, twelve digits.
///
/// # Errors
/// None but mistakes in this module.
pub fn synth(trusts: &str) -> Result<Template, Problems> {
    let mut stack = constructs::Stack::new(
        "deployer: lets the power tuning of another account measure this account's Lambda functions",
    );
    let lambda_resource = parameters::text(&mut stack, &options::LAMBDA_RESOURCE);
    let kms_key_arns = parameters::declared(&mut stack, &options::KMS_KEY_ARNS.spec, parameters::texts);
    let any_function = stack.condition("AnyFunction", Predicate::equals(&lambda_resource, "*"));
    let has_keys = stack.condition("UseKmsKeys", Predicate::any_given(&kms_key_arns));
    let role = stack.add(
        "role",
        Role {
            description: format!("deployer: measures this account's functions for the account {trusts}"),
            assumed_by: Principal::account(trusts),
            grants: grants::elsewhere(&lambda_resource, &any_function, &kms_key_arns, &has_keys),
            permissions_boundary: None,
        },
    );
    stack.output(ROLE_OUTPUT, "The role, for assumableRoles and roleARN", &role.arn());
    stack.synth()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_trusts_one_account_and_cannot_delete_a_function() {
        let template: Value = serde_json::from_str(&synth("123456789012").unwrap().to_json()).unwrap();
        let role = &template["Resources"]["role"]["Properties"];
        let trust = &role["AssumeRolePolicyDocument"]["Statement"][0];
        let arn = serde_json::json!({"Fn::Sub": "arn:${AWS::Partition}:iam::123456789012:root"});
        assert_eq!(trust["Principal"]["AWS"], arn);
        let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().unwrap();
        let of = |action: &str| {
            let found =
                |statement: &&Value| statement["Action"].to_string().contains(&format!("\"{action}\""));
            statements.iter().filter(found).collect::<Vec<_>>()
        };
        let deleting = of("lambda:DeleteFunction");
        assert_eq!(deleting.len(), 1);
        // Only of versions.
        assert_eq!(deleting[0]["Action"], serde_json::json!(["lambda:DeleteFunction"]));
        assert!(deleting[0]["Resource"].to_string().contains(":*\""), "{}", deleting[0]);
        assert!(!of("lambda:InvokeFunction").is_empty());
        assert!(of("lambda:CreateFunction").is_empty());
    }
}
