//! The decision about a request from all documents that speak about it.

use std::fmt;

use crate::document::{Policy, Principal, Request, Verdict};

/// The documents that speak about a request.
#[derive(Debug, Default, Clone, Copy)]
pub struct Documents<'a> {
    /// The policies of the role or user who asks.
    pub identity: &'a [Policy],
    /// The permissions boundary of the role or user: what it does not allow is refused. Inside `Some`, an empty list is
    /// a boundary that allows nothing.
    pub boundary: Option<&'a [Policy]>,
    /// The policy of the resource, which allows by itself whom it names.
    pub resource: Option<&'a Policy>,
}

/// Why a request is refused; displayed as the end of AWS's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    action: String,
    explicit: bool,
    by: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, explicit, by } = self;
        if *explicit {
            let article = if *by == "identity-based policy" { "an" } else { "a" };
            write!(f, "with an explicit deny in {article} {by}")
        } else {
            write!(f, "because no {by} allows the {action} action")
        }
    }
}

impl std::error::Error for Refusal {}

const IDENTITY: &str = "identity-based policy";
const RESOURCE: &str = "resource-based policy";
const BOUNDARY: &str = "permissions boundary";

/// Decides about a request: a denial anywhere wins; else the boundary must allow it, and the identity's or the
/// resource's policies as well.
///
/// # Errors
/// The refusal, which names the kind of policy it comes from.
pub fn decide(request: &Request<'_>, documents: &Documents<'_>) -> Result<(), Refusal> {
    let said = |policies: &[Policy]| {
        policies.iter().map(|policy| policy.verdict(request)).max().unwrap_or(Verdict::Silent)
    };
    let identity = said(documents.identity);
    let resource = documents.resource.map_or(Verdict::Silent, |policy| policy.verdict(request));
    let boundary = documents.boundary.map_or(Verdict::Allowed, said);

    let refuse = |explicit, by| Err(Refusal { action: request.action.to_owned(), explicit, by });
    for (verdict, by) in [(identity, IDENTITY), (resource, RESOURCE), (boundary, BOUNDARY)] {
        if verdict == Verdict::Denied {
            return refuse(true, by);
        }
    }
    if identity != Verdict::Allowed && resource != Verdict::Allowed {
        let known = matches!(request.principal, Principal::Iam(_));
        return refuse(false, if known { IDENTITY } else { RESOURCE });
    }
    if boundary != Verdict::Allowed {
        return refuse(false, BOUNDARY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Context, Kind};

    fn policy(effect: &str, action: &str) -> [Policy; 1] {
        let statement = json!({"Effect": effect, "Action": action, "Resource": "*"});
        [Policy::parse(&json!({"Version": "2012-10-17", "Statement": statement}), Kind::Identity).unwrap()]
    }

    #[test]
    fn every_kind_of_policy_has_its_say() {
        let (all, one, deny) =
            (policy("Allow", "*"), policy("Allow", "s3:GetObject"), policy("Deny", "s3:*"));
        let arns = ["arn:aws:iam::1:role/r"];
        let context = Context::new(&[]);
        let decided = |documents: &Documents<'_>| {
            let request = Request {
                action: "s3:PutObject",
                resource: "arn:aws:s3:::b/k",
                principal: Principal::Iam(&arns),
                context: &context,
            };
            decide(&request, documents).map_err(|refusal| refusal.to_string())
        };
        let identity = Documents { identity: &all, ..Documents::default() };
        assert_eq!(decided(&identity), Ok(()));
        for (documents, words) in [
            (Documents::default(), "because no identity-based policy allows the s3:PutObject action"),
            (Documents { identity: &deny, ..identity }, "with an explicit deny in an identity-based policy"),
            (
                Documents { boundary: Some(&one), ..identity },
                "because no permissions boundary allows the s3:PutObject action",
            ),
            (
                Documents { boundary: Some(&deny), ..identity },
                "with an explicit deny in a permissions boundary",
            ),
        ] {
            assert_eq!(decided(&documents), Err(words.to_owned()));
        }
    }
}
