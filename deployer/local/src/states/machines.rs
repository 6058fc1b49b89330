//! The operations on state machines.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Flow, seconds};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::names::{self, error};
use super::records::{DEFINITION, Definition, MACHINE, Machine, RUNNING, forget_machine};
use super::{millis, nested};
use crate::params::Params;
use crate::{ApiError, Aws, Caller, Result, ids};

/// Characters of a definition, at most.
const LONGEST_DEFINITION: usize = 1_048_576;
/// Tags of a machine, at most.
const MOST_TAGS: usize = 50;
/// Who runs a machine's role.
pub const PRINCIPAL: &str = "states.amazonaws.com";

/// Whether a role lets Step Functions assume it for a machine, under the service's global name or the Region's.
pub fn assumable(aws: &Aws, role: &str, machine: &str) -> bool {
    let regional = format!("states.{}.amazonaws.com", aws.settings.region);
    aws.iam.assumable_for(aws, role, &[PRINCIPAL, &regional], machine)
}

/// Why a machine is not there to be used.
pub fn existing(aws: &Aws, arn: &str) -> Result<Machine> {
    aws.store.get(MACHINE, names::machine(aws, arn)?).ok_or_else(|| names::no_machine(arn))
}

/// Creates a machine; the same one again is the one there is.
pub fn create(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(
        input,
        &[
            "name",
            "definition",
            "roleArn",
            "type",
            "loggingConfiguration",
            "tags",
            "tracingConfiguration",
            "publish",
            "versionDescription",
            "encryptionConfiguration",
        ],
    )?;
    let name = names::checked(params.text("name")?)?;
    let arn = names::machine_arn(aws, name);
    aws.iam.authorize(aws, caller, "states:CreateStateMachine", &arn)?;
    let kind = params.optional_text("type")?.unwrap_or("STANDARD");
    if kind != "STANDARD" {
        let message = format!("the local endpoint runs state machines of the type STANDARD only, not {kind}");
        return Err(error("StateMachineTypeNotSupported", message));
    }
    configured(&params)?;
    let text = params.text("definition")?;
    let flow = validated(text)?;
    let role = role(aws, caller, params.text("roleArn")?, &arn)?;
    nested::managed_rule(aws, role, &flow)?;
    let tags = tags(&params)?;
    if !tags.is_empty() {
        aws.iam.authorize(aws, caller, "states:TagResource", &arn)?;
    }
    let now = Timestamp::now();
    let created = aws.store.transaction(|records| {
        if let Some(there) = records.get::<Machine>(MACHINE, name) {
            let same = records
                .get::<Definition>(DEFINITION, &format!("{name}/{}", there.revision))
                .is_some_and(|definition| definition.text == text);
            return match (there.deleting, same) {
                (true, _) => {
                    Err(error("StateMachineDeleting", format!("State Machine is being deleted: '{arn}'")))
                }
                (false, true) => Ok(there.created),
                (false, false) => {
                    Err(error("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'")))
                }
            };
        }
        forget_machine(records, name);
        let (created, revision) = (now.as_millisecond(), ids::uuid());
        let definition = Definition { text: text.to_owned(), role: role.to_owned(), since: created };
        records.put(DEFINITION, &format!("{name}/{revision}"), &definition);
        let machine =
            Machine { name: name.to_owned(), created, updated: false, revision, tags, deleting: false };
        records.put(MACHINE, name, &machine);
        Ok(created)
    })?;
    Ok(json!({"stateMachineArn": arn, "creationDate": millis(created)}))
}

/// Gives a machine another definition or role; running executions keep theirs.
pub fn update(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(
        input,
        &[
            "stateMachineArn",
            "definition",
            "roleArn",
            "loggingConfiguration",
            "tracingConfiguration",
            "publish",
            "versionDescription",
            "encryptionConfiguration",
        ],
    )?;
    let arn = params.text("stateMachineArn")?;
    aws.iam.authorize(aws, caller, "states:UpdateStateMachine", arn)?;
    let name = names::machine(aws, arn)?;
    configured(&params)?;
    let (text, new_role) = (params.optional_text("definition")?, params.optional_text("roleArn")?);
    let others = ["loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];
    if text.is_none() && new_role.is_none() && others.iter().all(|member| params.get(member).is_none()) {
        return Err(error(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
        ));
    }
    let flow = text.map(validated).transpose()?;
    let new_role = new_role.map(|role_arn| role(aws, caller, role_arn, arn)).transpose()?;
    if let Some(machine) = aws.store.get::<Machine>(MACHINE, name) {
        let old = machine.definition(&aws.store);
        if let Some(flow) = flow.or_else(|| asl::parse(&old.text).ok()) {
            nested::managed_rule(aws, new_role.unwrap_or(&old.role), &flow)?;
        }
    }
    let now = Timestamp::now();
    let revision = aws.store.transaction(|records| {
        let revision = ids::uuid();
        let mut machine: Machine = records.get(MACHINE, name).ok_or_else(|| names::no_machine(arn))?;
        if machine.deleting {
            return Err(error("StateMachineDeleting", format!("State Machine is being deleted: '{arn}'")));
        }
        let old: Option<Definition> = records.get(DEFINITION, &format!("{name}/{}", machine.revision));
        let mut definition = old.ok_or_else(|| names::no_machine(arn))?;
        let same = text.is_none_or(|text| text == definition.text)
            && new_role.is_none_or(|role| role == definition.role);
        if same && machine.updated {
            return Ok(machine.revision);
        }
        definition.since = now.as_millisecond();
        if let Some(text) = text {
            text.clone_into(&mut definition.text);
        }
        if let Some(role) = new_role {
            role.clone_into(&mut definition.role);
        }
        records.put(DEFINITION, &format!("{name}/{revision}"), &definition);
        machine.revision.clone_from(&revision);
        machine.updated = true;
        records.put(MACHINE, name, &machine);
        Ok(revision)
    })?;
    Ok(json!({"updateDate": seconds(now), "revisionId": revision}))
}

/// Describes a machine.
pub fn describe(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["stateMachineArn", "includedData"])?;
    let arn = params.text("stateMachineArn")?;
    aws.iam.authorize(aws, caller, "states:DescribeStateMachine", arn)?;
    let machine = existing(aws, arn)?;
    let mut answer = described(aws, &machine.name, &machine.definition(&aws.store), &params)?;
    answer["status"] = json!(if machine.deleting { "DELETING" } else { "ACTIVE" });
    answer["type"] = json!("STANDARD");
    answer["creationDate"] = millis(machine.created);
    if machine.updated {
        answer["revisionId"] = json!(machine.revision);
    }
    Ok(answer)
}

/// What is said of a definition, as it is now or was for an execution.
pub fn described(aws: &Aws, name: &str, definition: &Definition, params: &Params<'_>) -> Result<Value> {
    let mut answer = json!({
        "stateMachineArn": names::machine_arn(aws, name),
        "name": name,
        "roleArn": definition.role,
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": false},
        "tracingConfiguration": {"enabled": false},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    });
    match params.optional_text("includedData")?.unwrap_or("ALL_DATA") {
        "ALL_DATA" => answer["definition"] = json!(definition.text),
        "METADATA_ONLY" => {}
        other => return Err(one_of("includedData", other, "ALL_DATA, METADATA_ONLY")),
    }
    Ok(answer)
}

/// Lists machines by name.
pub fn list(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["maxResults", "nextToken"])?;
    aws.iam.authorize(aws, caller, "states:ListStateMachines", "*")?;
    let count = page_size(&params)?;
    let after = page_after(&params, 1024)?;
    let mut page = aws.store.range::<Machine>(MACHINE, "", after.as_deref(), count + 1);
    let more = page.len() > count;
    page.truncate(count);
    let machines = page.iter().map(|(_, machine)| {
        json!({
            "stateMachineArn": names::machine_arn(aws, &machine.name), "name": machine.name, "type": "STANDARD",
            "creationDate": millis(machine.created),
        })
    });
    let mut answer = json!({"stateMachines": machines.collect::<Vec<_>>()});
    if let (true, Some((key, _))) = (more, page.last()) {
        answer["nextToken"] = json!(names::token(key));
    }
    Ok(answer)
}

/// Deletes a machine; what runs of it is ended first. Deleting one that is not there is no error.
pub fn delete(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["stateMachineArn"])?;
    let arn = params.text("stateMachineArn")?;
    aws.iam.authorize(aws, caller, "states:DeleteStateMachine", arn)?;
    let name = match names::machine(aws, arn) {
        Ok(name) => name,
        Err(e) if e.code == "InvalidArn" => return Err(e),
        Err(_) => return Ok(json!({})),
    };
    aws.store.transaction(|records| {
        if let Some(mut machine) = records.get::<Machine>(MACHINE, name) {
            machine.deleting = true;
            records.put(MACHINE, name, &machine);
        }
    });
    aws.states.end_all(name, "The state machine was deleted.");
    gone(aws, name);
    Ok(json!({}))
}

/// Removes a machine that is being deleted, once nothing of it runs. Its executions can still be described, as those that
/// clean up after an abort need it, until a machine of this name is created again.
pub fn gone(aws: &Aws, name: &str) {
    let deleting = |machine: Machine| machine.deleting;
    if !aws.store.get::<Machine>(MACHINE, name).is_some_and(deleting) {
        return;
    }
    aws.store.transaction(|records| {
        let still = records.get::<Machine>(MACHINE, name).is_some_and(deleting);
        if still && records.range::<()>(RUNNING, &format!("{name}/"), None, 1).is_empty() {
            records.delete(MACHINE, name);
        }
    });
}

/// Says what is wrong with a definition.
pub fn validate(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    names::only(input, &["definition", "type", "severity", "maxResults"])?;
    aws.iam.authorize(aws, caller, "states:ValidateStateMachineDefinition", "*")?;
    let text = params.text("definition")?;
    let count = match params.number("maxResults", 0..=100)?.unwrap_or(0) {
        0 => 100,
        count => usize::try_from(count).unwrap_or(100),
    };
    let mut diagnostics = asl::parse(text).err().map(|problems| problems.diagnostics()).unwrap_or_default();
    let (result, truncated) = (if diagnostics.is_empty() { "OK" } else { "FAIL" }, diagnostics.len() > count);
    diagnostics.truncate(count);
    Ok(json!({"result": result, "diagnostics": diagnostics, "truncated": truncated}))
}

/// Adds tags to a machine.
pub fn tag(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    let more = tags(&params)?;
    tagged(aws, caller, "states:TagResource", &params, |machine| {
        machine.tags.extend(more);
        if machine.tags.len() > MOST_TAGS {
            return Err(error("TooManyTags", format!("a state machine has at most {MOST_TAGS} tags")));
        }
        Ok(())
    })
}

/// Removes tags from a machine.
pub fn untag(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    let keys = params.texts("tagKeys")?;
    tagged(aws, caller, "states:UntagResource", &params, |machine| {
        machine.tags.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(())
    })
}

fn tagged(
    aws: &Arc<Aws>,
    caller: &Caller,
    action: &str,
    params: &Params<'_>,
    change: impl FnOnce(&mut Machine) -> Result<()>,
) -> Result<Value> {
    let arn = params.text("resourceArn")?;
    aws.iam.authorize(aws, caller, action, arn)?;
    let missing = || names::no_resource(arn);
    let name = names::machine(aws, arn).map_err(|e| if e.code == "InvalidArn" { e } else { missing() })?;
    aws.store.transaction(|records| {
        let mut machine: Machine = records.get(MACHINE, name).ok_or_else(missing)?;
        change(&mut machine)?;
        records.put(MACHINE, name, &machine);
        Ok(json!({}))
    })
}

/// Lists a machine's tags.
pub fn list_tags(aws: &Arc<Aws>, caller: &Caller, input: &Value) -> Result<Value> {
    let params = Params::new(input, "ValidationException");
    let arn = params.text("resourceArn")?;
    aws.iam.authorize(aws, caller, "states:ListTagsForResource", arn)?;
    let machine = existing(aws, arn).map_err(|e| match e.code.as_str() {
        "InvalidArn" => e,
        _ => names::no_resource(arn),
    })?;
    let tags = machine.tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
    Ok(json!({"tags": tags.collect::<Vec<_>>()}))
}

fn tags(params: &Params<'_>) -> Result<BTreeMap<String, String>> {
    let tags: BTreeMap<_, _> = params.tags("tags")?.into_iter().collect();
    if tags.len() > MOST_TAGS {
        return Err(error("TooManyTags", format!("a state machine has at most {MOST_TAGS} tags")));
    }
    Ok(tags)
}

fn validated(text: &str) -> Result<Flow> {
    let wrong =
        |why: String| error("InvalidDefinition", format!("Invalid State Machine Definition: '{why}'"));
    if text.chars().count() > LONGEST_DEFINITION {
        return Err(wrong(format!("the definition is longer than {LONGEST_DEFINITION} characters")));
    }
    asl::parse(text).map_err(|problems| wrong(problems.to_string()))
}

/// Checks that the caller may hand the role over and that Step Functions may assume it.
fn role<'a>(aws: &Aws, caller: &Caller, arn: &'a str, machine: &str) -> Result<&'a str> {
    if !arn.starts_with("arn:aws:iam::") || !arn.contains(":role/") {
        return Err(error("InvalidArn", format!("Invalid Arn: 'Invalid ARN prefix: {arn}'")));
    }
    let service = [("iam:PassedToService", PRINCIPAL)];
    aws.iam.authorize_with(aws, caller, "iam:PassRole", arn, &service, None)?;
    if !assumable(aws, arn, machine) {
        return Err(error(
            "AccessDeniedException",
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the \
             provided role.",
        ));
    }
    Ok(arn)
}

/// Options whose default alone is carried out here.
fn configured(params: &Params<'_>) -> Result<()> {
    let member = |name: &str, member: &str| params.get(name).and_then(|value| value.get(member)).cloned();
    let level = member("loggingConfiguration", "level");
    if level.is_some_and(|level| level != "OFF") {
        let message =
            "the local endpoint keeps no logs of executions: loggingConfiguration.level must be OFF";
        return Err(error("InvalidLoggingConfiguration", message));
    }
    let data = member("loggingConfiguration", "includeExecutionData") == Some(json!(true));
    let destinations = member("loggingConfiguration", "destinations").is_some_and(|found| found != json!([]));
    if data || destinations {
        let message = "the local endpoint keeps no logs of executions: loggingConfiguration.destinations must be empty and \
             includeExecutionData false";
        return Err(error("InvalidLoggingConfiguration", message));
    }
    if member("tracingConfiguration", "enabled") == Some(json!(true)) {
        let message = "the local endpoint does not trace: tracingConfiguration.enabled must be false";
        return Err(error("InvalidTracingConfiguration", message));
    }
    if member("encryptionConfiguration", "type").is_some_and(|kind| kind != "AWS_OWNED_KEY") {
        let message = "the local endpoint has no keys: encryptionConfiguration.type must be AWS_OWNED_KEY";
        return Err(error("InvalidEncryptionConfiguration", message));
    }
    if params.flag("publish")? {
        let message = "the local endpoint has no versions of state machines: publish must be false";
        return Err(error("ValidationException", message));
    }
    if params.get("versionDescription").is_some() {
        return Err(error("ValidationException", "Version description can only be set when publish is true"));
    }
    Ok(())
}

/// `maxResults` of a list.
pub fn page_size(params: &Params<'_>) -> Result<usize> {
    match params.number("maxResults", 0..=i64::from(i32::MAX))?.unwrap_or(0) {
        0 => Ok(100),
        count @ ..=1000 => Ok(usize::try_from(count).unwrap_or(100)),
        count => Err(constraint(&count.to_string(), "maxResults", "value less than or equal to 1000")),
    }
}

/// The key that `nextToken` stands for, a text of at most so many bytes.
pub fn page_after(params: &Params<'_>, longest: usize) -> Result<Option<String>> {
    match params.optional_text("nextToken")? {
        Some(token) if token.len() > longest => {
            Err(constraint(token, "nextToken", &format!("length less than or equal to {longest}")))
        }
        token => token.map(names::key).transpose(),
    }
}

fn constraint(value: &str, member: &str, what: &str) -> ApiError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have {what}"
    );
    error("ValidationException", message)
}

/// A value that is not among those allowed.
pub fn one_of(member: &str, value: &str, allowed: &str) -> ApiError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum \
         value set: [{allowed}]"
    );
    error("ValidationException", message)
}
