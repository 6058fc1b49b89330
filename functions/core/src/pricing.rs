//! Money: what AWS asks for a billed duration and for a state transition. After the statistics, before the strategy.
//!
//! The figures are those of `prices.json` beside this file (list price, first tier; public copies of AWS's price lists). Duration
//! costs are GB-seconds × the price of the region and architecture, on billed milliseconds, with 1 GB = 1,024 MB. The
//! request fee is the same for every memory size, so it is known here but never part of a cost. A figure that is not in the
//! table is answered with the default, flagged as such.

mod extras;

use crate::Currency;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

pub use extras::{Extras, FREE_STORAGE, snapshots_note};

/// The two processor architectures of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Architecture {
    /// Intel and AMD; what a function has that says nothing else.
    #[default]
    #[serde(rename = "x86_64")]
    X86_64,
    /// AWS Graviton.
    #[serde(rename = "arm64")]
    Arm64,
}

impl Architecture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Arm64, Self::X86_64];

    /// That of the machine this runs on.
    pub const fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }

    /// The word for it in the Lambda API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word is no architecture of Lambda.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an architecture: use x86_64 or arm64")]
pub struct UnknownArchitecture(pub String);

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(text: &str) -> Result<Self, UnknownArchitecture> {
        match text {
            "arm64" | "aarch64" => Ok(Self::Arm64),
            "x86_64" | "x86-64" | "amd64" => Ok(Self::X86_64),
            _ => Err(UnknownArchitecture(text.to_owned())),
        }
    }
}

/// What Lambda asks in one region for one architecture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LambdaPrice {
    /// Price of one GB-second of billed duration, in `currency`.
    pub per_gb_second: f64,
    /// Price of one request, in `currency`; `None` when not known. The same for every memory size.
    pub per_request: Option<f64>,
    /// What the prices are counted in.
    pub currency: Currency,
    /// Whether `per_gb_second` is this region's own figure rather than the default.
    pub known: bool,
    /// Price of one second of the function's ephemeral storage over 512 MB, in `currency`; 0 without such.
    pub storage_per_second: f64,
    /// Price of one GB of memory that a cold start restores from a SnapStart snapshot, in `currency`; 0 without SnapStart.
    pub per_restored_gb: f64,
}

impl LambdaPrice {
    /// What `billed_ms` milliseconds at `memory_mb` MB cost, without the request fee.
    pub fn cost(&self, memory_mb: u32, billed_ms: f64) -> f64 {
        let seconds = billed_ms / 1000.0;
        f64::from(memory_mb) / 1024.0 * seconds * self.per_gb_second + seconds * self.storage_per_second
    }

    /// What a second costs beside memory, as so much more memory, in MB.
    pub fn besides_mb(&self) -> f64 {
        self.storage_per_second / self.per_gb_second * 1024.0
    }

    /// What restoring an environment of `memory_mb` MB costs, as each cold start with SnapStart does.
    pub fn restore(&self, memory_mb: u32) -> f64 {
        f64::from(memory_mb) / 1024.0 * self.per_restored_gb
    }
}

/// What Step Functions asks for one transition of a standard workflow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransitionPrice {
    /// Price of one state transition, in `currency`.
    pub per_transition: f64,
    /// What the price is counted in.
    pub currency: Currency,
}

/// The price of Lambda's duration in a region.
pub fn lambda(region: &str, architecture: Architecture) -> LambdaPrice {
    let table = &*TABLE;
    let currency = Currency::of_region(region);
    let default = match currency {
        Currency::Usd => table.lambda_gb_second.get("default"),
        Currency::Cny => Some(&table.china.lambda_gb_second),
    };
    let own = match currency {
        Currency::Usd => table.lambda_gb_second.get(region),
        Currency::Cny => default,
    };
    // By way of its digits: a division gives 2.0000000000000002e-7.
    let per_request = |prices: Option<&LambdaPrices>| {
        let million = prices?.requests_per_million?;
        format!("{million}e-6").parse::<f64>().ok()
    };
    let figure = own.and_then(|prices| prices.of(architecture));
    LambdaPrice {
        // China's table has no arm64 figure; its x86_64 figure is the nearest that is in yuan.
        per_gb_second: figure
            .or_else(|| default?.of(architecture))
            .or_else(|| default?.of(Architecture::X86_64))
            .unwrap_or_default(),
        per_request: per_request(own).or_else(|| per_request(default)),
        currency,
        known: figure.is_some(),
        storage_per_second: 0.0,
        per_restored_gb: 0.0,
    }
}

/// The price of a state transition in a region. The table lists only the regions that differ from the usual price.
pub fn transition(region: &str) -> TransitionPrice {
    let table = &*TABLE;
    let currency = Currency::of_region(region);
    let prices = &table.states_transition;
    TransitionPrice {
        per_transition: match currency {
            Currency::Usd => {
                prices.get(region).or_else(|| prices.get("default")).copied().unwrap_or_default()
            }
            Currency::Cny => table.china.states_transition,
        },
        currency,
    }
}

/// How often the state machine moved on, counted from the machine this project deploys.
///
/// Every state entered is one transition. Outside the Map: Initializer, Publisher, its Choice, the Map itself, Cleaner, Analyzer and
/// Optimizer. For each power value inside it: Executor, its Choice and the Succeed state. Each further pass of Publisher or
/// Executor enters that state and its Choice again. Step Functions also bills a retried attempt as a transition; retries are not
/// visible to the functions and therefore not in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transitions {
    /// Times the Publisher ran, at least 1.
    pub publisher_passes: u32,
    /// Power values the Map went through, the skipped ones too.
    pub sizes: u32,
    /// Times the Executor ran, all power values together; at least one each.
    pub executor_passes: u32,
    /// Rounds of a search, each of which enters a Map, the planning and its Choice; `sizes` are the blocks of all rounds then. 0 without
    /// one.
    pub rounds: u32,
}

impl Transitions {
    const OUTSIDE_THE_MAP: u64 = 7;
    const PER_SIZE: u64 = 3;
    const PER_FURTHER_PASS: u64 = 2;
    const PER_ROUND: u64 = 3;

    /// The number of billed transitions.
    pub fn count(&self) -> u64 {
        let further = u64::from(self.publisher_passes.saturating_sub(1))
            + u64::from(self.executor_passes.saturating_sub(self.sizes));
        // The Map of the first round is among those outside.
        let rounds = (Self::PER_ROUND * u64::from(self.rounds)).saturating_sub(1);
        let passes = Self::PER_FURTHER_PASS * further;
        Self::OUTSIDE_THE_MAP + Self::PER_SIZE * u64::from(self.sizes) + passes + rounds
    }

    /// What they cost in a region, in [`TransitionPrice::currency`].
    pub fn cost(&self, region: &str) -> f64 {
        self.count() as f64 * transition(region).per_transition
    }
}

#[derive(Deserialize)]
struct Table {
    lambda_gb_second: BTreeMap<String, LambdaPrices>,
    ephemeral_storage_gb_second: BTreeMap<String, serde_json::Value>,
    snap_start: BTreeMap<String, serde_json::Value>,
    states_transition: BTreeMap<String, f64>,
    china: China,
}

#[derive(Deserialize)]
struct LambdaPrices {
    x86_64: Option<f64>,
    arm64: Option<f64>,
    requests_per_million: Option<f64>,
}

impl LambdaPrices {
    fn of(&self, architecture: Architecture) -> Option<f64> {
        match architecture {
            Architecture::X86_64 => self.x86_64,
            Architecture::Arm64 => self.arm64,
        }
    }
}

#[derive(Deserialize)]
struct China {
    lambda_gb_second: LambdaPrices,
    states_transition: f64,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("prices.json")).expect("the price table is compiled in and tested")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_own_price() {
        let price = lambda("ap-east-1", Architecture::Arm64);
        assert_eq!(price.per_gb_second, 1.83e-5);
        assert_eq!(price.per_request, Some(0.28e-6));
        assert!(price.known);
        assert_eq!(transition("sa-east-1").per_transition, 3.75e-5);
        assert_eq!(transition("us-east-1").per_transition, 2.5e-5);
    }

    #[test]
    fn what_is_not_known_is_the_default_and_says_so() {
        let unknown = lambda("mars-north-1", Architecture::X86_64);
        assert_eq!((unknown.per_gb_second, unknown.known), (1.66667e-5, false));
        let half_known = lambda("us-gov-west-1", Architecture::Arm64);
        assert_eq!((half_known.per_gb_second, half_known.known), (1.33334e-5, false));
        assert!(lambda("us-gov-west-1", Architecture::X86_64).known);
    }

    #[test]
    fn china_is_priced_in_yuan() {
        let price = lambda("cn-north-1", Architecture::X86_64);
        assert_eq!((price.per_gb_second, price.currency), (0.0001136, Currency::Cny));
        assert!(price.known);
        let arm = lambda("cn-northwest-1", Architecture::Arm64);
        assert_eq!((arm.per_gb_second, arm.currency, arm.known), (0.0001136, Currency::Cny, false));
        assert_eq!(arm.per_request, None);
        assert_eq!(transition("cn-north-1").per_transition, 0.0001891);
    }

    #[test]
    fn every_region_that_aws_lists_has_a_row() {
        // Those of Lambda's endpoints in AWS's own SDK, November 2026; China's two are priced in yuan.
        let listed = "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 \
            ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 \
            ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 \
            il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 \
            us-west-1 us-west-2";
        for region in listed.split_whitespace() {
            assert!(TABLE.lambda_gb_second.contains_key(region), "{region}");
        }
        let unknown = lambda("il-central-1", Architecture::X86_64);
        assert_eq!(
            (unknown.per_gb_second, unknown.per_request, unknown.known),
            (1.66667e-5, Some(2e-7), false)
        );
    }

    #[test]
    fn every_row_says_of_when_its_figures_are() {
        let table: serde_json::Value = serde_json::from_str(include_str!("prices.json")).unwrap();
        let is_date = |text: &str| {
            let digits = text.split('-').map(str::len).eq([4, 2, 2]);
            digits && text.chars().all(|letter| letter == '-' || letter.is_ascii_digit())
        };
        let china = ("China".to_owned(), &table["china"]["lambda_gb_second"]);
        let rows = table["lambda_gb_second"].as_object().unwrap();
        for (region, prices) in rows.iter().map(|(region, prices)| (region.clone(), prices)).chain([china]) {
            let source = prices["source"].as_str().unwrap_or_default();
            let known = prices["x86_64"].is_number() || prices["arm64"].is_number();
            let told = if known { source == "undated" || is_date(source) } else { source == "not known" };
            assert!(told, "{region}: {source:?}");
        }
    }

    #[test]
    fn every_figure_of_the_table_is_reached() {
        let table: serde_json::Value = serde_json::from_str(include_str!("prices.json")).unwrap();
        for (region, prices) in table["lambda_gb_second"].as_object().unwrap() {
            for architecture in [Architecture::X86_64, Architecture::Arm64] {
                if let Some(figure) = prices[architecture.name()].as_f64() {
                    let price = lambda(region, architecture);
                    assert_eq!((price.per_gb_second, price.known), (figure, true), "{region}");
                }
            }
        }
    }

    #[test]
    fn a_gigabyte_for_a_second_costs_a_gigabyte_second() {
        let price = lambda("us-east-1", Architecture::X86_64);
        assert!((price.cost(1024, 1000.0) - 1.66667e-5).abs() < 1e-18);
        assert!((price.cost(128, 1.0) - 1.66667e-5 / 8000.0).abs() < 1e-20);
    }

    #[test]
    fn transitions_are_counted_state_by_state() {
        let once = Transitions { publisher_passes: 1, sizes: 3, executor_passes: 3, rounds: 0 };
        assert_eq!(once.count(), 7 + 9);
        let again = Transitions { publisher_passes: 3, sizes: 3, executor_passes: 5, rounds: 0 };
        assert_eq!(again.count(), 7 + 2 * 2 + 9 + 2 * 2);
        assert!((once.cost("us-east-1") - 16.0 * 2.5e-5).abs() < 1e-15);
        // A case recorded from the reference says nothing of passes.
        let unknown = Transitions { publisher_passes: 0, sizes: 2, executor_passes: 0, rounds: 0 };
        assert_eq!(unknown.count(), 13);
        // Two rounds of five and two sizes, of which the second publishes again.
        let searched = Transitions { publisher_passes: 2, sizes: 7, executor_passes: 7, rounds: 2 };
        assert_eq!(searched.count(), 1 + 2 * 2 + 2 * 3 + 7 * 3 + 3);
    }
}
