//! Configurations of buckets: documents that are returned as they were put. Over HTTP they come as XML (policies as
//! JSON); a call inside the process may give the structure that the SDKs have for it, which is turned into that XML.

use serde_json::{Value, json};

use super::{BUCKETS, Bucket, allowed, missing_bucket};
use crate::params::Params;
use crate::protocol::xml::Xml;
use crate::protocol::xml_in::Element;
use crate::{ApiError, Aws, Caller, Result, iam};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One kind of configuration.
pub struct Kind {
    /// The subresource in the query.
    pub subresource: &'static str,
    /// What operations call it: `Put…`, `Get…`, `Delete…`.
    operation: &'static str,
    /// The operation that deletes it, where its name is another's; empty where there is none.
    delete: &'static str,
    /// The input's member, and the document's root.
    member: &'static str,
    /// The action of reading it without `s3:Get`, and of writing it without `s3:Put`.
    action: &'static str,
    /// What is in force when none was put: a document, or the code of the error.
    otherwise: Otherwise,
}

enum Otherwise {
    Document(&'static str),
    Missing(&'static str),
}

use Otherwise::{Document, Missing};

/// The kinds there are.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind { subresource: "versioning", operation: "BucketVersioning", delete: "", member: "VersioningConfiguration", action: "BucketVersioning", otherwise: Document("") },
    Kind { subresource: "encryption", operation: "BucketEncryption", delete: "DeleteBucketEncryption", member: "ServerSideEncryptionConfiguration", action: "EncryptionConfiguration", otherwise: Document("<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>") },
    Kind { subresource: "publicAccessBlock", operation: "PublicAccessBlock", delete: "DeletePublicAccessBlock", member: "PublicAccessBlockConfiguration", action: "BucketPublicAccessBlock", otherwise: Document("<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>") },
    Kind { subresource: "lifecycle", operation: "BucketLifecycleConfiguration", delete: "DeleteBucketLifecycle", member: "LifecycleConfiguration", action: "LifecycleConfiguration", otherwise: Missing("NoSuchLifecycleConfiguration") },
    Kind { subresource: "policy", operation: "BucketPolicy", delete: "DeleteBucketPolicy", member: "Policy", action: "BucketPolicy", otherwise: Missing("NoSuchBucketPolicy") },
    Kind { subresource: "tagging", operation: "BucketTagging", delete: "DeleteBucketTagging", member: "Tagging", action: "BucketTagging", otherwise: Missing("NoSuchTagSet") },
    Kind { subresource: "ownershipControls", operation: "BucketOwnershipControls", delete: "DeleteBucketOwnershipControls", member: "OwnershipControls", action: "BucketOwnershipControls", otherwise: Document("<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>") },
];

impl Kind {
    /// The operation of an HTTP method on the subresource.
    pub fn operation_of(&self, method: &::http::Method) -> Option<String> {
        match method.as_str() {
            "GET" => Some(format!("Get{}", self.operation)),
            "PUT" => Some(format!("Put{}", self.operation)),
            "DELETE" if !self.delete.is_empty() => Some(self.delete.to_owned()),
            _ => None,
        }
    }
}

/// Performs an operation, when it is one on a configuration. What is read comes as `Document`.
pub fn call(aws: &Aws, caller: &Caller, operation: &str, params: Params<'_>) -> Option<Result<Value>> {
    KINDS.iter().find_map(|kind| {
        if operation == kind.delete {
            return Some(change(aws, caller, kind, params, None));
        }
        match operation.strip_suffix(kind.operation)? {
            "Get" => Some(get(aws, caller, kind, params)),
            "Put" => Some(document(kind, params).and_then(|d| change(aws, caller, kind, params, Some(d)))),
            _ => None,
        }
    })
}

fn get(aws: &Aws, caller: &Caller, kind: &Kind, params: Params<'_>) -> Result<Value> {
    let name = params.text("Bucket")?;
    let bucket = allowed(aws, caller, &format!("s3:Get{}", kind.action), name, None)?;
    let document = match (bucket.configurations.get(kind.subresource), &kind.otherwise) {
        (Some(document), _) => document.clone(),
        (None, Document(content)) => format!("<{0} xmlns=\"{NAMESPACE}\">{content}</{0}>", kind.member),
        (None, Missing(code)) => {
            let message = format!("The bucket has no {} configuration", kind.subresource);
            return Err(ApiError::new(404, *code, message).with("BucketName", name));
        }
    };
    Ok(json!({"Document": document}))
}

fn change(
    aws: &Aws,
    caller: &Caller,
    kind: &Kind,
    params: Params<'_>,
    document: Option<String>,
) -> Result<Value> {
    let name = params.text("Bucket")?;
    // Only policies have an action of their own for their end.
    let verb = if document.is_none() && kind.subresource == "policy" { "Delete" } else { "Put" };
    allowed(aws, caller, &format!("s3:{verb}{}", kind.action), name, None)?;
    aws.store.transaction(|records| {
        let mut bucket: Bucket = records.get(BUCKETS, name).ok_or_else(|| missing_bucket(name))?;
        let Some(document) = document else {
            bucket.configurations.remove(kind.subresource);
            records.put(BUCKETS, name, &bucket);
            return Ok(json!({}));
        };
        if kind.subresource == "policy" && blocks(&bucket, "BlockPublicPolicy") && is_public(&document) {
            let message = format!(
                "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::{name}\" because \
                 public policies are blocked by the BlockPublicPolicy block public access setting.",
                caller.arn(&aws.settings.account)
            );
            return Err(ApiError::new(403, "AccessDenied", message));
        }
        bucket.configurations.insert(kind.subresource.to_owned(), document);
        records.put(BUCKETS, name, &bucket);
        Ok(json!({}))
    })
}

/// The document that was sent, when it is what it should be.
fn document(kind: &Kind, params: Params<'_>) -> Result<String> {
    if kind.subresource == "policy" {
        let malformed = |message: String| ApiError::new(400, "MalformedPolicy", message);
        let member = if params.get("Document").is_some() { "Document" } else { "Policy" };
        let policy = params.document(member).map_err(|e| malformed(e.message))?;
        iam::check_resource_policy(&policy).map_err(malformed)?;
        return Ok(policy.to_string());
    }
    let malformed = |why: String| {
        let message = format!(
            "The XML you provided was not well-formed or did not validate against our published schema: {why}"
        );
        ApiError::new(400, "MalformedXML", message)
    };
    let text = match (params.optional_text("Document")?, params.get(kind.member)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(structure @ Value::Object(_))) => {
            Xml::document(kind.member, NAMESPACE, |xml| structured(xml, structure))
        }
        _ => return Err(malformed(format!("'{}' is missing", kind.member))),
    };
    let root = Element::parse(&text).map_err(malformed)?;
    if root.name != kind.member {
        return Err(malformed(format!("the root must be {}, not {}", kind.member, root.name)));
    }
    Ok(text)
}

/// The SDKs' structure as S3's XML: a list is its elements one after the other, named in the singular; `TagSet` alone has
/// an element around its.
fn structured(xml: &mut Xml, structure: &Value) {
    for (name, value) in structure.as_object().into_iter().flatten() {
        match value {
            Value::Array(list) => {
                let elements = |xml: &mut Xml, name: &str| list.iter().for_each(|v| element(xml, name, v));
                match name.as_str() {
                    "TagSet" => xml.element("TagSet", |xml| elements(xml, "Tag")),
                    _ => elements(xml, name.strip_suffix('s').unwrap_or(name)),
                }
            }
            _ => element(xml, name, value),
        }
    }
}

fn element(xml: &mut Xml, name: &str, value: &Value) {
    match value {
        Value::Object(_) => xml.element(name, |xml| structured(xml, value)),
        other => xml.json(name, other),
    }
}

/// The policy of a bucket as far as it is in force for a caller: a public one is not for those outside the account when
/// `RestrictPublicBuckets` is set.
pub fn effective_policy(bucket: &Bucket, caller: &Caller) -> Option<Value> {
    let text = bucket.configurations.get("policy")?;
    let outside = matches!(caller, Caller::Anonymous);
    if outside && blocks(bucket, "RestrictPublicBuckets") && is_public(text) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The KMS key that a bucket's encryption names for objects that name none.
pub fn default_key(bucket: &Bucket) -> Option<String> {
    let document = Element::parse(bucket.configurations.get("encryption")?).ok()?;
    let rule = document.children_named("Rule").next()?;
    let by_default = rule.children_named("ApplyServerSideEncryptionByDefault").next()?;
    by_default.child_text("KMSMasterKeyID").map(|key| key.trim().to_owned())
}

/// Whether a setting of the public access block is on, as all are until said otherwise.
fn blocks(bucket: &Bucket, setting: &str) -> bool {
    let Some(document) = bucket.configurations.get("publicAccessBlock") else { return true };
    let document = Element::parse(document).unwrap_or_default();
    document.child_text(setting).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// Whether a statement allows everybody something, unconditionally.
fn is_public(policy: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    statements.iter().any(|statement| {
        let everybody = |principal: &Value| match principal {
            Value::String(name) => name == "*",
            Value::Array(names) => names.iter().any(|n| n == "*"),
            _ => false,
        };
        let principal = &statement["Principal"];
        statement["Effect"] == "Allow"
            && statement.get("Condition").is_none()
            && (everybody(principal) || everybody(&principal["AWS"]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_become_the_xml_that_s3_has_for_them() {
        let xml = |value: Value| {
            Xml::plain("R", |xml| structured(xml, &value)).split_once('\n').unwrap().1.to_owned()
        };
        assert_eq!(
            xml(json!({"Rules": [{"ID": "a", "Filter": {"Prefix": ""}, "Transitions": [{"Days": 3}]}]})),
            "<R><Rule><ID>a</ID><Filter><Prefix></Prefix></Filter><Transition><Days>3</Days></Transition></Rule></R>"
        );
        assert_eq!(
            xml(json!({"TagSet": [{"Key": "k", "Value": "v"}]})),
            "<R><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></R>"
        );
    }
}
