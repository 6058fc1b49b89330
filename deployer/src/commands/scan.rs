//! `scan`: the functions of an account with what they cost and take, and which of them are worth a tuning run.
//!
//! ListFunctions says which there are ([`found`]), CloudWatch what they did ([`crate::traffic`]); what that costs and what a run could save
//! at most is [`judged`], and [`shown`] as a table, JSON, Markdown, CSV or a fleet's plan. Nothing is changed.

mod found;
mod judged;
mod shown;

use std::path::PathBuf;

use anyhow::Context as _;
use tuning::figures;

use crate::aws::Aws;
use crate::context::Context;
use crate::failure::Usage;
use crate::fleet;
use crate::outcome::Outcome;
use crate::traffic::{self, Measured, REQUEST_PRICE, Window};
use found::{Chosen, Found};
use judged::Judged;
pub use judged::monthly_cost;
use shown::Scan;
pub use shown::{Form, csv_text, functions};

/// The resolved options of `scan`.
#[derive(Debug)]
pub struct Options {
    /// Names of functions, with `*` and `?`; all when there is none.
    pub names: Vec<String>,
    /// Tags that a function has to have, all of them.
    pub tags: Vec<(String, String)>,
    /// The regions; the one in use when there is none.
    pub regions: Vec<String>,
    /// How many days back to look.
    pub days: u32,
    /// What a run has to be able to save a month, in the region's currency.
    pub min_saving: f64,
    /// What the scan itself may cost in USD without asking.
    pub ask_above: f64,
    /// The form of the result.
    pub form: Form,
    /// The plan file to write.
    pub write: Option<PathBuf>,
    /// Whether a file that is there already may be written anew.
    pub force: bool,
}

/// Looks at the functions, and writes a plan where one is asked for.
///
/// # Errors
/// [`Usage`] for a plan file that is there already, or for a scan that has to be asked for without a terminal; calls that failed.
pub async fn run(options: Options, context: &Context) -> anyhow::Result<Outcome> {
    if let Some(file) = options.write.as_ref().filter(|file| !options.force && file.exists()) {
        return Err(Usage(format!(
            "{} is there already, and somebody may have edited it: name another file with --write, or say --force to write \
             it anew",
            file.display()
        ))
        .into());
    }
    let aws = context.aws().await?;
    let regions = match options.regions.is_empty() {
        true => vec![aws.place().region.clone()],
        false => options.regions.clone(),
    };
    let chosen = Chosen::new(&options.names, &options.tags);
    let mut functions = Vec::new();
    for region in &regions {
        context.events.started(format!("listing the functions in {region}"));
        let listed = found::list(aws, &context.events, region, &chosen).await?;
        context.events.finished(listed.to_string());
        functions.extend(listed.functions);
    }
    let window = Window::last(options.days);
    let most = functions.len() * traffic::FIGURES;
    consent(most, functions.len(), &options, aws, context).await?;
    let (measured, requested) = measure(aws, &functions, window, context).await?;
    let mut judged: Vec<Judged> = functions
        .into_iter()
        .zip(measured)
        .map(|(found, measured)| Judged::new(found, measured, window, options.min_saving))
        .collect();
    judged.sort_by(|one, other| {
        let by_cost = other.cost_per_month.total_cmp(&one.cost_per_month);
        by_cost
            .then_with(|| (&one.found.name, &one.found.region).cmp(&(&other.found.name, &other.found.region)))
    });
    let scan = Scan::new(judged, regions, window, requested, options.form);
    if let Some(file) = &options.write {
        let plan = fleet::plan::written(&scan.plan());
        std::fs::write(file, plan).with_context(|| format!("writing {}", file.display()))?;
        context.events.finished(scan.wrote(file));
    }
    Outcome::new(&scan)
}

/// Says what CloudWatch will bill at most, and asks above a limit.
async fn consent(
    most: usize,
    functions: usize,
    options: &Options,
    aws: &Aws,
    context: &Context,
) -> anyhow::Result<()> {
    if most == 0 {
        return Ok(());
    }
    let cost = cost(most);
    let free = if aws.is_local() { "; here they cost nothing" } else { "" };
    let price = figures::trimmed(REQUEST_PRICE * 1000.0, 4);
    context.events.note(format!(
        "CloudWatch bills ${price} for 1,000 figures: {} × {} figures are {} at most{free}",
        shown::functions(functions),
        traffic::FIGURES,
        figures::money(cost, "$"),
    ));
    if aws.is_local() || cost <= options.ask_above {
        return Ok(());
    }
    context.can_confirm()?;
    let question = format!("Ask CloudWatch for up to {} figures?", figures::fixed(most as f64, 0));
    anyhow::ensure!(context.confirm(&question).await?, "declined; CloudWatch was asked for nothing");
    Ok(())
}

/// What CloudWatch bills for so many figures, in USD.
fn cost(figures: usize) -> f64 {
    figures as f64 * REQUEST_PRICE
}

/// What each function did, in their order, and how many figures were asked for.
async fn measure(
    aws: &Aws,
    functions: &[Found],
    window: Window,
    context: &Context,
) -> anyhow::Result<(Vec<Measured>, usize)> {
    let mut measured = vec![Measured::default(); functions.len()];
    let mut requested = 0;
    if functions.is_empty() {
        return Ok((measured, requested));
    }
    context.events.started("asking CloudWatch what they did");
    let mut regions: Vec<&str> = functions.iter().map(|found| found.region.as_str()).collect();
    regions.dedup();
    for region in regions {
        let of_region: Vec<(usize, &str)> = functions
            .iter()
            .enumerate()
            .filter(|(_, found)| found.region == region)
            .map(|(index, found)| (index, found.name.as_str()))
            .collect();
        let names: Vec<&str> = of_region.iter().map(|(_, name)| *name).collect();
        let (all, count) = traffic::measure(aws, &context.events, region, &names, window).await?;
        requested += count;
        for ((index, _), one) in of_region.into_iter().zip(all) {
            measured[index] = one;
        }
    }
    let said = figures::money(cost(requested), "$");
    context
        .events
        .finished(format!("CloudWatch told {} figures ({said})", figures::fixed(requested as f64, 0)));
    Ok((measured, requested))
}
