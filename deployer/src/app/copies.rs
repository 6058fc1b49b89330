//! What copies of functions need, where the stack makes any: a bucket that their code goes through, and a log group.

use constructs::logs::LogGroup;
use constructs::s3::Bucket;
use constructs::{Grant, Handle, Stack, Val, pseudo, text};

use super::COPIES_BUCKET;
use super::parameters::Choices;

/// What the functions use of it.
pub(super) struct Copies {
    bucket: Handle<Bucket>,
    log_group: Handle<LogGroup>,
}

/// Adds bucket and log group.
pub(super) fn add(stack: &mut Stack, choices: &Choices) -> Copies {
    // A run deletes its own object; what a run that died has left goes after a day.
    let bucket = stack.add_if(&choices.makes_copies, COPIES_BUCKET, Bucket { expire_after_days: Some(1) });
    let log_group = stack.add_if(
        &choices.makes_copies,
        "copiesLogGroup",
        LogGroup {
            name: text!["/aws/lambda/", pseudo::stack_name(), "-copies"],
            retention_in_days: choices.log_group_retention_in_days.clone(),
        },
    );
    Copies { bucket, log_group }
}

impl Copies {
    /// Leave to do something with objects in the bucket.
    pub(super) fn objects<const N: usize>(&self, choices: &Choices, actions: [&str; N]) -> Grant {
        self.bucket.grant_on_objects(actions).only_if(&choices.makes_copies)
    }

    /// What decides whether a function can be copied.
    pub(super) fn rules(choices: &Choices) -> Vec<(&'static str, Val<String>)> {
        vec![
            ("copies", only(choices, &choices.copies)),
            ("copyRole", only(choices, &choices.copy_role)),
            ("copyableRoles", only(choices, choices.copyable_roles.join(","))),
            ("codeBucket", only(choices, &choices.code_bucket)),
        ]
    }

    /// Where the code goes.
    pub(super) fn code(&self, choices: &Choices) -> (&'static str, Val<String>) {
        ("copyBucket", only(choices, self.bucket.name()))
    }

    /// What whoever makes copies has to know.
    pub(super) fn places(&self, choices: &Choices) -> Vec<(&'static str, Val<String>)> {
        vec![
            self.code(choices),
            ("copyLogGroup", only(choices, self.log_group.name())),
            ("copyStack", only(choices, pseudo::stack_name())),
        ]
    }
}

/// A variable that there is only where copies are made.
pub(super) fn only(choices: &Choices, value: impl Into<Val<String>>) -> Val<String> {
    Val::only_if(&choices.makes_copies, value)
}
