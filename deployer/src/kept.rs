//! Results that were kept: read back from files and chart links, for the verbs that go on from them.

use std::path::Path;

use serde_json::Value;
use tuning::output::{Analysis, Stat};
use tuning::url;

use crate::failure::Usage;

/// A result in a file.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The function's name or ARN, where the file has it.
    pub function: Option<String>,
    /// The region that it is in.
    pub region: Option<String>,
    /// The account that it is in, twelve digits.
    pub account: Option<String>,
    /// Invocations of each size that were asked for.
    pub num: Option<u32>,
    /// The result itself.
    pub analysis: Analysis,
    /// Whether it is one of a fleet's.
    pub of_fleet: bool,
    /// What it saves a month in real traffic, where that is known.
    pub saves_per_month: Option<f64>,
}

impl Kept {
    /// One document: what `tune --json` prints, an execution's output, or what `aws stepfunctions describe-execution` says of it.
    fn of(document: &Value) -> Result<Self, String> {
        let text = |document: &Value, name: &str| document[name].as_str().map(str::to_owned);
        if let (Some(output), Some(execution)) = (document["output"].as_str(), text(document, "executionArn"))
        {
            let inner: Value =
                serde_json::from_str(output).map_err(|error| format!("its output: {error}"))?;
            let input: Value =
                serde_json::from_str(document["input"].as_str().unwrap_or("null")).unwrap_or_default();
            let kept = Self::of(&inner)?;
            let function = text(&input, "lambdaARN");
            // The execution may be in another account than the function.
            let account = account_of(function.as_deref()).or_else(|| account_of(Some(&execution)));
            return Ok(Self { function: function.or(kept.function), account, ..kept });
        }
        let analysis = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
        Ok(Self {
            function: text(document, "function"),
            region: text(document, "region"),
            account: text(document, "account").or_else(|| account_of(document["executionArn"].as_str())),
            num: document["num"].as_u64().and_then(|num| u32::try_from(num).ok()),
            analysis,
            of_fleet: false,
            saves_per_month: None,
        })
    }

    /// The results of a document: one, or those of the functions of a fleet, of which some may have none.
    fn all(document: &Value) -> Result<Vec<Self>, String> {
        let Some(functions) = document["functions"].as_array() else { return Ok(vec![Self::of(document)?]) };
        let mut kept = Vec::new();
        for entry in functions {
            let inner = if entry["result"].is_object() { &entry["result"] } else { entry };
            if !inner["power"].is_number() {
                continue;
            }
            let one = Self::of(inner)?;
            let function = entry["function"].as_str().map(str::to_owned);
            let region = entry["region"].as_str().map(str::to_owned);
            kept.push(Self {
                function: function.or(one.function),
                region: region.or(one.region),
                of_fleet: true,
                saves_per_month: entry["savesPerMonth"].as_f64(),
                ..one
            });
        }
        Ok(kept)
    }

    /// The figures of every size, where the file has them.
    #[must_use]
    pub fn stats(&self) -> Option<&[Stat]> {
        self.analysis.stats.as_deref()
    }
}

/// The account in an ARN.
fn account_of(arn: Option<&str>) -> Option<String> {
    Some(arn?.split(':').nth(4).filter(|account| !account.is_empty())?.to_owned())
}

/// Reads a file with results.
///
/// # Errors
/// [`Usage`]: a file that cannot be read, or that holds no result.
pub fn read(file: &Path) -> Result<Vec<Kept>, Usage> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Usage(format!("{name}: {error}")))?;
    let document: Value =
        serde_json::from_str(&text).map_err(|error| Usage(format!("{name} is not JSON: {error}")))?;
    let error = document["error"]["message"].as_str();
    if let Some(error) = error {
        return Err(Usage(format!("{name} holds no result, but a failure: {error}")));
    }
    let kept = Kept::all(&document).map_err(|error| {
        Usage(format!(
            "{name} holds no result ({error}): name a file with what `deployer tune --json` prints, or with an execution's output"
        ))
    })?;
    if kept.is_empty() { Err(Usage(format!("{name} holds no result of any function"))) } else { Ok(kept) }
}

/// A result that others are compared with.
#[derive(Debug)]
pub enum Earlier {
    /// A file's.
    File(Box<Kept>),
    /// A chart link's: its first run.
    Link(Box<url::Run>),
}

impl Earlier {
    /// Reads a file, or a chart link or what stands after its `#`.
    ///
    /// # Errors
    /// [`Usage`], naming the text.
    pub fn read(text: &str) -> Result<Self, Usage> {
        let file = Path::new(text);
        if file.is_file() {
            let mut kept = read(file)?;
            if kept.len() > 1 {
                return Err(Usage(format!(
                    "{text} has results of {} functions: name a file with one",
                    kept.len()
                )));
            }
            return Ok(Self::File(Box::new(kept.remove(0))));
        }
        let hash = text.split_once('#').map_or(text, |(_, hash)| hash);
        match url::decode(hash) {
            Ok(mut runs) if !runs.is_empty() => Ok(Self::Link(Box::new(runs.remove(0)))),
            Ok(_) => Err(Usage(format!("{text} holds no run"))),
            Err(error) => Err(Usage(format!("{text} is neither a file nor a chart link: {error}"))),
        }
    }
}
