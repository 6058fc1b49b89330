//! What Lambda bills a function for besides memory and duration: ephemeral storage and SnapStart. After the price of the duration.
//!
//! A charge whose price in a region is not known is left out or computed with another region's, and [`Extras::notes`] says which.

use serde::Deserialize;

use super::{LambdaPrice, TABLE};
use crate::Currency;

/// Ephemeral storage that costs nothing, in MB.
pub const FREE_STORAGE: u32 = 512;

/// The least time that Lambda bills a snapshot for, in seconds.
const LEAST_CACHED_S: f64 = 3.0 * 3600.0;

/// Whose prices stand for those of a region whose own are not known.
const STAND_IN: &str = "us-east-1";

/// The settings of a function that cost something beside memory and duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extras {
    /// Ephemeral storage in MB.
    pub storage_mb: u32,
    /// Whether SnapStart is on and billed: see [`Extras::bills_snap_start`].
    pub snap_start: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct SnapStart {
    cached_gb_second: f64,
    restored_gb: f64,
}

impl Extras {
    /// Whether Lambda bills SnapStart for a runtime: Java's runtimes have it free of charge.
    pub fn bills_snap_start(runtime: &str) -> bool {
        !runtime.starts_with("java")
    }

    /// What to know about a region's costs with these settings: which charges are not in them, or not with the region's own price.
    pub fn notes(&self, region: &str) -> Vec<String> {
        let mut notes = Vec::new();
        if self.storage_mb > FREE_STORAGE {
            match (Currency::of_region(region), storage_price(region)) {
                (Currency::Cny, _) => notes.push(format!(
                    "ephemeral storage over {FREE_STORAGE} MB is in no cost: its price in {region} is not known"
                )),
                (Currency::Usd, (_, false)) => notes.push(format!(
                    "the price of ephemeral storage in {region} is not known: that of {STAND_IN} is used"
                )),
                (Currency::Usd, (_, true)) => {}
            }
        }
        if self.snap_start {
            match snap_start_price(region) {
                None => notes.push(format!("SnapStart is in no cost: its prices in {region} are not known")),
                Some((_, known)) => {
                    if !known {
                        notes.push(format!(
                            "SnapStart's prices in {region} are not known: those of {STAND_IN} are used"
                        ));
                    }
                    notes.push(
                        "costs contain what SnapStart asks for restoring, at each cold start, and not what it asks for \
                         keeping the snapshots of versions"
                            .to_owned(),
                    );
                }
            }
        }
        notes
    }
}

impl LambdaPrice {
    /// The same for a function with these settings. What is not known in yuan costs nothing here.
    #[must_use]
    pub fn with(self, extras: Extras, region: &str) -> Self {
        let storage = f64::from(extras.storage_mb.saturating_sub(FREE_STORAGE)) / 1024.0;
        let storage_price = match self.currency {
            Currency::Usd => storage_price(region).0,
            Currency::Cny => 0.0,
        };
        let restored = extras.snap_start.then(|| snap_start_price(region)).flatten();
        Self {
            storage_per_second: storage * storage_price,
            per_restored_gb: restored.map_or(0.0, |(price, _)| price.restored_gb),
            ..self
        }
    }
}

/// What publishing versions of these sizes, in MB, costs in a region when SnapStart is on and billed; of sizes that are not known, for each GB.
pub fn snapshots_note(region: &str, versions: Option<&[u32]>) -> String {
    let (count, megabytes, per) = match versions {
        Some(sizes) => (format!("{} ", sizes.len()), sizes.iter().map(|&size| u64::from(size)).sum(), ""),
        None => (String::new(), 1024, " for each GB of memory of each"),
    };
    let what = format!(
        "SnapStart: Lambda bills the snapshots of the {count}versions of this run for at least 3 hours each"
    );
    match snap_start_price(region) {
        None => format!("{what}; its prices in {region} are not known"),
        Some((price, known)) => {
            let least = megabytes as f64 / 1024.0 * LEAST_CACHED_S * price.cached_gb_second;
            let prices = if known { String::new() } else { format!(" by the prices of {STAND_IN}") };
            format!("{what}, about ${least:.2}{per}{prices}, and each cold start for restoring")
        }
    }
}

/// USD per GB-second over the free part, and whether that is the region's own price.
fn storage_price(region: &str) -> (f64, bool) {
    let of = |region: &str| TABLE.ephemeral_storage_gb_second.get(region)?.as_f64();
    match of(region) {
        Some(price) => (price, true),
        None => (of("default").unwrap_or_default(), false),
    }
}

/// USD, and whether these are the region's own prices; `None` in yuan.
fn snap_start_price(region: &str) -> Option<(SnapStart, bool)> {
    let of = |region: &str| SnapStart::deserialize(TABLE.snap_start.get(region)?).ok();
    match (Currency::of_region(region), of(region)) {
        (Currency::Cny, _) => None,
        (Currency::Usd, Some(own)) => Some((own, true)),
        (Currency::Usd, None) => Some((of(STAND_IN)?, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, lambda};
    use super::*;

    fn price(region: &str, storage_mb: u32, snap_start: bool) -> LambdaPrice {
        lambda(region, Architecture::X86_64).with(Extras { storage_mb, snap_start }, region)
    }

    #[test]
    fn ephemeral_storage_over_the_free_part_is_paid_for() {
        let plain = lambda("us-east-2", Architecture::X86_64);
        assert_eq!(price("us-east-2", 512, false).cost(1024, 1000.0), plain.cost(1024, 1000.0));
        let more = price("us-east-2", 10_240, false);
        assert!((more.cost(1024, 1000.0) - (1.66667e-5 + 9.5 * 3.09e-8)).abs() < 1e-18);
        // 9.5 GB of storage cost as much as 18 MB of memory.
        assert!((more.besides_mb() - 18.035).abs() < 0.01, "{}", more.besides_mb());
        assert_eq!(plain.besides_mb(), 0.0);
        assert_eq!(price("eu-west-1", 1536, false).storage_per_second, 3.09e-8);
        assert_eq!(price("cn-north-1", 1536, false).storage_per_second, 0.0);
    }

    #[test]
    fn a_restore_is_paid_by_memory() {
        assert_eq!(price("us-east-1", 512, true).restore(2048), 2.0 * 1.397998e-4);
        assert_eq!(price("ap-northeast-2", 512, true).restore(1024), 1.674588e-4);
        assert_eq!(price("us-east-1", 512, false).restore(2048), 0.0);
        assert_eq!(price("cn-north-1", 512, true).restore(2048), 0.0);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let notes = |region, storage_mb, snap_start| Extras { storage_mb, snap_start }.notes(region);
        assert!(notes("eu-west-1", 512, false).is_empty());
        assert!(notes("us-east-1", 1024, false).is_empty());
        assert!(notes("eu-west-1", 1024, false)[0].contains("ephemeral storage in eu-west-1 is not known"));
        assert!(notes("cn-north-1", 1024, true).iter().all(|note| note.contains("in no cost")));
        assert_eq!(notes("us-east-1", 512, true).len(), 1);
        assert!(notes("eu-west-1", 512, true)[0].contains("those of us-east-1 are used"));
    }

    #[test]
    fn snapshots_are_billed_for_three_hours_at_least() {
        // 100 versions of 1 GB, each 10,800 s x $0.0000015046.
        let said = snapshots_note("us-east-1", Some(&[1024; 100]));
        assert!(said.contains("the 100 versions") && said.contains("about $1.62, "), "{said}");
        let each = snapshots_note("eu-west-1", None);
        assert!(
            each.contains("about $0.02 for each GB of memory of each by the prices of us-east-1"),
            "{each}"
        );
        assert!(snapshots_note("cn-north-1", Some(&[128])).contains("not known"));
    }

    #[test]
    fn java_has_snap_start_free_of_charge() {
        assert!(!Extras::bills_snap_start("java21"));
        assert!(Extras::bills_snap_start("python3.13") && Extras::bills_snap_start("dotnet8"));
    }
}
