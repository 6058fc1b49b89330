//! IAM: roles, made of whom they trust and what was granted to them.

use crate::grant::{Grant, Principal, policy_of};
use crate::node::Node;
use crate::resource::{Handle, Properties, Resource};
use crate::value::{Arn, Val};

/// `AWS::IAM::Role`, with its grants as one inline policy.
#[derive(Debug, Clone)]
pub struct Role {
    /// What the role is for; shown in the console.
    pub description: String,
    /// Who may take it on.
    pub assumed_by: Principal,
    /// What it allows. Grants of the same actions become one statement.
    pub grants: Vec<Grant>,
    /// The most it can ever allow, if somebody sets such a limit.
    pub permissions_boundary: Option<Val<Arn>>,
}

impl Resource for Role {
    fn resource_type(&self) -> &str {
        "AWS::IAM::Role"
    }

    fn properties(&self) -> Properties {
        let properties = Properties::new()
            .set("Description", &Val::<String>::from(self.description.as_str()))
            .set_node("AssumeRolePolicyDocument", self.assumed_by.trust_policy())
            .set_some("PermissionsBoundary", self.permissions_boundary.as_ref());
        if self.grants.is_empty() {
            return properties;
        }
        let policy = Properties::new()
            .set_node("PolicyName", Node::text("grants"))
            .set_node("PolicyDocument", policy_of(&Grant::merged(self.grants.clone())));
        properties.set_node("Policies", Node::List(vec![policy.into_node()]))
    }

    fn problems(&self) -> Vec<String> {
        self.grants.iter().flat_map(Grant::problems).collect()
    }
}

impl Handle<Role> {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> Val<Arn> {
        self.attribute("Arn")
    }
}
