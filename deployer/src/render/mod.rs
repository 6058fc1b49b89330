//! The result of a run for people: the recommendation in a sentence, a table, a small chart and the link.

pub mod chart;
pub mod comparison;
pub mod disturbed;
pub mod document;
pub mod doubts;
pub mod monthly;
pub mod processor;
pub mod regression;
pub mod row;
pub mod table;

use std::fmt;
use std::time::Duration;

use local_aws::lambda::CpuShare;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tuning::figures;
use tuning::gate::Gate;
use tuning::input::Input;
use tuning::output::{Analysis, Stat, StoppedBy};
use tuning::sentence;
use tuning::stats::ColdStarts;
use tuning::strategy::Strategy;

use document::Document;
use monthly::Monthly;
use regression::Compared;
use row::Row;
use table::{Marks, Place};

use crate::calibration::Calibration;
use crate::definitions::Written;
use crate::kept::Earlier;
use crate::outcome::Chart;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text,
    /// For a pull request or a wiki.
    Markdown,
}

/// A finished run. As JSON: its [`Document`].
#[derive(Debug)]
pub struct Tuned {
    execution_arn: String,
    function_arn: String,
    input: Option<Input>,
    form: Form,
    keep_stats: bool,
    measured: Option<CpuShare>,
    analysis: Option<Analysis>,
    calibration: Option<Calibration>,
    exceeded: Vec<String>,
    monthly: Option<Monthly>,
    took: Option<Duration>,
    compared: Option<Compared>,
    written: Vec<Written>,
}

impl Tuned {
    /// Takes an execution's output, which must have the figures of every size. `keep_stats` says whether the user wants
    /// them in the JSON as well; `measured` is how functions got their CPU share, if on this machine.
    ///
    /// # Errors
    /// An output that is not the state machine's.
    pub fn new(
        function_arn: &str,
        execution_arn: String,
        output: Value,
        input: Option<Input>,
        keep_stats: bool,
        form: Form,
        measured: Option<CpuShare>,
    ) -> anyhow::Result<Self> {
        let function_arn = function_arn.to_owned();
        let analysis = serde_json::from_value(output)?;
        Ok(Self {
            execution_arn,
            function_arn,
            input,
            form,
            keep_stats,
            measured,
            analysis,
            calibration: None,
            exceeded: Vec::new(),
            monthly: None,
            took: None,
            compared: None,
            written: Vec::new(),
        })
    }

    /// The function's name, without a version or alias of it.
    fn function(&self) -> &str {
        let named = self.function_arn.rsplit(":function:").next().unwrap_or(&self.function_arn);
        named.split(':').next().unwrap_or(named)
    }

    /// The same to be shown in another form.
    #[must_use]
    pub fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The same with what the durations would be on a core of Lambda; in the JSON as `calibrated`.
    #[must_use]
    pub fn calibrated(self, calibration: Option<Calibration>) -> Self {
        Self { calibration, ..self }
    }

    /// The same with the money of a month that has so many invocations; in the JSON as `monthly`.
    #[must_use]
    pub fn monthly(mut self, invocations: Option<u32>) -> Self {
        let (Some(invocations), Some(analysis)) = (invocations, &mut self.analysis) else { return self };
        let monthly = Monthly::new(invocations, analysis);
        if let Some(link) = monthly.link(analysis) {
            analysis.state_machine.visualization = link;
        }
        self.monthly = Some(monthly);
        self
    }

    /// The same with how long the execution took; in the JSON as `tookSeconds`.
    #[must_use]
    pub fn took(self, took: Option<Duration>) -> Self {
        Self { took, ..self }
    }

    /// By how much the averages may be off, in per cent: 1.96 standard errors, of the size where that is most.
    fn uncertainty_percent(analysis: &Analysis) -> Option<f64> {
        let measured = analysis.stats.iter().flatten().filter_map(Stat::as_measured);
        let errors = measured.filter_map(|stat| Some(stat.standard_error? / stat.average_duration * 196.0));
        errors.reduce(f64::max).map(|percent| (percent * 10.0).round() / 10.0)
    }

    /// The same with the limits of this call, which may follow an execution that somebody started without any.
    #[must_use]
    pub fn judged(mut self, gate: &Gate) -> Self {
        let Some(analysis) = &self.analysis else { return self };
        let currency = analysis.prices.as_ref().map_or("USD", |prices| prices.currency.as_str());
        let mut exceeded = analysis.gate.clone().map_or_else(Vec::new, |verdict| verdict.exceeded);
        for limit in gate.judge(analysis.duration, analysis.cost, currency).exceeded {
            if !exceeded.contains(&limit) {
                exceeded.push(limit);
            }
        }
        self.exceeded = exceeded;
        self
    }

    /// How it stands to an earlier result, if there is one to compare with.
    ///
    /// # Errors
    /// An earlier result without the figures that it takes.
    pub fn compare(&self, earlier: Option<&Earlier>, allowed: f64) -> anyhow::Result<Option<Compared>> {
        let (Some(earlier), Some(analysis)) = (earlier, &self.analysis) else { return Ok(None) };
        Compared::new(analysis, earlier, allowed).map(Some)
    }

    /// The same with such a comparison; in the JSON as `regression`.
    #[must_use]
    pub fn compared(self, compared: Option<Compared>) -> Self {
        Self { compared, ..self }
    }

    /// Whether the function has become slower than allowed, beyond doubt.
    #[must_use]
    pub fn is_slower(&self) -> bool {
        self.compared.as_ref().is_some_and(Compared::is_exceeded)
    }

    /// How it stands to an earlier result, where it is slower than allowed or may be.
    #[must_use]
    pub fn doubtful(&self) -> Option<String> {
        self.compared.as_ref().filter(|compared| !compared.is_kept()).map(Compared::sentence)
    }

    /// The same with the files that the chosen size was written to; in the JSON as `written`.
    #[must_use]
    pub fn written(self, written: Vec<Written>) -> Self {
        Self { written, ..self }
    }

    /// The chosen memory size in MB; a dry run has none.
    #[must_use]
    pub fn power(&self) -> Option<u32> {
        self.analysis.as_ref().map(|analysis| analysis.power)
    }

    /// Why the choice is not to be applied, each to be read after "because".
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        let mut all = self.analysis.as_ref().map(Analysis::objections).unwrap_or_default();
        for limit in self.exceeded.iter().map(|limit| format!("it {limit}")) {
            if !all.contains(&limit) {
                all.push(limit);
            }
        }
        all.extend(self.is_slower().then(|| "the function has become slower than allowed".to_owned()));
        all
    }

    /// The limits that the chosen size exceeds: the execution's own and those it was [judged](Self::judged) by.
    #[must_use]
    pub fn exceeded(&self) -> &[String] {
        &self.exceeded
    }

    /// What was applied to the function, or why nothing was, as a sentence.
    #[must_use]
    pub fn applied(&self) -> Option<String> {
        let analysis = self.analysis.as_ref()?;
        Some(analysis.applied.as_ref()?.sentence(self.function(), &analysis.objections()))
    }

    /// The chart, to be shown after the result.
    #[must_use]
    pub fn chart(&self, open: bool) -> Option<Chart> {
        let link = self.analysis.as_ref()?.state_machine.visualization.clone();
        Some(Chart { link, open, serve: open })
    }

    /// What the user should know beside the result.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        warnings.extend(self.analysis.iter().filter_map(|analysis| analysis.prices.as_ref()?.note.clone()));
        let prices = self.analysis.iter().filter_map(|analysis| analysis.prices.as_ref());
        warnings.extend(prices.flat_map(|prices| prices.incomplete.iter().cloned()));
        warnings.extend(self.analysis.iter().flat_map(doubts::doubts));
        warnings.extend(self.analysis.iter().filter_map(|a| doubts::budget(a, self.input.as_ref())));
        warnings.extend(self.analysis.iter().filter_map(doubts::only_cold));
        warnings.extend(self.analysis.iter().flat_map(|analysis| analysis.notes.iter().cloned()));
        warnings.extend(self.ignored());
        if let (Some(measured), Some(analysis)) = (&self.measured, &self.analysis) {
            warnings.extend(processor::differs(self.function(), analysis));
            let rows = Self::rows(analysis);
            let larger = rows.iter().filter(|row| row.memory_mb > measured.largest_memory);
            let larger: Vec<String> = larger.map(|row| row.memory_mb.to_string()).collect();
            if !larger.is_empty() {
                warnings.push(format!(
                    "{} MB: this machine has {} cores, enough for {} MB; Lambda gives more, so what uses several \
                     threads may be faster there",
                    larger.join(", "),
                    measured.cores,
                    measured.largest_memory,
                ));
            }
        }
        warnings
    }

    /// What an older stack does not know: it has applied its choice whatever the limits say, and measured whatever it cost.
    fn ignored(&self) -> Option<String> {
        let (input, analysis) = (self.input.as_ref()?, self.analysis.as_ref()?);
        let mut ignored = Vec::new();
        if input.gate.is_some() && analysis.gate.is_none() {
            let applied = if input.auto_optimize { " and applied the size before it was judged" } else { "" };
            ignored.push(format!("it ignored the gate{applied}"));
        }
        if input.budget.is_some() && analysis.budget.is_none() {
            ignored.push("it ignored the budget".to_owned());
        }
        if input.cold_starts == ColdStarts::Apart && analysis.cold_starts.is_none() {
            ignored.push("cold starts are in the averages".to_owned());
        }
        (!ignored.is_empty()).then(|| {
            let ignored = ignored.join("; ");
            format!("the state machine was deployed by an older version: {ignored}; run `deployer up` once")
        })
    }

    fn rows(analysis: &Analysis) -> Vec<Row> {
        let measured = analysis.stats.iter().flatten().filter_map(Stat::as_measured);
        measured
            .map(|stat| Row {
                memory_mb: stat.value,
                duration_ms: stat.average_duration,
                p95_ms: stat.spread.as_ref().map(|spread| spread.p95),
                on_lambda_ms: None,
                cold_ms: stat.cold_duration,
                cost: stat.average_price,
                lost: stat.lost,
            })
            .collect()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, analysis: &Analysis) -> fmt::Result {
        let currency = match analysis.prices.as_ref().map(|prices| prices.currency.as_str()) {
            Some("CNY") => "¥",
            _ => "$",
        };
        let mut rows = Self::rows(analysis);
        if let Some(calibration) = &self.calibration {
            rows.iter_mut().for_each(|row| row.on_lambda_ms = Some(row.duration_ms * calibration.factor()));
        }
        let marks = Marks {
            chosen: Some(analysis.power),
            current: analysis.baseline.as_ref().map(|baseline| baseline.power),
        };
        let recommendation = self.recommendation(analysis, currency);
        let unusable = disturbed::headline(analysis);
        let sentence = unusable.as_ref().unwrap_or(&recommendation);
        let advice = analysis.alternative.as_ref().map(|alternative| format!("{}.", alternative.summary));
        let advice = match (self.sureness(analysis), advice) {
            _ if unusable.is_some() => Some(format!("By them, {recommendation}")),
            (Some(sure), Some(advice)) => Some(format!("{sure} {advice}")),
            (sure, advice) => sure.or(advice),
        };
        let month = self.monthly.as_ref().map(|monthly| monthly.invocations);
        let place = if self.form == Form::Markdown { Place::Markdown } else { Place::stdout() };
        let table = table::table(&rows, marks, currency, month, place);
        match place {
            Place::Text(columns) => {
                let advice = advice.map(|advice| format!("\n{advice}")).unwrap_or_default();
                let chart = chart::chart(&rows, currency, columns);
                writeln!(f, "{sentence}{advice}\n\n{table}\n\n{chart}\n")?;
            }
            Place::Markdown => {
                let advice = advice.map(|advice| format!("\n\n{advice}")).unwrap_or_default();
                writeln!(f, "**{sentence}**{advice}\n\n{table}\n")?;
            }
        }
        let present = analysis.baseline.as_ref().map(|baseline| baseline.power);
        let month = self.monthly.as_ref().map(|monthly| monthly.sentence(present, currency));
        let other = analysis.other_processor.as_ref().and_then(|other| other.sentence(analysis.power));
        let sentences = [
            other.map(|other| format!("{other}.")),
            Self::effort(analysis),
            self.averages(analysis),
            disturbed::bearable(analysis),
            disturbed::repeated(analysis),
            month,
            Self::no_comparison(analysis),
            self.compared.as_ref().map(Compared::sentence),
            self.applied(),
        ];
        for sentence in sentences.into_iter().flatten() {
            writeln!(f, "{sentence}{}", if self.form == Form::Markdown { "\n" } else { "" })?;
        }
        for written in &self.written {
            writeln!(f, "{written}{}", if self.form == Form::Markdown { "\n" } else { "" })?;
        }
        let skipped = analysis
            .skipped
            .iter()
            .map(|skipped| format!("{} MB was skipped: {}", skipped.value, skipped.reason));
        match self.form {
            Form::Text => skipped.into_iter().try_for_each(|line| writeln!(f, "{line}"))?,
            // Who reads a comment on a pull request has not seen the warnings of the run.
            Form::Markdown => {
                let limits =
                    self.exceeded.iter().map(|limit| format!("The gate is not met: the chosen size {limit}"));
                let items = limits.chain(skipped).chain(self.warnings());
                let list: String = items.map(|item| format!("- {item}\n")).collect();
                if !list.is_empty() {
                    writeln!(f, "{list}")?;
                }
            }
        }
        let state_machine = &analysis.state_machine;
        writeln!(
            f,
            "The run itself{}: {} for the state machine and {} for the function{}.",
            self.took.map(|took| format!(" took {}", figures::span(took.as_secs_f64()))).unwrap_or_default(),
            figures::money(state_machine.execution_cost, currency),
            figures::money(state_machine.lambda_cost, currency),
            if self.measured.is_some() { " (what it would be on AWS; here it cost nothing)" } else { "" },
        )?;
        if let Some(measured) = &self.measured {
            write!(
                f,
                "Measured on this machine: {}, {} cores, CPU shares by {}, memory {}",
                measured.processor, measured.cores, measured.mechanism, measured.memory,
            )?;
            match Self::uncertainty_percent(analysis) {
                Some(percent) => writeln!(f, "; the averages are within \u{b1} {percent} %.")?,
                None => writeln!(f, ".")?,
            }
        }
        if let Some(calibration) = &self.calibration {
            writeln!(f, "On Lambda: what was measured, scaled; {}.", calibration.sentence())?;
        }
        match self.form {
            Form::Text => write!(f, "Chart: {}", state_machine.visualization),
            Form::Markdown => write!(f, "[Chart]({})", state_machine.visualization),
        }
    }

    fn strategy(&self) -> Strategy {
        self.input.as_ref().map_or(Strategy::Cost, |input| input.strategy)
    }

    /// How sure the choice is: of a search, or of a limit.
    fn sureness(&self, analysis: &Analysis) -> Option<String> {
        if let Some(limit) = &analysis.limit {
            let (percentile, measured) = (limit.percentile, figures::duration(limit.measured));
            let percent = figures::fixed((limit.probability * 100.0).floor(), 0);
            let verify = match limit.num {
                Some(num) if limit.kept && analysis.search.is_none() => {
                    format!("; --num {num} would verify it")
                }
                Some(num) if limit.kept => {
                    format!("; --power-values {} --num {num} would verify it", analysis.power)
                }
                _ => String::new(),
            };
            return Some(format!(
                "Its p{percentile} was {measured}; {percent} % sure that it keeps {}{verify}.",
                figures::duration(limit.ms)
            ));
        }
        let sure = format!("{}.", analysis.confidence?.sentence(analysis.power, self.strategy()));
        Some(match &analysis.few_lanes {
            Some(few) => format!("{sure} {}.", few.sentence()),
            None => sure,
        })
    }

    /// What a search took, and why it stopped.
    fn effort(analysis: &Analysis) -> Option<String> {
        let search = analysis.search.as_ref()?;
        let why = match analysis.stopped_by {
            Some(StoppedBy::Confidence) => "it is sure enough",
            Some(StoppedBy::Rounds) => "it has no more rounds",
            _ => "its budget is spent (--max-invocations, --budget)",
        };
        let s = if search.rounds == 1 { "" } else { "s" };
        Some(format!(
            "Searched with {} invocations in {} round{s}; it stopped because {why}.",
            search.invocations, search.rounds
        ))
    }

    /// What is not in the averages.
    fn averages(&self, analysis: &Analysis) -> Option<String> {
        let discard = self.input.as_ref()?.discard_top_bottom;
        let cold: u32 = analysis
            .stats
            .iter()
            .flatten()
            .filter_map(Stat::as_measured)
            .filter(|measured| measured.cold_duration.is_some())
            .filter_map(|measured| measured.cold_starts)
            .sum();
        let trimmed = (discard > 0.0).then(|| {
            let percent = figures::fixed(discard * 100.0, 0);
            format!(
                "the fastest {percent} % and the slowest {percent} % of the invocations (they are trimmed)"
            )
        });
        let apart = (cold > 0).then(|| match cold {
            1 => "the cold start, which stands beside".to_owned(),
            _ => format!("the {cold} cold starts, which stand beside"),
        });
        let left_out: Vec<String> = trimmed.into_iter().chain(apart).collect();
        (!left_out.is_empty()).then(|| format!("Not in the averages: {}.", left_out.join(", and ")))
    }

    /// Why the choice is not compared with the size that the function has, and how it would be.
    fn no_comparison(analysis: &Analysis) -> Option<String> {
        let baseline = analysis.baseline.as_ref().filter(|baseline| baseline.cheaper_percent.is_none())?;
        let present = baseline.power;
        Some(if analysis.skipped.iter().any(|skipped| skipped.value == present) {
            format!(
                "The {present} MB it has now is no size to compare with: the function does not work there."
            )
        } else {
            format!(
                "The {present} MB it has now was not measured: add {present} to --power-values to compare."
            )
        })
    }

    fn recommendation(&self, analysis: &Analysis, currency: &str) -> String {
        let why = match &analysis.limit {
            Some(limit) => {
                let (percentile, ms) = (limit.percentile, figures::duration(limit.ms));
                if limit.kept {
                    format!(", the cheapest measured with p{percentile} within {ms}")
                } else {
                    format!(", the likeliest to keep p{percentile} within {ms}")
                }
            }
            // How sure that is stands in the next sentence.
            None if analysis.search.is_some() => String::new(),
            None => sentence::why(self.strategy()).to_owned(),
        };
        let against = match &analysis.baseline {
            Some(baseline) if baseline.cheaper_percent.is_none() => String::new(),
            Some(baseline) if baseline.power == analysis.power => "; that is what it has already".to_owned(),
            Some(baseline) => format!("; against its {} MB now: {}", baseline.power, baseline.summary),
            None => String::new(),
        };
        let trimmed = match &self.input {
            Some(input) if input.discard_top_bottom > 0.0 => " (trimmed)",
            _ => "",
        };
        format!(
            "{}: {} on average{trimmed} and {} per million invocations{against}.",
            sentence::recommendation(self.function(), analysis.power, &why),
            figures::duration(analysis.duration),
            figures::per_million(analysis.cost, currency),
        )
    }
}

impl fmt::Display for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.analysis {
            Some(analysis) => self.write(f, analysis),
            None => write!(f, "{} ran once at every memory size, and none of them failed.", self.function()),
        }
    }
}

impl Serialize for Tuned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document::of(self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn output() -> Value {
        json!({
            "power": 1024, "cost": 2.0e-6, "duration": 100.0,
            "stateMachine": { "executionCost": 0.00045, "lambdaCost": 0.0005, "visualization": "https://x/#a;b;c" },
            "stats": [
                { "value": 128, "averagePrice": 3.0e-6, "averageDuration": 900.0, "totalCost": 1e-4 },
                { "value": 1024, "averagePrice": 2.0e-6, "averageDuration": 100.0, "totalCost": 1e-4 },
            ],
            "skipped": [{ "value": 64, "reason": "out of memory" }],
            "baseline": { "power": 128, "cheaperPercent": 33.3, "fasterPercent": 88.9, "summary": "33 % cheaper, 89 % faster" },
        })
    }

    fn tuned(output: Value, keep_stats: bool, form: Form) -> Tuned {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:mine";
        Tuned::new(arn, "execution".into(), output, None, keep_stats, form, None).unwrap()
    }

    #[test]
    fn the_text_says_which_size_why_and_against_what() {
        let text = tuned(output(), false, Form::Text).to_string();
        let first = "mine should have 1024 MB, the cheapest: 100 ms on average and $2.00 per million invocations; \
                     against its 128 MB now: 33 % cheaper, 89 % faster.";
        assert_eq!(text.lines().next(), Some(first));
        assert!(text.contains("64 MB was skipped: out of memory"), "{text}");
        assert!(text.ends_with("Chart: https://x/#a;b;c"), "{text}");
    }

    #[test]
    fn a_version_or_alias_is_no_part_of_the_name() {
        for qualifier in ["", ":live", ":7"] {
            let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:mine{qualifier}");
            let tuned =
                Tuned::new(&arn, "execution".into(), output(), None, false, Form::Text, None).unwrap();
            assert!(tuned.to_string().starts_with("mine should have 1024 MB"), "{tuned}");
            assert_eq!(serde_json::to_value(tuned).unwrap()["function"], "mine");
        }
    }

    #[test]
    fn the_json_is_the_output_and_the_execution() {
        let json = serde_json::to_value(tuned(output(), false, Form::Text)).unwrap();
        assert_eq!(json["executionArn"], "execution");
        assert_eq!(json["power"], 1024);
        assert_eq!(json.get("stats"), None);
        let json = serde_json::to_value(tuned(output(), true, Form::Text)).unwrap();
        assert_eq!(json["stats"], output()["stats"]);
    }

    #[test]
    fn a_local_result_says_what_it_was_measured_with() {
        let measured = CpuShare {
            processor: "Z80".to_owned(),
            mechanism: "cgroup v2, 20 ms periods".to_owned(),
            memory: "limited by cgroup v2".to_owned(),
            cores: 0.5,
            largest_memory: 884,
            unavailable: Vec::new(),
        };
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:mine";
        let new = |form| {
            let measured = Some(measured.clone());
            Tuned::new(arn, "execution".into(), output(), None, false, form, measured).unwrap()
        };
        let line = "Measured on this machine: Z80, 0.5 cores, CPU shares by cgroup v2, 20 ms periods, memory limited by \
                    cgroup v2.\n";
        assert!(new(Form::Text).to_string().contains(line) && new(Form::Markdown).to_string().contains(line));
        let json = serde_json::to_value(new(Form::Text)).unwrap();
        assert_eq!(json["measuredHere"]["mechanism"], measured.mechanism);
        let warnings = new(Form::Text).warnings();
        assert!(warnings.len() == 1 && warnings[0].starts_with("1024 MB: this machine has 0.5 cores"));
    }

    #[test]
    fn a_calibrated_result_says_what_it_would_be_on_lambda_and_why() {
        let calibration = Calibration {
            processor: "Z80".to_owned(),
            here_ms: 70.0,
            lambda_ms: 140.0,
            lambda_measured: true,
        };
        let tuned = tuned(output(), false, Form::Text).calibrated(Some(calibration));
        let text = tuned.to_string();
        assert!(text.contains("on Lambda") && text.contains("1.80 s"), "{text}");
        assert!(text.contains("one core of Z80 takes 70.0 ms for a fixed piece of work"), "{text}");
        let json = serde_json::to_value(&tuned).unwrap();
        assert_eq!(json["calibrated"]["factor"], 2.0);
        assert_eq!(json["calibrated"]["stats"][1], json!({"value": 1024, "averageDuration": 200.0}));
        assert_eq!(json["duration"], 100.0);
    }

    #[test]
    fn a_dry_run_has_no_result_but_an_execution() {
        let dry = tuned(Value::Null, false, Form::Text);
        let run = json!({
            "schemaVersion": 1, "executionArn": "execution", "function": "mine", "region": "us-east-1",
            "account": "000000000000",
        });
        assert_eq!(serde_json::to_value(&dry).unwrap(), run);
        assert_eq!(dry.to_string(), "mine ran once at every memory size, and none of them failed.");
    }

    #[test]
    fn markdown_has_a_table_and_a_link() {
        let text = tuned(output(), false, Form::Markdown).to_string();
        assert!(
            text.starts_with("**mine should") && text.contains("|--") && text.contains("[Chart]("),
            "{text}"
        );
        assert!(text.contains("\n\n- 64 MB was skipped: out of memory\n\n"), "{text}");
    }
}
