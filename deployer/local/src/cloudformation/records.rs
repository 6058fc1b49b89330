//! What is kept of stacks: the stack itself, its resources, its events and its change sets, each a record of the
//! [`crate::store`], so that an operation can be taken up again after a kill at any moment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Caller, ids};
use template::eval::Pseudo;

/// A moment as AWS writes it, `2026-11-04T10:11:12.345Z`.
pub type Time = String;

/// The present moment.
#[must_use]
pub fn now() -> Time {
    written(jiff::Timestamp::now())
}

/// A moment as AWS writes it.
pub fn written(moment: jiff::Timestamp) -> Time {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Kinds of records. Resources and events are keyed `STACK-UUID/…`.
pub mod kind {
    /// [`super::Stack`] by UUID.
    pub const STACK: &str = "stack";
    /// The UUID of the stack that has a name now.
    pub const NAME: &str = "stack-name";
    /// [`super::Resource`] by `UUID/LOGICAL-ID`.
    pub const RESOURCE: &str = "stack-resource";
    /// [`super::Event`] by `UUID/TIME`.
    pub const EVENT: &str = "stack-event";
    /// [`super::ChangeSet`] by `STACK-UUID/UUID`.
    pub const CHANGE_SET: &str = "stack-change-set";
    /// [`crate::cloudformation::drift::Drift`] by `UUID/LOGICAL-ID`.
    pub const DRIFT: &str = "stack-drift";
    /// [`crate::cloudformation::drift::Detection`] by `UUID/ID`.
    pub const DETECTION: &str = "stack-drift-detection";
}

/// What a stack was last asked to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The template as it was given.
    pub template: String,
    /// Every parameter of the template with its value, defaults included.
    pub parameters: BTreeMap<String, String>,
    /// What the Parameter Store had for the parameters that name one of its own.
    #[serde(default)]
    pub stored: BTreeMap<String, String>,
    /// Tags of the stack, passed on to its resources.
    pub tags: BTreeMap<String, String>,
    /// Acknowledged capabilities.
    pub capabilities: Vec<String>,
    /// The role whose session makes the changes.
    pub role_arn: Option<String>,
}

impl Wanted {
    /// What `Ref` gives for the parameters.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, String> {
        self.parameters
            .iter()
            .chain(&self.stored)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    /// The last part of the ARN.
    pub uuid: String,
    /// The ARN.
    pub id: String,
    /// The name.
    pub name: String,
    /// One of AWS's stack statuses, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status.
    pub status_reason: Option<String>,
    /// When it was created.
    pub created: Time,
    /// When its last update began.
    pub updated: Option<Time>,
    /// When its deletion began.
    pub deleted: Option<Time>,
    /// What it is, or is becoming.
    pub wanted: Wanted,
    /// The outputs of the last finished operation.
    pub outputs: Vec<Output>,
    /// Names of other stacks' exports that its template imports.
    pub imports: BTreeSet<String>,
    /// The change set executed last.
    pub change_set: Option<String>,
    /// Whether a failed operation is left as it is.
    pub disable_rollback: bool,
    /// Whether it must not be deleted.
    pub termination_protection: bool,
    /// What is being done to it, if anything.
    pub operation: Option<Operation>,
    /// The operation that failed and was not, or not wholly, undone.
    pub suspended: Option<Operation>,
}

/// An output's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its logical id.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it is.
    pub description: Option<String>,
    /// The name other stacks import it by.
    pub export: Option<String>,
}

/// What an operation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Making a new stack's resources.
    Create,
    /// Deleting what a failed creation made.
    CreateRollback,
    /// Bringing resources to a new template.
    Update,
    /// Deleting what an update replaced or dropped.
    UpdateCleanup,
    /// Bringing resources back to the former template.
    UpdateRollback,
    /// Deleting what the failed update made.
    UpdateRollbackCleanup,
    /// Deleting everything.
    Delete,
}

/// What becomes of a stack whose creation or update fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It is brought back to where it was.
    Rollback,
    /// A new stack is deleted.
    Delete,
    /// It stays as the failure left it.
    DoNothing,
}

/// A creation, update or deletion, from its request to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    /// Identifies it, and with it the resources it has dealt with.
    pub id: String,
    /// The client's token, repeated in every event.
    pub token: Option<String>,
    /// What it is at.
    pub phase: Phase,
    /// What becomes of the stack when it fails.
    pub on_failure: OnFailure,
    /// What an update goes back to when it fails.
    pub before: Option<Wanted>,
    /// Logical ids that a deletion leaves alone, or a continued rollback skips.
    pub skip: BTreeSet<String>,
    /// Whether it is to end early: the stack is being deleted while it is created.
    pub interrupted: bool,
    /// The change set it executes, `STACK-UUID/UUID`.
    pub change_set: Option<String>,
    /// The role session it was asked from, when the stack has no role of its own.
    pub caller: Option<(String, String)>,
    /// Whether what was changed outside CloudFormation is put right, too.
    #[serde(default)]
    pub revert: bool,
}

impl Stack {
    /// The pseudo parameters of its template.
    #[must_use]
    pub fn pseudo(&self) -> Pseudo {
        let mut arn = self.id.split(':').skip(3);
        Pseudo {
            region: arn.next().unwrap_or_default().to_owned(),
            account: arn.next().unwrap_or_default().to_owned(),
            stack_id: self.id.clone(),
            stack_name: self.name.clone(),
            ..Pseudo::default()
        }
    }
}

impl Operation {
    /// A new operation.
    #[must_use]
    pub fn new(phase: Phase, token: Option<String>, caller: &Caller) -> Self {
        Self {
            id: ids::uuid(),
            token,
            phase,
            on_failure: OnFailure::Rollback,
            before: None,
            skip: BTreeSet::new(),
            interrupted: false,
            change_set: None,
            caller: match caller {
                Caller::Role { arn, session } => Some((arn.clone(), session.clone())),
                _ => None,
            },
            revert: false,
        }
    }

    /// Who acts on the services: the stack's role, or else who asked for the operation.
    #[must_use]
    pub fn acts_as(&self, wanted: &Wanted) -> Caller {
        match (&wanted.role_arn, &self.caller) {
            (Some(arn), _) => Caller::Role { arn: arn.clone(), session: "AWSCloudFormation".to_owned() },
            (None, Some((arn, session))) => Caller::Role { arn: arn.clone(), session: session.clone() },
            (None, None) => Caller::Owner,
        }
    }
}

/// A real thing that a logical id stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incarnation {
    /// Its physical id.
    pub id: String,
    /// The properties it was made or last updated with, checked and in their own types.
    pub properties: Value,
    /// The tags of the stack it was made or last updated with.
    pub tags: BTreeMap<String, String>,
    /// What `Fn::GetAtt` answers.
    pub attributes: Map<String, Value>,
    /// Whether it is known to exist. One that is being created may.
    pub exists: bool,
}

/// How far the operation named in [`Resource::operation`] is with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Its handler may have been called.
    Begun,
    /// It is as wanted.
    Done,
    /// It is not.
    Failed,
}

/// A resource of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, `AWS::SERVICE::THING`.
    pub kind: String,
    /// One of AWS's resource statuses, such as `CREATE_COMPLETE`.
    pub status: String,
    /// Why it has that status.
    pub status_reason: Option<String>,
    /// When the status changed.
    pub updated: Time,
    /// The physical id that is shown: the current one, or the last there was.
    pub physical_id: Option<String>,
    /// What the logical id stands for.
    pub current: Option<Incarnation>,
    /// During an update what the logical id stood for before; during the clean-up after a rollback the replacement to
    /// be deleted. Its deletion is due when its id is not the current one's.
    pub before: Option<Incarnation>,
    /// The operation that dealt with it last.
    pub operation: String,
    /// How far that operation is with it.
    pub progress: Progress,
    /// Logical ids it was made after, and is deleted before.
    pub dependencies: BTreeSet<String>,
    /// `Delete`, `Retain` or `RetainExceptOnCreate`.
    pub deletion_policy: Option<String>,
    /// `Delete` or `Retain`.
    pub replace_policy: Option<String>,
    /// The template's metadata for it.
    pub metadata: Option<Value>,
}

/// Something that happened to a stack or a resource of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    /// The event's id.
    pub id: String,
    /// The resource's logical id, or the stack's name.
    pub logical_id: String,
    /// The physical id as far as it is known.
    pub physical_id: String,
    /// The type, `AWS::CloudFormation::Stack` for the stack.
    pub kind: String,
    /// When.
    pub time: Time,
    /// The status that began.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// The resource's properties, as JSON text.
    pub properties: Option<String>,
    /// The client's token.
    pub token: Option<String>,
}

/// A proposed creation or update.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeSet {
    /// `STACK-UUID/UUID`.
    pub key: String,
    /// The ARN.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it creates the stack.
    pub creates: bool,
    /// `CREATE_COMPLETE` or `FAILED`.
    pub status: String,
    /// Why it failed.
    pub status_reason: Option<String>,
    /// `AVAILABLE`, `UNAVAILABLE`, `EXECUTE_IN_PROGRESS`, `EXECUTE_COMPLETE`, `EXECUTE_FAILED` or `OBSOLETE`.
    pub execution_status: String,
    /// When it was made.
    pub created: Time,
    /// What it is for.
    pub description: Option<String>,
    /// What the stack would be.
    pub wanted: Wanted,
    /// What becomes of a new stack when its creation fails.
    pub on_failure: Option<OnFailure>,
    /// The changes, as `DescribeChangeSet` answers them, property values included.
    pub changes: Vec<Value>,
    /// What early validation found, as `DescribeEvents` answers it.
    #[serde(default)]
    pub findings: Vec<Value>,
    /// Why the values that it shows are not complete.
    #[serde(default)]
    pub incomplete: Option<String>,
    /// For one that puts right what was changed outside CloudFormation: the stack's drift when it was made.
    #[serde(default)]
    pub reverts: Option<String>,
}
