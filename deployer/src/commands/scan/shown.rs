//! A scan as a table, Markdown, CSV and JSON, and as the plan of a fleet.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use tuning::Currency;
use tuning::figures;

use super::judged::Judged;
use crate::fleet::plan;
use crate::render::table::{self, Column, Place};
use crate::traffic::Window;

/// How a scan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text,
    /// For a wiki.
    Markdown,
    /// For a spreadsheet.
    Csv,
}

/// What a scan found. The field names are those of its JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scan {
    /// In days.
    days: u32,
    /// From when on, in RFC 3339.
    start: String,
    /// Until when.
    end: String,
    regions: Vec<String>,
    /// The currency of all amounts but `scan_cost`: `USD` or `CNY`.
    currency: Currency,
    /// What all of them cost a month.
    cost_per_month: f64,
    /// What those could save of it at most that are worth a run.
    saves_at_most_per_month: f64,
    /// Figures that CloudWatch was asked for.
    figures_requested: usize,
    /// What it bills for them, in USD.
    scan_cost: f64,
    /// The dearest first.
    functions: Vec<Row>,
    /// What to know about the amounts.
    notes: Vec<String>,
    #[serde(skip)]
    form: Form,
}

/// One function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "function")]
    name: String,
    arn: String,
    region: String,
    runtime: String,
    architecture: &'static str,
    #[serde(rename = "memoryMB")]
    memory_mb: u32,
    timeout_seconds: u32,
    /// In the time that was looked at.
    invocations: f64,
    errors: f64,
    /// Nothing of a function that was not invoked.
    average_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    cost_per_month: f64,
    saves_at_most_per_month: f64,
    worth_a_run: bool,
    why: String,
}

impl Row {
    fn of(judged: &Judged) -> Self {
        let (found, measured) = (&judged.found, &judged.measured);
        let told = |ms: f64| (measured.invocations > 0.0).then_some(ms);
        Self {
            name: found.name.clone(),
            arn: found.arn.clone(),
            region: found.region.clone(),
            runtime: found.runtime.clone(),
            architecture: found.architecture.name(),
            memory_mb: found.memory_mb,
            timeout_seconds: found.timeout_s,
            invocations: measured.invocations,
            errors: measured.errors,
            average_ms: told(measured.average_ms),
            p95_ms: told(measured.p95_ms),
            p99_ms: told(measured.p99_ms),
            cost_per_month: judged.cost_per_month,
            saves_at_most_per_month: judged.saves_at_most,
            worth_a_run: judged.worth_a_run,
            why: judged.why.clone(),
        }
    }

    fn was_invoked(&self) -> bool {
        self.invocations > 0.0
    }
}

impl Scan {
    /// The result of a scan, the dearest function first.
    #[must_use]
    pub fn new(
        judged: Vec<Judged>,
        regions: Vec<String>,
        window: Window,
        figures_requested: usize,
        form: Form,
    ) -> Self {
        let time =
            |second| jiff::Timestamp::from_second(second).map(|time| time.to_string()).unwrap_or_default();
        let sum = |amount: &dyn Fn(&Judged) -> f64| judged.iter().map(amount).sum::<f64>();
        let worth = |one: &Judged| if one.worth_a_run { one.saves_at_most } else { 0.0 };
        let mut guessed: Vec<&str> = judged
            .iter()
            .filter(|one| !one.priced && one.measured.invocations > 0.0)
            .map(|one| one.found.region.as_str())
            .collect();
        guessed.sort_unstable();
        guessed.dedup();
        let mut notes = Vec::new();
        if judged.iter().any(|one| one.cost_per_month > 0.0) {
            notes.push(
                "Costs are those of 30 days at list prices, from invocations and average durations. Lambda bills initializations as \
                 well, which no metric tells: they are not in them."
                    .to_owned(),
            );
        }
        if !guessed.is_empty() {
            notes.push(format!(
                "The price of {} is not known for each processor: the usual one is used.",
                guessed.join(", ")
            ));
        }
        Self {
            days: window.days,
            start: time(window.start),
            end: time(window.end),
            currency: judged.first().map(|one| one.currency).unwrap_or_default(),
            cost_per_month: sum(&|one| one.cost_per_month),
            saves_at_most_per_month: sum(&worth),
            figures_requested,
            scan_cost: super::cost(figures_requested),
            functions: judged.iter().map(Row::of).collect(),
            regions,
            notes,
            form,
        }
    }

    fn money(&self, amount: f64) -> String {
        figures::money(amount, self.currency.symbol())
    }

    /// How many are worth a run.
    fn worth(&self) -> usize {
        self.functions.iter().filter(|row| row.worth_a_run).count()
    }

    /// The functions as a plan has them, those not worth a run to be skipped.
    #[must_use]
    pub fn plan(&self) -> plan::Draft {
        let functions = self.functions.iter().map(|row| plan::Drafted {
            name: row.name.clone(),
            region: row.region.clone(),
            about: self.about(row),
            seen: row.average_ms.zip(row.p99_ms).map(|(average_ms, p99_ms)| plan::Seen {
                days: self.days,
                invocations: row.invocations,
                average_ms,
                p99_ms,
                memory_mb: row.memory_mb,
            }),
            skip: (!row.worth_a_run).then(|| row.why.clone()),
        });
        plan::Draft {
            about: format!("The last {}, seen at {}.", days(self.days), self.end),
            functions: functions.collect(),
        }
    }

    /// A function in a sentence.
    fn about(&self, row: &Row) -> String {
        let what = format!("{} MB, {}, {}", row.memory_mb, row.architecture, row.runtime);
        if !row.was_invoked() {
            return what;
        }
        let why = if row.worth_a_run { format!("; {}", row.why) } else { String::new() };
        format!("{what}: {} a month{why}", self.money(row.cost_per_month))
    }

    /// What was written where.
    #[must_use]
    pub fn wrote(&self, file: &Path) -> String {
        let skipped = self.functions.len() - self.worth();
        format!(
            "wrote {}: {} to tune, each once it has a payload; {skipped} to skip",
            file.display(),
            functions(self.worth()),
        )
    }

    fn csv(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "function,arn,region,runtime,architecture,memoryMB,timeoutSeconds,invocations,errors,averageMs,p95Ms,p99Ms,costPerMonth,\
             savesAtMostPerMonth,currency,worthARun,why"
        )?;
        let optional = |ms: Option<f64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
        for row in &self.functions {
            write!(
                f,
                "\n{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                row.name,
                row.arn,
                row.region,
                row.runtime,
                row.architecture,
                row.memory_mb,
                row.timeout_seconds,
                row.invocations,
                row.errors,
                optional(row.average_ms),
                optional(row.p95_ms),
                optional(row.p99_ms),
                row.cost_per_month,
                row.saves_at_most_per_month,
                self.currency.code(),
                row.worth_a_run,
                csv_text(&row.why),
            )?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let rows = || self.functions.iter().filter(|row| row.was_invoked());
        let duration = |ms: Option<f64>| ms.map(figures::duration).unwrap_or_default();
        let mut columns = vec![Column::words("function", 0, rows().map(|row| row.name.clone()))];
        if self.regions.len() > 1 {
            columns.push(Column::words("region", 0, rows().map(|row| row.region.clone())));
        }
        columns.extend([
            Column::words("runtime", 6, rows().map(|row| row.runtime.clone())),
            Column::words("processor", 6, rows().map(|row| row.architecture.to_owned())),
            Column::figures("memory", 0, rows().map(|row| format!("{} MB", row.memory_mb))),
            Column::figures("invocations", 2, rows().map(|row| count(row.invocations))),
            Column::figures("average", 1, rows().map(|row| duration(row.average_ms))),
            Column::figures("p95", 4, rows().map(|row| duration(row.p95_ms))),
            Column::figures("p99", 5, rows().map(|row| duration(row.p99_ms))),
            Column::figures("errors", 3, rows().map(|row| count(row.errors))),
            Column::figures("a month", 0, rows().map(|row| self.money(row.cost_per_month))),
            Column::words(
                "worth a run",
                0,
                rows().map(|row| if row.worth_a_run { "yes" } else { "no" }.to_owned()),
            ),
            Column::words("why", 3, rows().map(|row| row.why.clone())),
        ]);
        let place = if self.form == Form::Markdown { Place::Markdown } else { Place::stdout() };
        table::fitted(columns, place)
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.form == Form::Csv {
            return self.csv(f);
        }
        let invoked = self.functions.iter().filter(|row| row.was_invoked()).count();
        let idle = self.functions.len() - invoked;
        if self.functions.is_empty() {
            return write!(f, "There is no such function in {}.", self.regions.join(", "));
        }
        if invoked > 0 {
            write!(f, "{}\n\n", self.table())?;
            let cost = if invoked == 1 { "costs" } else { "cost" };
            let saves = match self.saves_at_most_per_month {
                saves if saves > 0.0 => format!(", which could save up to {} of it", self.money(saves)),
                _ => String::new(),
            };
            let worth = match self.worth() {
                0 => "none is".to_owned(),
                1 => "1 is".to_owned(),
                worth => format!("{} are", count(worth as f64)),
            };
            write!(
                f,
                "{} {cost} {} a month, going by the last {}; {worth} worth a run{saves}.",
                functions(invoked),
                self.money(self.cost_per_month),
                days(self.days),
            )?;
        }
        if idle > 0 {
            let were = if idle == 1 { "was" } else { "were" };
            let line = if invoked > 0 { "\n" } else { "" };
            write!(f, "{line}{} {were} not invoked in the last {}.", functions(idle), days(self.days))?;
        }
        for note in &self.notes {
            write!(f, "\n{note}")?;
        }
        Ok(())
    }
}

/// A text as a cell of comma-separated values (RFC 4180).
#[must_use]
pub fn csv_text(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// So many functions, in words.
pub fn functions(count: usize) -> String {
    if count == 1 {
        "1 function".to_owned()
    } else {
        format!("{} functions", figures::fixed(count as f64, 0))
    }
}

fn days(days: u32) -> String {
    if days == 1 { "day".to_owned() } else { format!("{days} days") }
}

fn count(number: f64) -> String {
    figures::fixed(number, 0)
}
