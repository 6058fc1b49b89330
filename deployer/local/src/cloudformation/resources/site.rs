//! Where a handler works: for which resource of which stack, as whom, and how its service's errors become the failures
//! that events show.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{ApiError, Aws, Caller, Service, ids};

/// How often a call is made when its service is throttled, busy or failing, and the first pause, which then doubles.
const ATTEMPTS: u32 = 7;
const PAUSE: Duration = Duration::from_millis(40);

/// The place of a handler's work.
#[derive(Clone)]
pub struct Site {
    /// The services.
    pub aws: Arc<Aws>,
    /// As whom they are called.
    pub caller: Caller,
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// The resource's name in the template.
    pub logical_id: String,
    /// The operation that makes the resource: with the above it decides made-up names.
    pub generation: String,
    /// The token that failures are marked with.
    pub token: String,
    /// The stack's tags.
    pub tags: BTreeMap<String, String>,
    /// Keys of tags that the stack had before and has no more.
    pub stale: Vec<String>,
}

/// Why a handler failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub message: String,
    /// One of CloudFormation's handler error codes, such as `AlreadyExists`.
    pub code: &'static str,
}

impl Failure {
    /// A failure that the properties are to blame for.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: "InvalidRequest" }
    }

    /// As the reason of a resource's status reads.
    #[must_use]
    pub fn reason(&self, token: &str) -> String {
        format!(
            "Resource handler returned message: \"{}\" (RequestToken: {token}, HandlerErrorCode: {})",
            self.message, self.code
        )
    }

    fn of(service: Service, error: &ApiError) -> Self {
        let code = code(error);
        let message = format!(
            "{} (Service: {service:?}, Status Code: {}, Request ID: {})",
            error.message,
            error.status,
            ids::uuid()
        );
        Self { message, code }
    }
}

fn code(error: &ApiError) -> &'static str {
    let name = error.code.as_str();
    let says = |part: &str| error.message.to_ascii_lowercase().contains(part);
    if error.status == 404
        || name.contains("NotFound")
        || name.contains("NoSuch")
        || name.ends_with("DoesNotExist")
    {
        "NotFound"
    } else if name.contains("AlreadyExist")
        || name.contains("AlreadyOwned")
        || (name.contains("Conflict") && says("already exist"))
    {
        "AlreadyExists"
    } else if name.contains("AccessDenied") || name.contains("Unauthorized") || error.status == 403 {
        "AccessDenied"
    } else if name.contains("Throttl")
        || name.contains("TooManyRequests")
        || name == "SlowDown"
        || error.status == 429
    {
        "Throttling"
    } else if error.status >= 500 {
        "ServiceInternalError"
    } else if name.contains("LimitExceeded") {
        "ServiceLimitExceeded"
    } else if name.contains("Conflict") || name.contains("InUse") || name == "BucketNotEmpty" {
        "ResourceConflict"
    } else {
        "InvalidRequest"
    }
}

impl Site {
    /// Calls a service, patiently: throttles, conflicts with what is under way and server errors pass.
    pub fn call(
        &self,
        service: Service,
        operation: &'static str,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send + '_>> {
        Box::pin(async move {
            let mut pause = PAUSE;
            for attempt in 1.. {
                let error = match self.aws.call(&self.caller, service, operation, input.clone()).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                };
                let failure = Failure::of(service, &error);
                let passing = matches!(failure.code, "Throttling" | "ServiceInternalError")
                    || (failure.code == "ResourceConflict" && error.message.contains("in progress"));
                if !passing || attempt == ATTEMPTS {
                    return Err(failure);
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(Failure { message: "the service could not be reached".to_owned(), code: "InternalFailure" })
        })
    }

    /// Calls a service; nothing when what is asked for does not exist.
    ///
    /// # Errors
    /// Any other failure.
    pub async fn find(
        &self,
        service: Service,
        operation: &'static str,
        input: Value,
    ) -> Result<Option<Value>, Failure> {
        match self.call(service, operation, input).await {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.code == "NotFound" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The tags a resource gets: CloudFormation's own, the stack's, then those of its `Tags` property.
    #[must_use]
    pub fn tags(&self, properties: &Value) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        for (name, value) in
            [("stack-name", &self.stack_name), ("stack-id", &self.stack_id), ("logical-id", &self.logical_id)]
        {
            tags.insert(format!("aws:cloudformation:{name}"), value.clone());
        }
        for tag in properties.get("Tags").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(key), Some(value)) = (tag["Key"].as_str(), tag["Value"].as_str()) {
                tags.insert(key.to_owned(), value.to_owned());
            }
        }
        tags
    }

    /// The same as the list of `Key` and `Value` that most services take.
    #[must_use]
    pub fn tag_list(&self, properties: &Value) -> Value {
        self.tags(properties).iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
    }

    /// Brings the tags of a resource, named by a member of the service's operations, from those of one set of properties
    /// to those of another; `tags` are the latter in the service's form.
    ///
    /// # Errors
    /// The service's.
    pub async fn retag(
        &self,
        service: Service,
        (member, id): (&str, &Value),
        tags: Value,
        before: &Value,
        after: &Value,
    ) -> Result<(), Failure> {
        let (untag, tag) =
            if service == Service::Iam { ("UntagRole", "TagRole") } else { ("UntagResource", "TagResource") };
        let is_lower = member.starts_with(|c: char| c.is_ascii_lowercase());
        let (keys, all) = if is_lower { ("tagKeys", "tags") } else { ("TagKeys", "Tags") };
        let dropped = self.dropped_tags(before, after);
        if !dropped.is_empty() {
            self.call(service, untag, json!({member: id, keys: dropped})).await?;
        }
        self.call(service, tag, json!({member: id, all: tags})).await.map(|_| ())
    }

    /// The tag keys that properties named before and no tag names now.
    #[must_use]
    fn dropped_tags(&self, before: &Value, after: &Value) -> Vec<String> {
        let kept = self.tags(after);
        let listed = before.get("Tags").and_then(Value::as_array).into_iter().flatten();
        listed
            .filter_map(|tag| tag["Key"].as_str())
            .chain(self.stale.iter().map(String::as_str))
            .filter(|key| !kept.contains_key(*key))
            .map(str::to_owned)
            .collect()
    }
}

/// A service's tags, as a map or as a list of whatever case, as templates have them. Those of AWS itself are left out.
#[must_use]
pub fn tag_list(tags: &Value) -> Value {
    let pair = |key: &str, value: &Value| json!({"Key": key, "Value": value});
    let list: Vec<Value> = match tags {
        Value::Object(map) => map.iter().map(|(key, value)| pair(key, value)).collect(),
        other => {
            let items = other.as_array().into_iter().flatten();
            let member = |item: &Value, names: [&str; 2]| {
                names.into_iter().find_map(|name| item.get(name).cloned()).unwrap_or_default()
            };
            items
                .map(|item| {
                    pair(
                        member(item, ["Key", "key"]).as_str().unwrap_or_default(),
                        &member(item, ["Value", "value"]),
                    )
                })
                .collect()
        }
    };
    let own = |tag: &Value| !tag["Key"].as_str().unwrap_or_default().starts_with("aws:");
    list.into_iter().filter(own).collect()
}

/// The members of `properties` named here; those not there are left out. Where its service knows one by another name, that
/// follows: `KmsKeyArn=KMSKeyArn`.
#[must_use]
pub fn members(properties: &Value, names: &[&str]) -> Map<String, Value> {
    let member = |name: &&str| {
        let (property, member) = name.split_once('=').unwrap_or((name, name));
        Some((member.to_owned(), properties.get(property)?.clone()))
    };
    names.iter().filter_map(member).collect()
}
