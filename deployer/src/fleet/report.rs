//! What came of a fleet: as a table, JSON, Markdown or CSV.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use tuning::Currency;
use tuning::figures;
use tuning::output::Analysis;
use tuning::search::Confidence;

use super::course::Came;
use super::forecast::Forecast;
use super::item::{About, Item};
use super::plan::{LeftOut, Seen};
use crate::commands::scan::{Form, csv_text};
use crate::render::table::{self, Column, Place};

/// The version of the JSON's form.
const VERSION: u32 = 1;

/// What came of a fleet. The field names are those of its JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    schema_version: u32,
    /// The fleet's execution.
    execution_arn: String,
    /// Where its list of functions is: `s3://BUCKET/KEY`.
    plan: String,
    /// The execution's status, as Step Functions has it.
    status: String,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_seconds: Option<f64>,
    /// In a sentence.
    summary: String,
    /// What all amounts are in.
    currency: Currency,
    /// What the runs cost: invocations and state machine.
    cost: f64,
    /// What was estimated beforehand.
    estimate: Forecast,
    /// What the functions with a result cost a month, as far as that is known.
    cost_per_month: f64,
    /// What the chosen sizes save of it.
    saves_per_month: f64,
    /// The one that saves most first.
    functions: Vec<Row>,
    /// Those that were not to be tuned.
    left_out: Vec<LeftOut>,
    #[serde(skip)]
    form: Form,
}

/// What became of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// There is a result.
    Tuned,
    /// Its run failed.
    Failed,
    /// It was not reached, or not finished.
    NotRun,
}

/// One function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    function: String,
    region: String,
    #[serde(rename = "lambdaARN")]
    lambda_arn: String,
    state: State,
    /// Before.
    #[serde(rename = "memoryMB")]
    memory_mb: u32,
    /// The chosen size, in MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    power: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cheaper_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faster_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_per_month: Option<f64>,
    /// What the traffic that was seen costs less with the chosen size; negative when it costs more.
    #[serde(skip_serializing_if = "Option::is_none")]
    saves_per_month: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chart: Option<String>,
    /// The tuning execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error>,
    /// The tuning execution's whole output.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    /// What speaks against applying it, or for looking at it again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    doubts: Vec<String>,
    /// The size before was not measured: what changes against it goes by the curve that AUTO has fitted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_curve: bool,
    /// It keeps its limit only with more memory than it has.
    #[serde(skip)]
    needs_more: bool,
    #[serde(skip)]
    run_cost: f64,
}

#[derive(Debug, Serialize)]
struct Error {
    name: String,
    message: String,
}

/// The execution that a report is of.
pub struct Run {
    /// Its ARN.
    pub execution_arn: String,
    /// Its status.
    pub status: String,
    /// How long it took, in seconds.
    pub took_seconds: Option<f64>,
    /// Where its list is.
    pub plan: String,
}

impl Row {
    fn of(item: Item, came: Option<Came>) -> Self {
        let mut row = Self {
            function: item.function,
            region: item.region,
            lambda_arn: item.lambda_arn,
            state: State::NotRun,
            memory_mb: item.memory_mb,
            power: None,
            cheaper_percent: None,
            faster_percent: None,
            cost_per_month: item.cost_per_month,
            saves_per_month: None,
            confidence: None,
            chart: None,
            execution_arn: None,
            seen: item.seen,
            error: None,
            result: None,
            doubts: Vec::new(),
            by_curve: false,
            needs_more: false,
            run_cost: 0.0,
        };
        match came {
            None => {}
            Some(Came::Failed { execution_arn, name, message }) => row.failed(execution_arn, name, message),
            Some(Came::Tuned { execution_arn, result }) => {
                match serde_json::from_value::<Analysis>(result.clone()) {
                    Ok(analysis) => row.tuned(execution_arn, result, analysis),
                    Err(error) => {
                        let message = format!("its output is no result: {error}");
                        row.failed(Some(execution_arn), "Output".to_owned(), message);
                    }
                }
            }
        }
        row
    }

    fn failed(&mut self, execution_arn: Option<String>, name: String, message: String) {
        self.state = State::Failed;
        self.execution_arn = execution_arn;
        self.error = Some(Error { name, message });
    }

    fn tuned(&mut self, execution_arn: String, result: Value, analysis: Analysis) {
        self.state = State::Tuned;
        self.execution_arn = Some(execution_arn);
        self.result = Some(result);
        self.doubts = analysis.objections();
        self.power = Some(analysis.power);
        let stays = analysis.power == self.memory_mb;
        let baseline = analysis.baseline.as_ref().filter(|_| !stays);
        let measured = baseline.and_then(|baseline| baseline.cheaper_percent.zip(baseline.faster_percent));
        if let Some((cheaper, faster)) =
            measured.or_else(|| by_curve(&analysis, self.memory_mb).filter(|_| !stays))
        {
            (self.cheaper_percent, self.faster_percent) = (Some(cheaper), Some(faster));
            self.by_curve = measured.is_none();
        }
        let share = if stays { Some(0.0) } else { self.cheaper_percent.map(|percent| percent / 100.0) };
        self.saves_per_month = self.cost_per_month.zip(share).map(|(cost, share)| cost * share);
        self.confidence = analysis.confidence;
        let machine = analysis.state_machine;
        self.run_cost = machine.execution_cost + machine.lambda_cost;
        self.chart = Some(machine.visualization);
        self.needs_more = analysis.limit.is_some_and(|limit| limit.kept) && analysis.power > self.memory_mb;
    }

    fn can_save(&self) -> bool {
        self.cheaper_percent.is_some_and(|percent| percent > 0.0)
    }

    /// What came of it, in a few words.
    fn said(&self) -> String {
        match (&self.error, self.state) {
            (Some(_), _) => "failed".to_owned(),
            (None, State::NotRun) => "not run".to_owned(),
            (None, _) if !self.doubts.is_empty() => format!("tune it again: {}", self.doubts.join(" and ")),
            (None, _) if self.power == Some(self.memory_mb) => "is right as it is".to_owned(),
            (None, _) if self.needs_more => "keeps its limit with more memory only".to_owned(),
            _ => String::new(),
        }
    }

    fn sure(&self) -> String {
        self.confidence.map(|confidence| confidence.brief()).unwrap_or_default()
    }
}

impl Report {
    /// Of the items of a fleet and what came of them by their names.
    #[must_use]
    pub fn new(
        run: Run,
        items: Vec<Item>,
        mut came: BTreeMap<String, Came>,
        about: About,
        form: Form,
    ) -> Self {
        let mut functions: Vec<Row> = items
            .into_iter()
            .map(|item| (came.remove(&item.name), item))
            .map(|(came, item)| Row::of(item, came))
            .collect();
        functions.sort_by(|one, other| {
            let saves = |row: &Row| row.saves_per_month.unwrap_or(f64::MIN);
            let order = |row: &Row| (row.state as u8, row.function.clone());
            saves(other).total_cmp(&saves(one)).then_with(|| order(one).cmp(&order(other)))
        });
        let sum = |amount: &dyn Fn(&Row) -> f64| functions.iter().map(amount).sum::<f64>();
        let tuned = |row: &Row| row.state == State::Tuned;
        let mut report = Self {
            schema_version: VERSION,
            execution_arn: run.execution_arn,
            plan: run.plan,
            status: run.status,
            took_seconds: run.took_seconds,
            summary: String::new(),
            currency: about.estimate.currency,
            cost: sum(&|row| row.run_cost),
            cost_per_month: sum(&|row| row.cost_per_month.filter(|_| tuned(row)).unwrap_or_default()),
            saves_per_month: sum(&|row| row.saves_per_month.filter(|_| row.can_save()).unwrap_or_default()),
            estimate: about.estimate,
            left_out: about.left_out,
            functions,
            form,
        };
        report.summary = report.sentence();
        report
    }

    /// Whether any function has a result.
    #[must_use]
    pub fn has_results(&self) -> bool {
        self.functions.iter().any(|row| row.state == State::Tuned)
    }

    /// The same for a wiki or a file.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    fn money(&self, amount: f64) -> String {
        figures::money(amount, self.currency.symbol())
    }

    /// All of it in a sentence.
    fn sentence(&self) -> String {
        let count = |test: &dyn Fn(&Row) -> bool| self.functions.iter().filter(|row| test(row)).count();
        let mut parts = Vec::new();
        let cheaper = count(&Row::can_save);
        let of = match self.cost_per_month {
            cost if cost > 0.0 => {
                format!(", {} a month of {}", self.money(self.saves_per_month), self.money(cost))
            }
            _ => String::new(),
        };
        parts.push(format!("{cheaper} could be cheaper{of}"));
        let right = count(&|row| row.state == State::Tuned && row.power == Some(row.memory_mb));
        let more = count(&|row| row.needs_more);
        let failed = count(&|row| row.state == State::Failed);
        let missing = count(&|row| row.state == State::NotRun);
        let are = |count: usize| if count == 1 { "is" } else { "are" };
        if right > 0 {
            parts.push(format!(
                "{right} {} right as {}",
                are(right),
                if right == 1 { "it is" } else { "they are" }
            ));
        }
        if more > 0 {
            parts.push(format!("{more} would keep the limit only with more memory"));
        }
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        if missing > 0 {
            parts.push(format!("{missing} {} not run", if missing == 1 { "was" } else { "were" }));
        }
        let s = if self.functions.len() == 1 { "" } else { "s" };
        format!("{} function{s}: {}.", self.functions.len(), parts.join("; "))
    }

    fn csv(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "function,region,lambdaARN,state,memoryMB,power,cheaperPercent,fasterPercent,costPerMonth,savesPerMonth,currency,within1,\
             within3,within5,executionArn,chart,said"
        )?;
        let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        for row in &self.functions {
            let within = |share: fn(&Confidence) -> f64| number(row.confidence.as_ref().map(share));
            let state = match row.state {
                State::Tuned => "tuned",
                State::Failed => "failed",
                State::NotRun => "notRun",
            };
            let cells = [
                row.function.clone(),
                row.region.clone(),
                row.lambda_arn.clone(),
                state.to_owned(),
                row.memory_mb.to_string(),
                row.power.map(|power| power.to_string()).unwrap_or_default(),
                number(row.cheaper_percent),
                number(row.faster_percent),
                number(row.cost_per_month),
                number(row.saves_per_month),
                self.currency.code().to_owned(),
                within(|confidence| confidence.within1),
                within(|confidence| confidence.within3),
                within(|confidence| confidence.within5),
                row.execution_arn.clone().unwrap_or_default(),
                row.chart.clone().unwrap_or_default(),
                csv_text(&row.error.as_ref().map_or_else(|| row.said(), |error| error.message.clone())),
            ];
            write!(f, "\n{}", cells.join(","))?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let rows = || self.functions.iter();
        let percent = |row: &Row, percent: Option<f64>| {
            let about = if row.by_curve { "\u{2248} " } else { "" };
            percent.map(|percent| format!("{about}{}", signed(-percent))).unwrap_or_default()
        };
        let mut columns = vec![Column::words("function", 0, rows().map(|row| row.function.clone()))];
        columns.extend([
            Column::figures("now", 0, rows().map(|row| format!("{} MB", row.memory_mb))),
            Column::figures(
                "best",
                0,
                rows().map(|row| row.power.map(|power| format!("{power} MB")).unwrap_or_default()),
            ),
            Column::figures("cost", 0, rows().map(|row| percent(row, row.cheaper_percent))),
            Column::figures("duration", 0, rows().map(|row| percent(row, row.faster_percent))),
            Column::figures(
                "a month",
                2,
                rows().map(|row| row.cost_per_month.map(|cost| self.money(cost)).unwrap_or_default()),
            ),
            Column::figures(
                "saves a month",
                0,
                rows().map(|row| row.saves_per_month.map(|saves| self.money(saves)).unwrap_or_default()),
            ),
            Column::figures("sure", 1, rows().map(Row::sure)),
            Column::words("", 0, rows().map(Row::said)),
        ]);
        if self.form == Form::Markdown {
            let links = rows()
                .map(|row| row.chart.as_ref().map(|link| format!("[chart]({link})")).unwrap_or_default());
            columns.push(Column::words("chart", 0, links));
        }
        table::fitted(columns, if self.form == Form::Markdown { Place::Markdown } else { Place::stdout() })
    }
}

/// By how much less the chosen size costs and takes than another one, in per cent, as the curve of a search has them; nothing of a size that is
/// beyond it.
fn by_curve(analysis: &Analysis, memory_mb: u32) -> Option<(f64, f64)> {
    let curve = &analysis.search.as_ref()?.curve;
    let at = |size: u32| {
        let after = curve.iter().position(|point| point.power >= size)?;
        let (after, before) = (&curve[after], &curve[after.saturating_sub(1)]);
        let log = |size: u32| f64::from(size).ln();
        let span = log(after.power) - log(before.power);
        let share = if span > 0.0 { (log(size) - log(before.power)) / span } else { 1.0 };
        (size >= before.power).then_some(before.middle + share * (after.middle - before.middle))
    };
    let (now, chosen) = (at(memory_mb)?, at(analysis.power)?);
    // Lambda bills memory by time.
    let cost = f64::from(analysis.power) * chosen / (f64::from(memory_mb) * now);
    Some(((1.0 - cost) * 100.0, (1.0 - chosen / now) * 100.0))
}

/// A change in per cent, with its sign.
fn signed(percent: f64) -> String {
    match percent.round() {
        0.0 => "same".to_owned(),
        percent if percent < 0.0 => format!("\u{2212}{} %", figures::fixed(-percent, 0)),
        percent => format!("+{} %", figures::fixed(percent, 0)),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.form == Form::Csv {
            return self.csv(f);
        }
        write!(f, "{}\n\n{}", self.table(), self.summary)?;
        let took =
            self.took_seconds.map(|seconds| format!(" and {}", figures::span(seconds))).unwrap_or_default();
        write!(f, "\nThe runs cost {}{took}; the estimate was {}.", self.money(self.cost), self.estimate)?;
        let failures: Vec<(&Row, &Error)> =
            self.functions.iter().filter_map(|row| Some((row, row.error.as_ref()?))).collect();
        if !failures.is_empty() {
            write!(f, "\nFailed:")?;
            for (row, error) in failures {
                write!(f, "\n- {}: {}", row.function, error.message)?;
            }
        }
        if !self.left_out.is_empty() {
            write!(f, "\nLeft out:")?;
            for one in &self.left_out {
                write!(f, "\n- {}: {}", one.name, one.why)?;
            }
        }
        if self.form == Form::Text && self.has_results() {
            write!(f, "\nCharts:")?;
            for (row, link) in self.functions.iter().filter_map(|row| Some((row, row.chart.as_ref()?))) {
                write!(f, "\n- {}: {link}", row.function)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_measured_goes_by_the_curve_of_the_search() {
        let point = |size: u32, ms: f64| json!([size, ms * 0.9, ms, ms * 1.1]);
        let analysis: Analysis = serde_json::from_value(json!({
            "power": 512, "cost": 1e-6, "duration": 200.0,
            "stateMachine": {"executionCost": 0.0, "lambdaCost": 0.0, "visualization": ""},
            "alternatives": [], "floor": {"power": 128, "because": "range"}, "noise": {"spread": 0.043, "environments": 0.011, "warmUp": 0.0}, "rounds": 1, "invocations": 20,
            "curve": [point(128, 800.0), point(512, 200.0), point(2048, 100.0)],
        }))
        .unwrap();
        // Twice the time with a quarter of the memory.
        assert_eq!(by_curve(&analysis, 2048), Some((50.0, -100.0)));
        // Halfway between 512 and 2,048 on a logarithmic scale.
        let (cheaper, faster) = by_curve(&analysis, 1024).unwrap();
        assert!((cheaper - (1.0 - 512.0 * 200.0 / (1024.0 * 150.0)) * 100.0).abs() < 1e-9, "{cheaper}");
        assert!((faster - (1.0 - 200.0 / 150.0) * 100.0).abs() < 1e-9, "{faster}");
        assert_eq!((by_curve(&analysis, 4096), by_curve(&analysis, 64)), (None, None));
    }
}
