//! Configurations of buckets: documents that are returned as they were put. Over HTTP they come as XML (policies as
//! JSON); a call inside the process may give the structure that the SDKs have for it, which is turned into that XML.

use serde_json::{Value, json};

use super::{BUCKETS, Bucket, OWN_KEY, allowed, bad_argument, malformed_xml, missing_bucket};
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
    /// What is in force when none was put.
    otherwise: Otherwise,
}

/// An error's code and message.
type Missing = (&'static str, &'static str);

enum Otherwise {
    /// A document's content.
    InForce(&'static str),
    /// A document's content, and the error once that was deleted.
    Deletable(&'static str, Missing),
    /// An error.
    Nothing(Missing),
}

use Otherwise::{Deletable, InForce, Nothing};

/// What a lifecycle is put with beside its document, and the values there are, the default first.
const MINIMUM: &str = "TransitionDefaultMinimumObjectSize";
const MINIMA: [&str; 2] = ["all_storage_classes_128K", "varies_by_storage_class"];

/// In place of a document: that it was deleted, and the default with it.
const DELETED: &str = "";

/// The kinds there are.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind { subresource: "versioning", operation: "BucketVersioning", delete: "", member: "VersioningConfiguration", action: "BucketVersioning", otherwise: InForce("") },
    Kind { subresource: "encryption", operation: "BucketEncryption", delete: "DeleteBucketEncryption", member: "ServerSideEncryptionConfiguration", action: "EncryptionConfiguration", otherwise: InForce("<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>") },
    Kind { subresource: "publicAccessBlock", operation: "PublicAccessBlock", delete: "DeletePublicAccessBlock", member: "PublicAccessBlockConfiguration", action: "BucketPublicAccessBlock", otherwise: Deletable("<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>", ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")) },
    Kind { subresource: "lifecycle", operation: "BucketLifecycleConfiguration", delete: "DeleteBucketLifecycle", member: "LifecycleConfiguration", action: "LifecycleConfiguration", otherwise: Nothing(("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")) },
    Kind { subresource: "policy", operation: "BucketPolicy", delete: "DeleteBucketPolicy", member: "Policy", action: "BucketPolicy", otherwise: Nothing(("NoSuchBucketPolicy", "The bucket policy does not exist")) },
    Kind { subresource: "tagging", operation: "BucketTagging", delete: "DeleteBucketTagging", member: "Tagging", action: "BucketTagging", otherwise: Nothing(("NoSuchTagSet", "The TagSet does not exist")) },
    Kind { subresource: "ownershipControls", operation: "BucketOwnershipControls", delete: "DeleteBucketOwnershipControls", member: "OwnershipControls", action: "BucketOwnershipControls", otherwise: Deletable("<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>", ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")) },
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
            return Some(change(aws, caller, kind, params, false));
        }
        match operation.strip_suffix(kind.operation)? {
            "Get" => Some(get(aws, caller, kind, params)),
            "Put" => Some(change(aws, caller, kind, params, true)),
            _ => None,
        }
    })
}

fn get(aws: &Aws, caller: &Caller, kind: &Kind, params: Params<'_>) -> Result<Value> {
    let name = params.text("Bucket")?;
    let bucket = allowed(aws, caller, &format!("s3:Get{}", kind.action), name, None)?;
    let stored = bucket.configurations.get(kind.subresource);
    let document = match (stored, &kind.otherwise) {
        (Some(document), _) if document != DELETED => document.clone(),
        (None, InForce(content) | Deletable(content, _)) | (Some(_), InForce(content)) => {
            format!("<{0} xmlns=\"{NAMESPACE}\">{content}</{0}>", kind.member)
        }
        (_, Deletable(_, (code, message)) | Nothing((code, message))) => {
            return Err(ApiError::new(404, *code, *message).with("BucketName", name));
        }
    };
    Ok(json!({"Document": document, MINIMUM: minimum(&bucket, kind)}))
}

/// The least size of what a lifecycle moves, where the kind is that.
fn minimum<'a>(bucket: &'a Bucket, kind: &Kind) -> Option<&'a str> {
    let stored = || bucket.configurations.get(MINIMUM).map_or(MINIMA[0], String::as_str);
    (kind.subresource == "lifecycle").then(stored)
}

/// Puts a configuration or deletes it.
fn change(aws: &Aws, caller: &Caller, kind: &Kind, params: Params<'_>, puts: bool) -> Result<Value> {
    let name = params.text("Bucket")?;
    // Only policies have an action of their own for their end.
    let verb = if !puts && kind.subresource == "policy" { "Delete" } else { "Put" };
    allowed(aws, caller, &format!("s3:{verb}{}", kind.action), name, None)?;
    let document = puts.then(|| document(kind, params)).transpose()?;
    let least = params.optional_text(MINIMUM)?.unwrap_or(MINIMA[0]);
    if !MINIMA.contains(&least) {
        let message = format!("Invalid {MINIMUM} found: {least}");
        return Err(ApiError::new(400, "InvalidRequest", message));
    }
    aws.store.transaction(|records| {
        let mut bucket: Bucket = records.get(BUCKETS, name).ok_or_else(|| missing_bucket(name))?;
        let Some(document) = document else {
            match kind.otherwise {
                Deletable(..) => bucket.configurations.insert(kind.subresource.to_owned(), DELETED.to_owned()),
                InForce(_) | Nothing(_) => bucket.configurations.remove(kind.subresource),
            };
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
        if kind.subresource == "lifecycle" {
            bucket.configurations.insert(MINIMUM.to_owned(), least.to_owned());
        }
        records.put(BUCKETS, name, &bucket);
        Ok(json!({MINIMUM: minimum(&bucket, kind)}))
    })
}

/// The document that was sent, when it is what it should be.
fn document(kind: &Kind, params: Params<'_>) -> Result<String> {
    if kind.subresource == "policy" {
        let malformed = |message: &str| ApiError::new(400, "MalformedPolicy", message);
        let member = if params.get("Document").is_some() { "Document" } else { "Policy" };
        let policy = params.document(member).ok().filter(Value::is_object);
        let no_object = "Policies must be valid JSON and the first byte must be '{'";
        let policy = policy.ok_or_else(|| malformed(no_object))?;
        if policy.get("Statement").is_none() {
            return Err(malformed("Missing required field Statement"));
        }
        iam::check_resource_policy(&policy).map_err(|why| malformed(&why))?;
        return Ok(policy.to_string());
    }
    let text = match (params.optional_text("Document")?, params.get(kind.member)) {
        (Some(text), _) => text.to_owned(),
        (None, Some(structure @ Value::Object(_))) => {
            Xml::document(kind.member, NAMESPACE, |xml| structured(xml, structure))
        }
        _ => return Err(malformed_xml()),
    };
    let root = Element::parse(&text).map_err(|_| malformed_xml())?;
    if root.name != kind.member {
        return Err(malformed_xml());
    }
    let tagger = if params.get("Document").is_some() { Tagger::Client } else { Tagger::Service };
    check(kind.subresource, &root, tagger)?;
    match kind.subresource {
        // No tags are the same as none put.
        "tagging" if root.children_named("TagSet").all(|set| set.children.is_empty()) => {
            Ok(DELETED.to_owned())
        }
        // Every setting is there, off unless said otherwise.
        "publicAccessBlock" => Ok(Xml::document(kind.member, NAMESPACE, |xml| {
            for setting in
                ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
            {
                let on =
                    root.child_text(setting).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
                xml.json(setting, &json!(on));
            }
        })),
        _ => Ok(text),
    }
}

/// Whether a document says what AWS's schema lets it say.
fn check(subresource: &str, root: &Element, tagger: Tagger) -> Result<()> {
    let one_of = |text: Option<&str>, values: &[&str]| match text {
        Some(text) if values.contains(&text.trim()) => Ok(()),
        _ => Err(malformed_xml()),
    };
    let only_rule = || {
        let mut rules = root.children_named("Rule");
        rules.next().filter(|_| rules.next().is_none()).ok_or_else(malformed_xml)
    };
    match subresource {
        "versioning" => match root.child_text("Status") {
            None => {
                let message = "The Versioning element must be specified";
                Err(ApiError::new(400, "IllegalVersioningConfigurationException", message))
            }
            status => one_of(status, &["Enabled", "Suspended"]),
        },
        "encryption" => {
            let Some(by_default) = only_rule()?.children_named("ApplyServerSideEncryptionByDefault").next()
            else {
                return Ok(());
            };
            let algorithm = by_default.child_text("SSEAlgorithm");
            one_of(algorithm, &["AES256", "aws:kms", "aws:kms:dsse"])?;
            if algorithm == Some("AES256") && by_default.child_text("KMSMasterKeyID").is_some() {
                let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
                return Err(bad_argument("ApplyServerSideEncryptionByDefault", None, message));
            }
            Ok(())
        }
        "ownershipControls" => one_of(only_rule()?.child_text("ObjectOwnership"), OWNERSHIPS),
        "tagging" => {
            let set = root.children_named("TagSet").flat_map(|set| set.children_named("Tag"));
            let tag = |tag: &Element| {
                let text = |name: &str| tag.child_text(name).map(str::to_owned);
                Some((text("Key")?, text("Value")?))
            };
            let tags: Option<Vec<_>> = set.map(tag).collect();
            check_tags(&tags.ok_or_else(malformed_xml)?, tagger)
        }
        _ => Ok(()),
    }
}

/// Who owns what is put into a bucket.
pub const OWNERSHIPS: &[&str] = &["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

/// Who gives a bucket its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagger {
    /// A client, with a bucket that it makes.
    Maker,
    /// A client.
    Client,
    /// CloudFormation, whose own tags begin with `aws:`.
    Service,
}

/// Whether tags are those that AWS takes.
///
/// # Errors
/// `InvalidTag` with key and value.
pub fn check_tags(tags: &[(String, String)], tagger: Tagger) -> Result<()> {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c));
    for (at, (key, value)) in tags.iter().enumerate() {
        let invalid = |message: &str| Err(ApiError::new(400, "InvalidTag", message).with("TagKey", key));
        if !(1..=128).contains(&key.chars().count()) || !plain(key) {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > 256 || !plain(value) {
            return invalid("The TagValue you have provided is invalid")
                .map_err(|e: ApiError| e.with("TagValue", value));
        }
        if key.starts_with("aws:") && tagger == Tagger::Client {
            return invalid("System tags cannot be added/updated by requester");
        }
        if key.starts_with("aws:") && tagger == Tagger::Maker {
            let message = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. \
                           Remove \"aws:\" from your tag keys and try again.";
            return Err(ApiError::new(400, "InvalidTag", message));
        }
        if tags[..at].iter().any(|(earlier, _)| earlier == key) {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    Ok(())
}

/// A configuration that a bucket is created with, given as the SDKs' structure.
pub fn initial(subresource: &'static str, structure: &Value) -> (String, String) {
    let kind = KINDS.iter().find(|kind| kind.subresource == subresource);
    let member = kind.map_or(subresource, |kind| kind.member);
    (subresource.to_owned(), Xml::document(member, NAMESPACE, |xml| structured(xml, structure)))
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

/// The KMS key that a bucket's encryption names for objects that name none, or AWS's own.
pub fn default_key(bucket: &Bucket) -> Option<String> {
    let document = Element::parse(bucket.configurations.get("encryption")?).ok()?;
    let rule = document.children_named("Rule").next()?;
    let by_default = rule.children_named("ApplyServerSideEncryptionByDefault").next()?;
    let key = by_default.child_text("KMSMasterKeyID").map(str::trim);
    let own = by_default.child_text("SSEAlgorithm").is_some_and(|algorithm| algorithm.trim() == "aws:kms");
    key.or(own.then_some(OWN_KEY.0)).map(str::to_owned)
}

/// Whether a bucket's encryption was put, not the default.
pub fn is_encrypted(bucket: &Bucket) -> bool {
    bucket.configurations.contains_key("encryption")
}

/// Whether a setting of the public access block is on, as all are of a new bucket.
fn blocks(bucket: &Bucket, setting: &str) -> bool {
    let Some(document) = bucket.configurations.get("publicAccessBlock") else { return true };
    // A deleted one blocks nothing.
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
