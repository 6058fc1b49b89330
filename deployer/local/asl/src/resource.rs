//! What a Task may call: the kinds of `Resource` that definitions may name.

use serde_json::{Map, Value};

/// The integrations there are: service, action and the parameters they need.
const INTEGRATIONS: [(&str, &str, &[&str]); 4] = [
    ("lambda", "invoke", &["FunctionName"]),
    ("states", "startExecution", &["StateMachineArn"]),
    ("states", "startExecution.sync", &["StateMachineArn"]),
    ("states", "startExecution.sync:2", &["StateMachineArn"]),
];

/// A Task's `Resource`, which the world carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A Lambda function by its ARN, with or without qualifier. The task's input is the function's event.
    Function(String),
    /// `arn:aws:states:::SERVICE:ACTION`. The task's input is the action's parameters.
    Integration {
        /// The service, `lambda` or `states`.
        service: &'static str,
        /// The action, such as `invoke` or `startExecution.sync:2`.
        action: &'static str,
    },
}

impl Resource {
    /// Reads a `Resource`.
    ///
    /// # Errors
    /// That it is no ARN, or none that can be carried out.
    pub fn parse(text: &str) -> Result<Self, String> {
        if function(text) {
            return Ok(Self::Function(text.to_owned()));
        }
        let called = text.strip_prefix("arn:aws:states:::");
        let known = INTEGRATIONS.iter().find(|(service, action, _)| {
            called.is_some_and(|called| called == format!("{service}:{action}"))
        });
        match (known, text.starts_with("arn:aws:states:")) {
            (Some((service, action, _)), _) => Ok(Self::Integration { service, action }),
            (None, true) => Err(format!(
                "only Lambda functions can be run, by their ARN or by 'arn:aws:states:::lambda:invoke', and state machines, by \
                 'arn:aws:states:::states:startExecution' with or without '.sync' or '.sync:2', not '{text}'"
            )),
            (None, false) => Err(format!("Value is not a valid resource ARN: '{text}'")),
        }
    }

    /// As AWS names the task in errors: the function's ARN, or the service.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Function(arn) => arn,
            Self::Integration { service, .. } => service,
        }
    }

    /// The parameters, written down or computed, that it needs and that are not there.
    pub(crate) fn missing(&self, parameters: Option<&Map<String, Value>>) -> Vec<&'static str> {
        let Self::Integration { service, action } = self else { return Vec::new() };
        let known = INTEGRATIONS.iter().find(|(s, a, _)| (s, a) == (service, action));
        let given = |name: &str| {
            parameters.is_some_and(|p| p.contains_key(name) || p.contains_key(&format!("{name}.$")))
        };
        known
            .map(|(.., needed)| needed.iter().copied().filter(|name| !given(name)).collect())
            .unwrap_or_default()
    }
}

/// As written.
impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Function(arn) => f.write_str(arn),
            Self::Integration { service, action } => write!(f, "arn:aws:states:::{service}:{action}"),
        }
    }
}

/// Whether it is a Lambda function's ARN, perhaps with a qualifier.
fn function(arn: &str) -> bool {
    let part = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_$.".contains(c))
    };
    match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "lambda", region, account, "function", rest @ ..] => {
            partition.starts_with("aws")
                && part(region)
                && account.len() == 12
                && account.chars().all(|c| c.is_ascii_digit())
                && (1..=2).contains(&rest.len())
                && rest.iter().all(|text| part(text))
        }
        _ => false,
    }
}
