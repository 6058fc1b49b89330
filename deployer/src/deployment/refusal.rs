//! A change set that CloudFormation refuses: its reasons, and what to do about them.

use std::fmt;

use aws_sdk_cloudformation::types::{HookFailureMode, OperationEvent};

use super::watch::remedy;

/// A change set that failed. Its text is everything that was found, because all of it has to be mended.
#[derive(Debug, thiserror::Error)]
pub struct ChangeSetRefused {
    /// `RESOURCE (TYPE): REASON`, oldest first.
    findings: Vec<String>,
    /// What the change set itself says.
    reason: String,
}

impl ChangeSetRefused {
    /// The refusal behind the events of a change set, which AWS hands out newest first. Warnings do not fail one.
    #[must_use]
    pub fn of(events: Vec<OperationEvent>, reason: String) -> Self {
        let findings = events.into_iter().rev().filter_map(finding).collect();
        Self { findings, reason }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        self.findings.iter().find_map(|finding| remedy(finding)).unwrap_or_else(|| {
            "nothing was changed; `deployer synth` writes the template that it is about".to_owned()
        })
    }
}

fn finding(event: OperationEvent) -> Option<String> {
    let modes = [&event.validation_failure_mode, &event.hook_failure_mode];
    if modes.contains(&&Some(HookFailureMode::Warn)) {
        return None;
    }
    let reason = event.validation_status_reason.or(event.hook_status_reason).or(event.resource_status_reason);
    let mut reason = reason.map(|reason| reason.trim_end().to_owned()).filter(|reason| !reason.is_empty())?;
    let resource = event.logical_resource_id?;
    // The path of a resource as a whole says no more than its name.
    let inside = event.validation_path.filter(|path| path.contains("/Properties"));
    if let Some(path) = inside {
        reason = format!("{reason} (at {path})");
    }
    Some(match event.resource_type {
        Some(kind) => format!("{resource} ({kind}): {reason}"),
        None => format!("{resource}: {reason}"),
    })
}

impl fmt::Display for ChangeSetRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return write!(f, "CloudFormation refuses the change set: {}", self.reason);
        }
        f.write_str(&self.findings.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, reason: &str) -> aws_sdk_cloudformation::types::builders::OperationEventBuilder {
        OperationEvent::builder().logical_resource_id(name).validation_status_reason(reason)
    }

    #[test]
    fn all_failures_are_told_oldest_first_and_warnings_are_not() {
        let events = vec![
            event("b", "Required property [X] not found")
                .resource_type("AWS::IAM::Role")
                .validation_path("/Resources/b/Properties")
                .build(),
            event("w", "not empty").validation_failure_mode(HookFailureMode::Warn).build(),
            event("a", "it already exists.").validation_path("/Resources/a").build(),
        ];
        let refused = ChangeSetRefused::of(events, "hooks".to_owned());
        assert_eq!(
            refused.to_string(),
            "a: it already exists.\nb (AWS::IAM::Role): Required property [X] not found (at /Resources/b/Properties)"
        );
        assert!(
            refused.hint().starts_with("something of that name exists outside this stack"),
            "{}",
            refused.hint()
        );
    }

    #[test]
    fn without_events_the_change_set_s_own_reason_is_told() {
        let refused = ChangeSetRefused::of(Vec::new(), "hooks".to_owned());
        assert_eq!(refused.to_string(), "CloudFormation refuses the change set: hooks");
        assert!(refused.hint().starts_with("nothing was changed"));
    }
}
