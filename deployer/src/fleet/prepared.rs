//! From a plan to the items of a fleet: every function looked up, every input checked, concurrency and money shared out.

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tuning::input::{Defaults, Input, Tune, fields};
use tuning::pricing;

use super::forecast::Forecast;
use super::item::Item;
use super::plan::{LeftOut, Plan, Planned, Seen};
use crate::aws::Aws;
use crate::call::Call;
use crate::commands::scan::monthly_cost;
use crate::commands::tune::with_defaults;
use crate::estimate::money;
use crate::execution::Machine;
use crate::failure::Usage;
use crate::function::{self, Found};

/// Functions that are tuned at a time, unless the account has too little concurrency for it or the user says otherwise.
pub const AT_ONCE: u32 = 10;
/// And at least, whatever calls their estimates come to: most searches take longer than the least.
const LEAST_AT_ONCE: u32 = 2;
/// Invocations at the same time that a run should have at least: a few sizes, side by side.
const RUN_CONCURRENCY: u32 = 10;
/// Calls of Lambda's control plane that a fleet makes a second: half of what an account has, GetFunction aside.
const CALLS_A_SECOND: f64 = 7.5;
/// Functions that are looked up at a time. Lambda answers 100 GetFunction a second.
const LOOKED_UP_AT_ONCE: usize = 8;
/// The largest input, in bytes: Step Functions hands on 262,144, in which there has to be room for the result as well.
const LARGEST_INPUT: usize = 200_000;
/// What a run may take beyond its estimate: retries of what was throttled, waiting for environments.
const PATIENCE_SECONDS: f64 = 1800.0;

/// What the user decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How many functions are tuned at a time.
    pub at_once: Option<u32>,
    /// What the fleet may cost, in the region's currency.
    pub budget: Option<f64>,
    /// How long one function may take, in seconds.
    pub seconds: Option<u64>,
}

/// A fleet that can be started.
#[derive(Debug)]
pub struct Prepared {
    /// The functions to tune.
    pub items: Vec<Item>,
    /// Those that are not tuned.
    pub left_out: Vec<LeftOut>,
    /// How many are tuned at a time.
    pub at_once: u32,
    /// What it will cost and take.
    pub forecast: Forecast,
}

/// A function of the plan, looked up.
struct Checked {
    planned: Planned,
    found: Found,
    input: Input,
    fields: Map<String, Value>,
    forecast: Forecast,
}

/// Looks up what the plan names and makes the items.
///
/// # Errors
/// [`Usage`] with all that is wrong: functions that do not exist, ways of measuring that the stack does not allow, a budget that is less
/// than the least estimate. Calls that failed.
pub async fn prepare(plan: Plan, limits: Limits, machine: &Machine, aws: &Aws) -> anyhow::Result<Prepared> {
    let here = aws.place().region.clone();
    let (functions, elsewhere): (Vec<Planned>, Vec<Planned>) =
        plan.functions.into_iter().partition(|one| one.region.as_ref().is_none_or(|region| *region == here));
    let mut left_out = plan.left_out;
    left_out.extend(elsewhere.into_iter().map(|one| {
        let region = one.region.clone().unwrap_or_default();
        LeftOut {
            name: one.name,
            why: format!("it is in {region}, and this stack tunes functions in {here}: run the plan with --region {region}, too"),
            region: one.region,
        }
    }));
    let found = look_up(&functions, aws).await?;
    let mut problems = Vec::new();
    let mut checked = Vec::new();
    for (planned, found) in functions.into_iter().zip(found) {
        let name = planned.name.clone();
        let one =
            found.map_err(|error| format!("{error:#}")).and_then(|found| check(planned, found, machine));
        match one {
            Ok(one) => checked.push(one),
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    match problems.as_slice() {
        [] => {}
        [problem] => return Err(Usage(format!("nothing was started: {problem}")).into()),
        _ => {
            let list = problems.join("\n  - ");
            let count = problems.len();
            return Err(
                Usage(format!("nothing was started: the plan has {count} problems:\n  - {list}")).into()
            );
        }
    }
    let count = u32::try_from(checked.len()).unwrap_or(u32::MAX);
    let room = room(aws).await?;
    let forecasts: Vec<Forecast> = checked.iter().map(|one| one.forecast.clone()).collect();
    let calls = (Forecast::at_once(&forecasts, CALLS_A_SECOND) as u32).clamp(LEAST_AT_ONCE, AT_ONCE);
    // Runs side by side on one machine take each other's CPU.
    let most = if aws.is_local() { 1 } else { calls.min(room / RUN_CONCURRENCY).max(1) };
    let at_once = limits.at_once.unwrap_or(most);
    let at_once = at_once.min(count.max(1));
    let forecast = Forecast::sum(&forecasts, at_once);
    if let Some(budget) = limits.budget.filter(|budget| *budget < forecast.cost.low) {
        let amount = |amount| money(amount, forecast.currency.symbol());
        return Err(Usage(format!(
            "nothing was started: the fleet costs {} at least, and --budget is {}: raise it, or skip functions in the plan",
            amount(forecast.cost.low),
            amount(budget)
        ))
        .into());
    }
    let each = (room / at_once).max(1);
    let now = jiff::Timestamp::now().as_millisecond();
    let items = checked.into_iter().enumerate().map(|(index, one)| {
        let share = limits.budget.map(|budget| budget * one.forecast.cost.high / forecast.cost.high);
        one.item(&here, each, share, limits.seconds, &format!("{now}-{index}"))
    });
    Ok(Prepared { items: items.collect(), left_out, at_once, forecast })
}

/// Half of the concurrency that the account has for functions without a share of their own: the rest is for its own traffic.
async fn room(aws: &Aws) -> anyhow::Result<u32> {
    let answer = aws.lambda().get_account_settings().send().await.called("lambda:GetAccountSettings");
    let answer = answer.context("asking how many invocations the account may have at the same time")?;
    let unreserved = answer.account_limit().and_then(|limit| limit.unreserved_concurrent_executions());
    Ok(unreserved.and_then(|limit| u32::try_from(limit).ok()).unwrap_or_default() / 2)
}

/// The functions in their order, or why one cannot be looked up.
async fn look_up(functions: &[Planned], aws: &Aws) -> anyhow::Result<Vec<anyhow::Result<Found>>> {
    let mut found: Vec<Option<anyhow::Result<Found>>> = functions.iter().map(|_| None).collect();
    for (number, chunk) in functions.chunks(LOOKED_UP_AT_ONCE).enumerate() {
        let mut running = JoinSet::new();
        for (index, planned) in chunk.iter().enumerate() {
            let (client, name) = (aws.lambda(), planned.name.clone());
            running.spawn(async move { (index, function::configuration_by(&client, &name).await) });
        }
        while let Some(done) = running.join_next().await {
            let (index, answer) = done.context("looking up functions")?;
            let place = number * LOOKED_UP_AT_ONCE + index;
            found[place] = Some(match answer {
                Ok(Some(configuration)) => Found::try_from(&configuration),
                Ok(None) => Err(anyhow::anyhow!(
                    "there is no such function in {}: say `skip` in the plan, or run `deployer scan` anew",
                    aws.place().region
                )),
                // A permission that is missing is so for all of them.
                Err(error) => return Err(error),
            });
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// What would keep a run of the function from starting, or what it will be.
fn check(planned: Planned, found: Found, machine: &Machine) -> Result<Checked, String> {
    let mut fields = planned.input.clone();
    if let Some(sizes) = &machine.sizes {
        fields.entry(fields::POWER_VALUES.name).or_insert_with(|| sizes.clone());
    }
    with_defaults(&mut fields);
    fields.insert(fields::LAMBDA_ARN.name.to_owned(), found.arn.clone().into());
    fields.insert("includeOutputResults".to_owned(), true.into());
    let defaults = Defaults { power_values: vec![found.memory] };
    let input =
        Input::parse(&Value::Object(fields.clone()), &defaults).map_err(|problems| problems.to_string())?;
    match (input.tune, machine.copies.as_deref()) {
        (Tune::Copy, Some("no")) => {
            return Err("the stack makes no copies of functions: `deployer up --copies also --copyable-roles ROLE_ARN` lets it, or say \
                        `in-place = true` in the plan"
                .to_owned());
        }
        (Tune::InPlace, Some("only")) => {
            return Err("the stack measures copies only (`--copies only`): leave `in-place` out of the plan"
                .to_owned());
        }
        _ => {}
    }
    let bytes = Value::Object(fields.clone()).to_string().len();
    if bytes > LARGEST_INPUT {
        return Err(format!(
            "its input has {bytes} bytes, and Step Functions hands on {LARGEST_INPUT} with a result beside it: put the payload into S3 and \
             name it with `payload-s3`"
        ));
    }
    let mut sizes = input.power_values.clone();
    sizes.push(found.memory);
    sizes.sort_unstable();
    sizes.dedup();
    let forecast = Forecast::of(&input, &sizes, &found, planned.seen);
    Ok(Checked { planned, found, input, fields, forecast })
}

impl Checked {
    /// The item: at most `each` of its invocations at the same time, for at most `share` of the budget.
    fn item(self, region: &str, each: u32, share: Option<f64>, seconds: Option<u64>, number: &str) -> Item {
        let Self { planned, found, input, mut fields, forecast } = self;
        let most = input.max_concurrency.map_or(each, |own| own.min(each));
        fields.insert(fields::MAX_CONCURRENCY.name.to_owned(), most.into());
        let budget = [share, input.budget].into_iter().flatten().reduce(f64::min);
        if let Some(budget) = budget {
            fields.insert(fields::BUDGET.name.to_owned(), json!(budget));
        }
        let cost_per_month = planned.seen.map(|seen| monthly(seen, &found, region));
        let name: String = planned.name.chars().take(50).collect();
        Item {
            name: format!("{name}-{number}"),
            function: planned.name,
            region: region.to_owned(),
            lambda_arn: found.arn,
            memory_mb: found.memory,
            seconds: seconds.unwrap_or((2.0 * forecast.seconds.high + PATIENCE_SECONDS).ceil() as u64),
            input: fields,
            seen: planned.seen,
            cost_per_month,
        }
    }
}

/// What it costs a month of 30 days if it goes on as it was seen.
fn monthly(seen: Seen, found: &Found, region: &str) -> f64 {
    let extras = pricing::Extras { storage_mb: found.storage_mb, snap_start: false };
    let price = pricing::lambda(region, found.architecture).with(extras, region);
    monthly_cost(&price, seen.memory_mb, seen.average_ms, seen.invocations / f64::from(seen.days) * 30.0)
}
