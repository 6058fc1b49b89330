//! Puts the function back as it was, or deletes its copies: after a good run, after a failed one, after one that was stopped, and by
//! hand.
//!
//! | event | from | acts when |
//! |---|---|---|
//! | `{"input", "execution"}` | the state machine | that execution owns the lock |
//! | `{"detail": {"executionArn"}}` | EventBridge, for a stopped or timed-out execution | it owns the lock and is not running |
//! | `{"cleanup": {"lambdaARN", "roleARN"?, "stopped"?}}` | `deployer cleanup` | the owner, whoever it is, is not running; `stopped` names an owner of which the caller knows that |
//! | `{"cleanup": {"execution", "copies"}}` | the same, for the copies 0 to `copies` - 1 of an execution | it is not running |
//!
//! Result [`Cleaned`] (`$.cleaned`). Every step can be repeated; what is missing is done.
//!
//! When an execution ends while copies are being created for it, a batch of them may still be under way: they are deleted twice then, the
//! second time when the last batch must be over ([`crate::waits::Waits::last_copy`]).
//!
//! | permission | on | when |
//! |---|---|---|
//! | `lambda:ListAliases`, `ListVersionsByFunction`, `GetFunction`, `UpdateAlias`, `DeleteAlias` | the function | every run |
//! | `lambda:DeleteFunction` | its versions only | every run |
//! | `lambda:UpdateFunctionConfiguration` | the function | a run that ended while versions were being published |
//! | `states:DescribeExecution` | the machine's executions | stopped or timed-out executions, by hand |
//! | `lambda:DeleteFunction` | copies | copies |
//! | `s3:DeleteObject` | the stack's bucket | copies |

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tuning::input::{LambdaArn, Tune, fields};

use super::json;
use crate::clients::Clients;
use crate::copies;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::event::{self, StateEvent};
use crate::function_api::{Backoff, FunctionApi};
use crate::mark::LOCK_ALIAS;
use crate::run::{Plan, Run};
use crate::undo::execution::{self, Life};
use crate::undo::hold::Hold;
use crate::undo::sweep::{self, Job};
use crate::undo::{Held, Lock};

/// What was cleaned up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleaned {
    /// What the user should know.
    pub notes: Vec<String>,
    /// The execution whose traces were removed; none when there was nothing to do.
    pub owner: Option<String>,
    /// The function's memory size now, in MB.
    pub memory_size: Option<u32>,
    /// Whether it had to be put back.
    pub restored: bool,
    /// The number of aliases deleted, the lock included.
    pub aliases_deleted: usize,
    /// The number of versions deleted.
    pub versions_deleted: usize,
    /// The number of copies deleted.
    #[serde(default, skip_serializing_if = "is_none")]
    pub copies_deleted: u32,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

impl Cleaned {
    fn nothing(note: impl Into<String>) -> Self {
        Self { notes: vec![note.into()], ..Self::default() }
    }
}

#[derive(Debug, Deserialize)]
struct Stopped {
    detail: StoppedDetail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoppedDetail {
    execution_arn: String,
}

#[derive(Debug, Deserialize)]
struct ByHand {
    cleanup: ByHandDetail,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ByHandDetail {
    Copies {
        execution: String,
        copies: u32,
    },
    Function {
        #[serde(rename = "lambdaARN")]
        lambda_arn: String,
        #[serde(rename = "roleARN")]
        role_arn: Option<String>,
        stopped: Option<String>,
    },
}

/// Answers one event.
///
/// # Errors
/// When the execution is still running, when AWS refuses, or for lack of time: then it can be called again.
pub async fn handle(event: Value, deadline: Deadline, clients: &Clients) -> Result<Value, Error> {
    let cleaned = if event.get("cleanup").is_some() {
        by_hand(event, deadline, clients).await?
    } else if event.get("detail").is_some() {
        after_stop(event, deadline, clients).await?
    } else {
        let event = StateEvent::parse("cleaner", event)?;
        let run = event::run(&event.input)?;
        let failed = event.input.get("error").is_some_and(|error| !error.is_null());
        if Tune::of_input(&event.input) == Tune::Copy {
            let settled = !failed || settled(&event.input, run.as_ref());
            let ended = (!settled).then(SystemTime::now);
            let cleaned =
                after_copies(&event.input, run.as_ref(), &event.execution, ended, deadline, clients);
            return json(&cleaned.await?);
        }
        after_run(&event.input, run.as_ref(), &event.execution, failed, deadline, clients).await?
    };
    json(&cleaned)
}

/// In the state machine, or for a stopped execution with the input it had.
async fn after_run(
    document: &Value,
    run: Option<&Run>,
    execution: &str,
    interrupted: bool,
    deadline: Deadline,
    clients: &Clients,
) -> Result<Cleaned, Error> {
    let function = match function_of(document) {
        Ok(function) => function,
        Err(problem) => return Ok(Cleaned::nothing(format!("nothing was changed: lambdaARN {problem}"))),
    };
    if never_assumed(document) {
        return Ok(Cleaned::nothing("nothing was changed: the role in roleARN could not be assumed"));
    }
    let role = document[fields::ROLE_ARN.name].as_str();
    let api = FunctionApi::new(clients, &function, role, deadline).await?.listing();
    let started = tokio::time::Instant::now();
    let mut backoff = Backoff::polling();
    let lock = loop {
        let why = match held(&api).await? {
            Some(Held::By(lock)) if lock.mark.owner == execution => break lock,
            Some(Held::By(lock)) => {
                let owner = lock.mark.owner;
                format!("nothing to do: the function is being tuned by {owner}")
            }
            Some(Held::Free | Held::Foreign(_)) => {
                "nothing to do: this execution does not hold the function's lock".to_owned()
            }
            None => return Ok(Cleaned::nothing(format!("nothing to do: there is no function {function}"))),
        };
        // The run may have ended just after it took the lock, which this reading does not show yet.
        let lagging = interrupted && !refused(document) && started.elapsed() < clients.waits().stale_reading;
        if !lagging || !backoff.wait(deadline).await {
            return Ok(Cleaned::nothing(why));
        }
    };
    let published = run.filter(|run| run.published.done);
    let job = Job {
        of: execution,
        interrupted: interrupted || published.is_none(),
        expected_aliases: published.map_or(0, |run| run.published.total as usize),
        settings: run.map(|run| (run.code_sha256.as_str(), run.settings.as_str())),
    };
    clean(&api, lock, &job).await
}

/// For an execution of which EventBridge says that it was stopped or has timed out.
async fn after_stop(event: Value, deadline: Deadline, clients: &Clients) -> Result<Cleaned, Error> {
    let event: Stopped = serde_json::from_value(event).map_err(|e| Error::event("cleaner", e))?;
    let execution = event.detail.execution_arn;
    let started = tokio::time::Instant::now();
    let mut backoff = Backoff::polling();
    let (status, input, ended) = loop {
        match execution::look_up_surely(clients, &execution, deadline).await? {
            Life::Over { status, input, ended } => break (status, input, ended),
            Life::Unknown => {
                return Ok(Cleaned::nothing(format!("nothing to do: there is no execution {execution}")));
            }
            Life::Denied(message) => return Err(denied(&message)),
            Life::Running
                if started.elapsed() >= clients.waits().stale_status || !backoff.wait(deadline).await =>
            {
                let message = format!("{execution} is still running: it will be cleaned up when it ends");
                return Err(Error::new(Kind::AlreadyBeingTuned, message));
            }
            Life::Running => {}
        }
    };
    let document: Value = serde_json::from_str(&input)
        .map_err(|e| Error::event("cleaner", format!("the input of {execution} is not JSON: {e}")))?;
    if Tune::of_input(&document) == Tune::Copy {
        // One that failed has cleaned up itself, if it could, and nothing of it was under way when it ended.
        let ended = if status == "FAILED" { None } else { ended.or_else(|| Some(SystemTime::now())) };
        return after_copies(&document, None, &execution, ended, deadline, clients).await;
    }
    after_run(&document, None, &execution, true, deadline, clients).await
}

/// Deletes the copies of an execution. `ended` is when it did, where copies may still have been created for it then.
async fn after_copies(
    document: &Value,
    run: Option<&Run>,
    execution: &str,
    ended: Option<SystemTime>,
    deadline: Deadline,
    clients: &Clients,
) -> Result<Cleaned, Error> {
    let count = match run {
        Some(run) => Some(run.published.total),
        // Without a run in the state nothing was created; who is told of an execution by EventBridge does not see the state.
        None if document.get("error").is_some() => None,
        None => most_copies(document, clients),
    };
    let Some(count) = count else {
        return Ok(Cleaned::nothing("nothing to do: no copies were made for this execution"));
    };
    delete_copies(clients, execution, count, ended, deadline).await
}

async fn delete_copies(
    clients: &Clients,
    execution: &str,
    count: u32,
    ended: Option<SystemTime>,
    deadline: Deadline,
) -> Result<Cleaned, Error> {
    let mut deleted = copies::sweep::sweep(clients, execution, count, deadline).await?;
    if let Some(ended) = ended {
        let since = SystemTime::now().duration_since(ended).unwrap_or_default();
        let left = clients.waits().last_copy.saturating_sub(since);
        if !left.is_zero() {
            if left >= deadline.remaining() {
                return Err(Error::late(
                    "the copies that may still have been under way could not be deleted",
                ));
            }
            tokio::time::sleep(left).await;
            deleted += copies::sweep::sweep(clients, execution, count, deadline).await?;
        }
    }
    if deleted == 0 {
        return Ok(Cleaned::nothing(format!("nothing to do: there is no copy of {execution}")));
    }
    Ok(Cleaned { owner: Some(execution.to_owned()), copies_deleted: deleted, ..Cleaned::default() })
}

/// Whether nothing can be under way any more of what a failed run has created: what it wanted is all there, or the failure is that of
/// one of our functions, which waits for its calls' answers.
fn settled(document: &Value, run: Option<&Run>) -> bool {
    let error = document["error"]["Error"].as_str().unwrap_or_default();
    let ours = Kind::ALL.iter().any(|kind| kind.name() == error && *kind != Kind::OutOfTime);
    ours || run.is_none_or(|run| run.published.done)
}

/// How many copies a run with this input can have at most; none for an input that is refused.
fn most_copies(document: &Value, clients: &Clients) -> Option<u32> {
    // A stack without the bucket makes no copies.
    clients.variable("copyBucket")?;
    let mut document = document.clone();
    let sizes = clients.variable("defaultPowerValues").unwrap_or_default();
    super::initializer::apply_default(&mut document, &sizes);
    let input = event::input(&document, &[]).ok()?;
    let most = match input.search {
        // A size that is measured has three invocations at least.
        Some(search) => search.max_invocations / 3,
        None => {
            // And those of the size that the function has.
            let present = if input.only_cold_starts { input.invocations() } else { 1 };
            Plan::new(&input, &input.power_values).total() + present
        }
    };
    Some(most.min(copies::MOST))
}

/// For whatever execution holds the lock, provided it is over.
async fn by_hand(event: Value, deadline: Deadline, clients: &Clients) -> Result<Cleaned, Error> {
    let ByHand { cleanup } = serde_json::from_value(event).map_err(|e| Error::event("cleaner", e))?;
    let (lambda_arn, role, stopped) = match cleanup {
        ByHandDetail::Copies { execution, copies } => {
            return copies_by_hand(&execution, copies, deadline, clients).await;
        }
        ByHandDetail::Function { lambda_arn, role_arn, stopped } => (lambda_arn, role_arn, stopped),
    };
    let function = LambdaArn::parse(&lambda_arn)
        .map_err(|problem| Error::new(Kind::InvalidInput, format!("lambdaARN {lambda_arn:?} {problem}")))?;
    let api = FunctionApi::new(clients, &function, role.as_deref(), deadline).await?.listing();
    let lock = match held(&api).await? {
        None => {
            return Err(Error::new(Kind::FunctionNotFound, format!("there is no function {function}")));
        }
        Some(Held::Free) => return Ok(Cleaned::nothing("nothing to do: no run holds the function's lock")),
        Some(Held::Foreign(_)) => {
            let note =
                format!("nothing to do: the alias {LOCK_ALIAS} was not made by a run and is left as it is");
            return Ok(Cleaned::nothing(note));
        }
        Some(Held::By(lock)) => lock,
    };
    let owner = lock.mark.owner.clone();
    if stopped.as_deref() != Some(owner.as_str()) {
        match execution::look_up_surely(clients, &owner, deadline).await? {
            Life::Over { .. } | Life::Unknown => {}
            Life::Running => {
                let message =
                    format!("the function is being tuned by {owner}, which is running: stop it first");
                return Err(Error::new(Kind::AlreadyBeingTuned, message));
            }
            Life::Denied(message) => return Err(denied(&message)),
        }
    }
    let job = Job { of: &owner, interrupted: true, expected_aliases: 0, settings: None };
    clean(&api, lock, &job).await
}

/// For the copies of an execution, provided it is over.
async fn copies_by_hand(
    execution: &str,
    count: u32,
    deadline: Deadline,
    clients: &Clients,
) -> Result<Cleaned, Error> {
    let ended = match execution::look_up_surely(clients, execution, deadline).await? {
        Life::Over { ended, .. } => ended,
        Life::Unknown => None,
        Life::Running => {
            let message = format!("{execution} is running: stop it first");
            return Err(Error::new(Kind::AlreadyBeingTuned, message));
        }
        Life::Denied(message) => return Err(denied(&message)),
    };
    delete_copies(clients, execution, count.min(copies::MOST), ended, deadline).await
}

async fn clean(api: &FunctionApi, lock: Lock, job: &Job<'_>) -> Result<Cleaned, Error> {
    let Some(hold) = Hold::claim(api, lock).await? else {
        return Ok(Cleaned::nothing(format!(
            "nothing to do: what {} had left has just been cleaned up",
            job.of
        )));
    };
    let (swept, hold) = sweep::sweep(api, hold, job).await?;
    hold.release(api).await?;
    Ok(Cleaned {
        copies_deleted: 0,
        notes: swept.notes,
        owner: Some(job.of.to_owned()),
        memory_size: Some(swept.memory),
        restored: swept.restored,
        aliases_deleted: swept.aliases + 1,
        versions_deleted: swept.versions,
    })
}

/// What is found under the lock's name, `None` without a function.
async fn held(api: &FunctionApi) -> Result<Option<Held>, Error> {
    match api.aliases().await {
        Ok(aliases) => Ok(Some(Held::among(&aliases))),
        Err(refusal) if refusal.is_not_found() => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The function a document is about, however wrong the rest of it is.
fn function_of(document: &Value) -> Result<LambdaArn, String> {
    match document.get("lambdaARN") {
        Some(Value::String(arn)) => LambdaArn::parse(arn),
        _ => Err("is missing".to_owned()),
    }
}

/// Whether the Initializer refused the run before it took the lock.
fn refused(document: &Value) -> bool {
    let before = [
        Kind::InvalidInput,
        Kind::FunctionNotFound,
        Kind::FunctionNotTunable,
        Kind::AlreadyBeingTuned,
        Kind::AliasClash,
    ];
    let error = document["error"]["Error"].as_str().unwrap_or_default();
    document["run"].is_null() && before.iter().any(|kind| kind.name() == error)
}

/// Whether the Initializer could not even take on the role by which it would have spoken to the function.
fn never_assumed(document: &Value) -> bool {
    let cause = document["error"]["Cause"].as_str().unwrap_or_default();
    document["run"].is_null() && cause.contains("not allowed to call AssumeRole")
}

fn denied(message: &str) -> Error {
    Error::new(
        Kind::AccessDenied,
        format!("whether the execution is over cannot be seen from here: {message}"),
    )
}
