//! First state: checks everything before anything is changed, then takes the lock and makes the undo record. With copies there is
//! neither: it only finds out whether the function can be copied.
//!
//! Event `{"input", "execution"}`, result [`Run`] (`$.run`). Called again for the same execution (an answer was
//! lost) it carries on where it was.
//!
//! | permission | on | when |
//! |---|---|---|
//! | `lambda:GetFunction` | the function, its versions and aliases | every run |
//! | `lambda:GetAccountSettings` | everything | copies |
//! | `lambda:ListAliases`, `CreateAlias`, `PublishVersion`, `UpdateAlias` | the function | every run but with copies |
//! | `lambda:ListVersionsByFunction`, `UpdateFunctionConfiguration`, `DeleteAlias` | the function | recovering what a dead execution left |
//! | `lambda:DeleteFunction` | its versions only | recovering |
//! | `states:DescribeExecution` | the machine's executions | every run |
//! | `lambda:GetLayerVersion` | layers | copies |
//! | `sts:AssumeRole` | roles of `assumableRoles` | functions of another account |

use serde_json::Value;
use tuning::input::{Input, LEAST_COMPARED, Qualifier, Tune, fields};

use super::{bursts, executor, json, planner};
use crate::clients::Clients;
use crate::copies::source::Source;
use crate::copies::{self, Allowed};
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::event::{self, StateEvent};
use crate::function_api::{Alias, Backoff, Configuration, FunctionApi};
use crate::mark::{LOCK_ALIAS, LockMark, Purpose, ThingMark};
use crate::run::{Baseline, Plan, Published, Run, Search};
use crate::undo::execution::{self, Life};
use crate::undo::hold::{Hold, Watch};
use crate::undo::sweep::{self, Job};
use crate::undo::{Held, Lock};

/// Step Functions' limit for what a state hands on.
const STATE_LIMIT: usize = 256 * 1024;

/// Answers one event.
///
/// # Errors
/// Everything wrong with the input at once; a function that is not there, not ready or being tuned; an alias of
/// somebody else's with a name of ours. Nothing has been changed then.
pub async fn handle(event: Value, deadline: Deadline, clients: &Clients) -> Result<Value, Error> {
    let mut event = StateEvent::parse("initializer", event)?;
    let default_sizes = clients.variable("defaultPowerValues").unwrap_or_default();
    let stack_sizes = apply_default(&mut event.input, &default_sizes);
    let input = event::input(&event.input, &[])?;
    let search = match input.task() {
        Some(task) => Some(planner::first(&task, &input)?),
        None => None,
    };
    let given = event.input.to_string().len();
    let sizes = match &search {
        Some(search) => search.blocks.iter().map(|block| block.value).collect(),
        None => input.power_values.clone(),
    };
    let with_present = stack_sizes && !input.dry_run && search.is_none();
    let most_sizes = sizes.len() + usize::from(with_present);
    // More than fit one by one are made as without parallelInvocation, each on a version or copy of its own, but all at once.
    let bursts = input.in_bursts() && input.invocations() as usize * most_sizes <= most_in_rounds(given);
    match input.search {
        Some(search) => check_search_size(given, search.max_invocations)?,
        None if input.compares() => check_compared(given, &input, most_sizes)?,
        None => check_state_size(given, &input, most_sizes)?,
    }
    let asked = stack_sizes && search.is_some();
    let wanted = Wanted {
        sizes,
        with_present,
        // A dry run makes one invocation at each of the sizes a search would begin with.
        search: search.filter(|_| !input.dry_run),
        bursts,
        asked: asked.then(|| event.input[fields::POWER_VALUES.name].clone()),
    };
    super::optimizer::refuse_alias(&input, clients)?;
    refuse_way(&input, Allowed::here(clients))?;

    let role = input.role_arn.as_deref();
    let api = FunctionApi::new(clients, &input.lambda_arn, role, deadline).await?.listing();
    let run = match input.tune {
        Tune::InPlace => begin(&api, clients, &input, wanted, &event.execution).await?,
        Tune::Copy => begin_copies(&api, clients, &input, wanted, &event.execution).await?,
    };
    json(&run)
}

/// Refuses what the stack's `copies` does not allow.
fn refuse_way(input: &Input, allowed: Allowed) -> Result<(), Error> {
    let message = match (input.tune, allowed) {
        (Tune::Copy, Allowed::No) => {
            "tune: \"copy\" needs a stack that may make copies: deploy it with `deployer up --copies also` (parameter copies), or \
             measure the function itself with tune: \"in-place\""
        }
        (Tune::InPlace, Allowed::Only) => {
            "tune: this stack measures copies only (its parameter copies is \"only\"): give tune: \"copy\", or deploy it with \
             `deployer up --copies also`"
        }
        (Tune::Copy, Allowed::Only) if input.auto_optimize => {
            "autoOptimize: this stack may not change functions (its parameter copies is \"only\"): leave autoOptimize out, or deploy it with \
             `deployer up --copies also`"
        }
        _ => return Ok(()),
    };
    Err(Error::new(Kind::InvalidInput, message))
}

/// Finds out whether copies can be made. Nothing is changed or created yet.
async fn begin_copies(
    api: &FunctionApi,
    clients: &Clients,
    input: &Input,
    wanted: Wanted,
    execution: &str,
) -> Result<Run, Error> {
    copies::same_place(&input.lambda_arn, input.role_arn.is_some(), execution)?;
    let region = copies::region(execution);
    // Copies are in the stack's account, whoever the function is shown to.
    let own =
        FunctionApi::of(clients.lambda(region)?, clients.waits(), api.function().to_owned(), api.deadline());
    let (source, unreserved) = tokio::join!(
        Source::read(api, input.qualifier.as_ref().map(Qualifier::as_str)),
        copies::unreserved(&own, input)
    );
    let source = source?;
    let mut obstacles = source.obstacles().to_vec();
    if input.lambda_arn.account != copies::account(execution) {
        obstacles.extend(source.bound_to_its_account());
    }
    obstacles.extend(source.missing_layers(clients, region, api.deadline()).await?);
    if !obstacles.is_empty() {
        let message = format!(
            "{} cannot be copied: {}; see to that, {}",
            api.function(),
            obstacles.join("; "),
            copies::WAY_OUT
        );
        return Err(Error::new(Kind::FunctionNotTunable, message));
    }
    let mut copies = source.copies(copies::role(source.role(), execution, clients)?);
    let architectures = copies::processors(input, &source, clients)?;
    // Where no copy gets it, the function's own code need not be there.
    copies.stored |= !architectures.is_empty()
        && architectures.iter().all(|architecture| input.code_for(*architecture).is_some());
    let present = source.configuration.memory;
    let concurrency = copies::concurrency(api, input, &source, unreserved?).await?;
    if input.compares() && concurrency.most < LEAST_COMPARED {
        let message = format!(
            "architectures: two processors are compared with {LEAST_COMPARED} invocations at once, and no more than {} may be under way ({}): \
             give maxConcurrency, or one architecture",
            concurrency.most, concurrency.why
        );
        return Err(Error::new(Kind::InvalidInput, message));
    }
    // No alias can be in its way.
    let power_values =
        if wanted.with_present { with_present_size(input, present, &[]) } else { wanted.sizes.clone() };
    let Wanted { search, asked, .. } = wanted.over(input, &power_values, concurrency.most);
    let total = total(input, &power_values, search.as_ref());
    if total > copies::MOST {
        let message = format!(
            "num: onlyColdStarts makes a copy for each of {total} invocations, and a run can have {} at most: use a smaller num or fewer \
             powerValues, {}",
            copies::MOST,
            copies::WAY_OUT
        );
        return Err(Error::new(Kind::InvalidInput, message));
    }
    let configuration = source.configuration;
    let mut run = Run {
        execution: execution.to_owned(),
        function_arn: input.lambda_arn.to_string(),
        region: input.lambda_arn.region.clone(),
        role_arn: input.role_arn.clone(),
        architecture: configuration.architecture,
        architectures,
        timeout: configuration.timeout_s,
        storage: configuration.storage,
        snap_start: configuration.snap_start,
        power_values,
        baseline: Baseline { memory_size: present },
        snapshot_version: copies.of.clone(),
        code_sha256: configuration.code,
        settings: configuration.fingerprint,
        published: Published { total, ..Published::default() },
        asked,
        search,
        copies: Some(copies),
        concurrency: Some(concurrency),
        sizes_at_once: 0,
        notes: Vec::new(),
    };
    run.arrange(input);
    Ok(run)
}

/// How many versions or copies are made at first.
fn total(input: &Input, power_values: &[u32], search: Option<&Search>) -> u32 {
    match search {
        Some(search) => u32::try_from(search.sizes.len()).unwrap_or(u32::MAX),
        None => Plan::new(input, power_values).total(),
    }
}

/// What is to be measured.
struct Wanted {
    /// Memory sizes in MB, ascending.
    sizes: Vec<u32>,
    /// Whether the size that the function has is added.
    with_present: bool,
    search: Option<Search>,
    /// Whether cold starts are made in bursts.
    bursts: bool,
    /// See [`Run::asked`].
    asked: Option<Value>,
}

impl Wanted {
    /// The same, now that the sizes are known and how many invocations may be under way at once.
    fn over(self, input: &Input, power_values: &[u32], most: u32) -> Self {
        let budget = planner::left_of_budget(input, power_values.len());
        let bursts = self.bursts.then(|| bursts::begin(input, power_values, most, budget));
        Self { search: self.search.or(bursts), ..self }
    }
}

async fn begin(
    api: &FunctionApi,
    clients: &Clients,
    input: &Input,
    wanted: Wanted,
    execution: &str,
) -> Result<Run, Error> {
    let found = api.configuration(None).await.map_err(|refusal| {
        let missing = refusal.is_not_found();
        let error = Error::from(refusal);
        if !missing {
            return error;
        }
        let message = format!("there is no function {}: check lambdaARN", api.function());
        Error::new(Kind::FunctionNotFound, message)
    })?;
    let obstacles = [found.obstacles, found.in_place_obstacles].concat();
    if !obstacles.is_empty() {
        let message = format!("{} cannot be tuned: {}", api.function(), obstacles.join("; "));
        return Err(Error::new(Kind::FunctionNotTunable, message));
    }
    let aliases = api.aliases().await?;
    refuse_clashes(input, &wanted.sizes, &aliases)?;

    let (lock, notes) = acquire(api, clients, execution, &aliases).await?;
    let (snapshot, life) =
        tokio::join!(snapshot(api, lock, execution), execution::look_up(clients, execution, api.deadline()));
    let Snapshot { lock, configuration, version } = snapshot?;
    match life? {
        Life::Running | Life::Unknown => {}
        Life::Denied(message) => {
            return Err(Error::new(
                Kind::AccessDenied,
                format!("not allowed to call DescribeExecution: {message}"),
            ));
        }
        // It was stopped, and its clean-up may have come and gone before the lock was there.
        Life::Over { status, .. } => {
            if let Some(hold) = Hold::claim(api, lock).await? {
                let job = Job { of: execution, interrupted: true, expected_aliases: 0, settings: None };
                let (_, hold) = sweep::sweep(api, hold, &job).await?;
                hold.release(api).await?;
            }
            let message = format!("{execution} is {status}, not running; the function is as it was");
            return Err(Error::new(Kind::LockLost, message));
        }
    }
    let power_values = if wanted.with_present {
        with_present_size(input, lock.mark.base, &aliases)
    } else {
        wanted.sizes.clone()
    };
    let concurrency = copies::given_concurrency(input);
    let most = concurrency.as_ref().map_or(u32::MAX, |concurrency| concurrency.most);
    let Wanted { search, asked, .. } = wanted.over(input, &power_values, most);
    let total = total(input, &power_values, search.as_ref());
    let mut run = Run {
        execution: execution.to_owned(),
        function_arn: input.lambda_arn.to_string(),
        region: input.lambda_arn.region.clone(),
        role_arn: input.role_arn.clone(),
        architecture: configuration.architecture,
        architectures: Vec::new(),
        timeout: configuration.timeout_s,
        storage: configuration.storage,
        snap_start: configuration.snap_start,
        power_values,
        baseline: Baseline { memory_size: lock.mark.base },
        snapshot_version: version.to_string(),
        code_sha256: configuration.code,
        settings: configuration.fingerprint,
        published: Published { total, ..Published::default() },
        asked,
        search,
        copies: None,
        concurrency,
        sizes_at_once: 0,
        notes,
    };
    run.arrange(input);
    Ok(run)
}

/// Gives an input without `powerValues` those of the stack, in whatever form the parameter has. Says whether it did.
pub(super) fn apply_default(input: &mut Value, sizes: &str) -> bool {
    let Some(given) = input.as_object_mut() else { return false };
    if sizes.is_empty() || given.get(fields::POWER_VALUES.name).is_some_and(|sizes| !sizes.is_null()) {
        return false;
    }
    // What is wrong with it is said of the input as a whole.
    let default = fields::POWER_VALUES.form.from_text(sizes).unwrap_or_else(|_| Value::from(sizes));
    given.insert(fields::POWER_VALUES.name.to_owned(), default);
    true
}

/// The stack's sizes and the one that the function has, so that the choice can be compared with it. Nobody has asked for that size by
/// name: where an alias of somebody else's is in its way, it is left out and the run goes on.
fn with_present_size(input: &Input, present: u32, aliases: &[Alias]) -> Vec<u32> {
    let mut sizes = input.power_values.clone();
    if let Err(place) = sizes.binary_search(&present)
        && clashes(input, &[present], aliases).is_empty()
    {
        sizes.insert(place, present);
    }
    sizes
}

/// What a run may come to must fit the state, or it would fail after all its work.
fn check_state_size(given: usize, input: &Input, sizes: usize) -> Result<(), Error> {
    // Measured on real runs, rounded up: $.run and $.cleaned; one result in $.stats, once more in the output when
    // asked for, its share of the chart link; one power value in $.run; one measurement in an Executor's progress.
    const FIXED: usize = 4096;
    const RESULT: usize = 540;
    const LINK: usize = 40;
    const MEASUREMENT: usize = 12;
    let results = RESULT * if input.include_output_results { 2 } else { 1 } + LINK;
    let collected = given + FIXED + sizes * results;
    if collected > STATE_LIMIT {
        let fitting = STATE_LIMIT.saturating_sub(given + FIXED) / results;
        return Err(Error::new(
            Kind::InvalidInput,
            format!(
                "powerValues: the results of {sizes} sizes do not fit a state of 256 KiB beside an input of {given} \
                 bytes: measure at most {fitting} at once, or put a large payload into payloadS3"
            ),
        ));
    }
    let progress = given + FIXED + 6 * sizes + MEASUREMENT * input.invocations() as usize;
    if progress > STATE_LIMIT {
        let fitting = STATE_LIMIT.saturating_sub(given + FIXED + 6 * sizes) / MEASUREMENT;
        return Err(Error::new(
            Kind::InvalidInput,
            format!(
                "num: {} measurements do not fit a state of 256 KiB beside an input of {given} bytes: use at most \
                 {fitting}, or put a large payload into payloadS3",
                input.invocations()
            ),
        ));
    }
    Ok(())
}

/// The same of a run on two processors, whose invocations are needed one by one.
fn check_compared(given: usize, input: &Input, sizes: usize) -> Result<(), Error> {
    check_state_size(given, input, 2 * sizes)?;
    let most = executor::MOST_SAMPLES as usize / (2 * sizes.max(1));
    if input.invocations() as usize <= most {
        return Ok(());
    }
    let message = format!(
        "num: two processors are compared by their invocations one by one, of which {} fit the state: with {sizes} sizes use at most {most}, \
         or fewer powerValues",
        executor::MOST_SAMPLES
    );
    Err(Error::new(Kind::InvalidInput, message))
}

/// How many invocations fit the state beside an input of so many bytes where they travel one by one: in the history of a search or of
/// bursts, and those of a round once more in the Executors' results.
fn most_in_rounds(given: usize) -> usize {
    const FIXED: usize = 24 * 1024;
    const SAMPLE: usize = 45;
    STATE_LIMIT.saturating_sub(given + FIXED) / (2 * SAMPLE)
}

/// The same of a search.
fn check_search_size(given: usize, invocations: u32) -> Result<(), Error> {
    let fitting = most_in_rounds(given);
    if invocations as usize <= fitting {
        return Ok(());
    }
    Err(Error::new(
        Kind::InvalidInput,
        format!(
            "maxInvocations: {invocations} invocations do not fit a state of 256 KiB beside an input of {given} bytes: use at most \
             {fitting}, or put a large payload into payloadS3"
        ),
    ))
}

/// The aliases of somebody else's that have a name which measuring these sizes needs.
fn clashes<'a>(input: &Input, sizes: &[u32], aliases: &'a [Alias]) -> Vec<&'a str> {
    let names: std::collections::BTreeSet<String> =
        Plan::new(input, sizes).iter().map(|planned| planned.alias()).collect();
    let foreign = |alias: &&Alias| {
        if alias.name == LOCK_ALIAS {
            LockMark::parse(&alias.description).is_none()
        } else {
            names.contains(&alias.name) && ThingMark::parse(&alias.description).is_none()
        }
    };
    aliases.iter().filter(foreign).map(|alias| alias.name.as_str()).collect()
}

fn refuse_clashes(input: &Input, sizes: &[u32], aliases: &[Alias]) -> Result<(), Error> {
    let clashes = clashes(input, sizes, aliases);
    if !clashes.is_empty() {
        let message = format!(
            "the function already has aliases that this run would use, made by somebody else: {}; rename or delete them",
            clashes.join(", ")
        );
        return Err(Error::new(Kind::AliasClash, message));
    }
    if let Some(name) = input.auto_optimize_alias.as_ref().filter(|_| input.auto_optimize)
        && let Some(alias) = aliases.iter().find(|alias| alias.name == *name)
    {
        super::optimizer::refuse_weights(alias)?;
    }
    Ok(())
}

/// Takes the lock, recovering first what a dead execution left. Also returns what the user should know.
async fn acquire(
    api: &FunctionApi,
    clients: &Clients,
    execution: &str,
    aliases: &[Alias],
) -> Result<(Lock, Vec<String>), Error> {
    let mut aliases = aliases.to_vec();
    let mut watch = Watch::default();
    let mut backoff = Backoff::polling();
    loop {
        let mut cleaned_up = None;
        match Held::among(&aliases) {
            Held::Foreign(_) => {
                let message = format!(
                    "somebody has just made an alias {LOCK_ALIAS}, the name of the run's lock: delete it, then run again"
                );
                return Err(Error::new(Kind::AliasClash, message));
            }
            Held::Free => {
                let memory = api.ready_configuration(None).await?.memory;
                if let Some(lock) = Lock::take(api, LockMark::idle(execution, memory)).await? {
                    let leftover = |alias: &Alias| ThingMark::parse(&alias.description).is_some();
                    if !aliases.iter().any(leftover) {
                        return Ok((lock, Vec::new()));
                    }
                    if let Some(hold) = Hold::take_over(api, &lock, execution).await? {
                        let (lock, _) = recover(api, hold, execution).await?;
                        return Ok((lock, Vec::new()));
                    }
                }
            }
            Held::By(lock) if lock.mark.owner == execution && !lock.mark.is_stopping() => {
                return Ok((lock, Vec::new()));
            }
            Held::By(lock) => {
                let owner = lock.mark.owner.clone();
                // Otherwise this execution was interrupted while it recovered what another had left.
                if owner != execution {
                    refuse_if_alive(clients, &owner, api.deadline()).await?;
                }
                // Several may have found it dead: whoever's write finds the lock as it was read goes on.
                if watch.is_free(&lock, api.waits()) {
                    if let Some(hold) = Hold::take_over(api, &lock, execution).await? {
                        let (lock, mut notes) = recover(api, hold, &owner).await?;
                        if owner != execution {
                            notes.insert(
                                0,
                                format!("what {owner} had left on the function was cleaned up first"),
                            );
                        }
                        return Ok((lock, notes));
                    }
                } else {
                    cleaned_up = Some(owner);
                }
            }
        }
        if !backoff.wait(api.deadline()).await {
            let Some(owner) = cleaned_up else {
                return Err(Error::late("the lock on the function could not be taken"));
            };
            let message =
                format!("what {owner} left on the function is still being cleaned up: run again later");
            return Err(Error::new(Kind::AlreadyBeingTuned, message));
        }
        aliases = api.aliases().await?;
    }
}

async fn refuse_if_alive(clients: &Clients, owner: &str, deadline: Deadline) -> Result<(), Error> {
    let why = match execution::look_up_surely(clients, owner, deadline).await? {
        Life::Over { .. } | Life::Unknown => return Ok(()),
        Life::Running => "wait for it to end, or stop it".to_owned(),
        Life::Denied(message) => format!(
            "whether that is still running cannot be seen from here ({message}); if it is over, run `deployer cleanup`"
        ),
    };
    Err(Error::new(Kind::AlreadyBeingTuned, format!("the function is being tuned by {owner}: {why}")))
}

/// Cleans up after `of` and makes the lock that of a run that begins.
async fn recover(api: &FunctionApi, hold: Hold, of: &str) -> Result<(Lock, Vec<String>), Error> {
    let job = Job { of, interrupted: true, expected_aliases: 0, settings: None };
    let (swept, hold) = sweep::sweep(api, hold, &job).await?;
    let lock = hold.renew(api, swept.memory).await?;
    Ok((lock, swept.notes))
}

struct Snapshot {
    lock: Lock,
    configuration: Configuration,
    version: u64,
}

/// Publishes a copy of the function as it is and points the lock at it: from now on the lock is the undo record.
async fn snapshot(api: &FunctionApi, lock: Lock, execution: &str) -> Result<Snapshot, Error> {
    if let Some(version) = lock.snapshot {
        let configuration = api.ready_configuration(None).await?;
        return Ok(Snapshot { lock, configuration, version });
    }
    let mark = ThingMark::new(Purpose::Snapshot, execution).to_string();
    let mut backoff = Backoff::polling();
    loop {
        let configuration = api.ready_configuration(None).await?;
        match api.publish(&mark, &configuration.code, &configuration.revision).await {
            Ok(published) => {
                let Some(version) = published.number else {
                    return Err(Error::no_version());
                };
                let idle = LockMark::idle(execution, published.memory);
                let lock = lock.update(api, |_| idle.clone(), Some(&version.to_string())).await?;
                return Ok(Snapshot { lock, configuration, version });
            }
            // Somebody changed the function after it was read.
            Err(refusal) if refusal.is_outdated() || refusal.code == "InvalidParameterValueException" => {
                if !backoff.wait(api.deadline()).await {
                    return Err(refusal.into());
                }
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(document: &Value) -> Input {
        event::input(document, &[128]).unwrap()
    }

    fn alias(name: &str, description: &str) -> Alias {
        Alias {
            name: name.to_owned(),
            version: "1".to_owned(),
            description: description.to_owned(),
            revision: String::new(),
            also: Vec::new(),
        }
    }

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:target";

    #[test]
    fn the_stacks_sizes_are_used_when_none_are_given() {
        let mut document = json!({"lambdaARN": ARN, "num": 5});
        assert!(apply_default(&mut document, "128, 512"));
        assert_eq!(input(&document).power_values, [128, 512]);
        let mut document = json!({"powerValues": null});
        apply_default(&mut document, "ALL");
        let all = document["powerValues"].as_array().unwrap();
        assert_eq!((all.len(), &all[0], &all[45]), (46, &json!(128), &json!(3008)));
        let mut document = json!({"powerValues": [256]});
        assert!(!apply_default(&mut document, "128"));
        assert_eq!(document["powerValues"], json!([256]));
    }

    #[test]
    fn what_the_stack_does_not_allow_is_refused_with_the_way_out() {
        let refused = |more: Value, allowed: Allowed| {
            let mut document = json!({"lambdaARN": ARN, "num": 5, "powerValues": [128]});
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            refuse_way(&input(&document), allowed).err().map(|error| error.message)
        };
        let (copy, itself) = (json!({"tune": "copy"}), json!({}));
        let optimizing = json!({"tune": "copy", "autoOptimize": true});
        for (document, allowed) in [
            (&copy, Allowed::Also),
            (&copy, Allowed::Only),
            (&itself, Allowed::No),
            (&itself, Allowed::Also),
            (&optimizing, Allowed::Also),
        ] {
            assert_eq!(refused(document.clone(), allowed), None, "{document}");
        }
        assert!(refused(copy, Allowed::No).unwrap().contains("--copies also"));
        assert!(refused(itself, Allowed::Only).unwrap().contains("give tune: \"copy\""));
        assert!(refused(optimizing, Allowed::Only).unwrap().starts_with("autoOptimize"));
    }

    #[test]
    fn the_present_size_is_added_in_its_place_unless_somebody_elses_alias_is_in_its_way() {
        let input = input(&json!({"lambdaARN": ARN, "num": 5, "powerValues": [128, 512]}));
        assert_eq!(with_present_size(&input, 256, &[]), [128, 256, 512]);
        assert_eq!(with_present_size(&input, 512, &[]), [128, 512]);
        let theirs = [alias("deployer-tuning-256", "")];
        assert_eq!(with_present_size(&input, 256, &theirs), [128, 512]);
        assert_eq!(with_present_size(&input, 1024, &theirs), [128, 512, 1024]);
    }

    #[test]
    fn a_run_that_would_outgrow_the_state_is_refused() {
        let many = json!({"lambdaARN": ARN, "num": 5, "powerValues": {"from": 128, "to": 1000, "step": 1}});
        let check = |document: &Value| {
            let input = input(document);
            check_state_size(document.to_string().len(), &input, input.power_values.len())
        };
        let error = check(&many).unwrap_err();
        assert!(error.message.starts_with("powerValues: the results of 873 sizes"), "{error}");
        let payload = json!({"lambdaARN": ARN, "num": 10_000, "payload": "x".repeat(200_000)});
        let error = check(&payload).unwrap_err();
        assert!(error.message.starts_with("num: 10000 measurements"), "{error}");
        let usual = json!({"lambdaARN": ARN, "num": 100, "powerValues": "ALL", "includeOutputResults": true});
        assert_eq!(check(&usual), Ok(()));
    }

    #[test]
    fn aliases_of_our_names_but_not_our_making_stop_the_run() {
        let input = input(&json!({"lambdaARN": ARN, "num": 5, "powerValues": [128, 512]}));
        let aliases = [
            alias("deployer-tuning", "mine"),
            alias("deployer-tuning-512", ""),
            alias("deployer-tuning-1024", "not of this run"),
            alias("live", ""),
        ];
        let error = refuse_clashes(&input, &input.power_values, &aliases).unwrap_err();
        assert_eq!(error.kind, Kind::AliasClash);
        assert!(error.message.contains("deployer-tuning, deployer-tuning-512;"), "{error}");
        assert_eq!(refuse_clashes(&input, &input.power_values, &aliases[2..]), Ok(()));
    }
}
