//! Which results are good enough to be applied.

use tuning::{Currency, figures};

use crate::kept::Kept;

/// What a result has to be like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Choice {
    /// What it has to save a month, in the region's currency.
    pub min_saving: Option<f64>,
    /// By which share invocations may become slower.
    pub max_slowdown: Option<f64>,
    /// How sure it has to be: to be within 5 % of the best size, or to keep its limit.
    pub confidence: Option<f64>,
}

impl Choice {
    /// Why a result is not to be applied, to be read after "because"; none when it is.
    #[must_use]
    pub fn against(&self, kept: &Kept) -> Option<String> {
        let analysis = &kept.analysis;
        let objections = analysis.objections();
        if !objections.is_empty() {
            return Some(format!("{}: tune it again", objections.join(" and ")));
        }
        let baseline = analysis.baseline.as_ref();
        let stays = baseline.is_some_and(|baseline| baseline.power == analysis.power);
        if stays {
            return None;
        }
        let region = analysis.prices.as_ref().map(|prices| prices.region.as_str());
        let symbol = region.map(Currency::of_region).unwrap_or_default().symbol();
        let money = |amount| figures::money(amount, symbol);
        if let Some(least) = self.min_saving {
            match kept.saves_per_month {
                Some(saves) if saves >= least => {}
                Some(saves) if saves < 0.0 => {
                    return Some(format!("it costs {} a month more", money(-saves)));
                }
                Some(saves) => {
                    return Some(format!(
                        "it saves {} a month, less than the {} asked for",
                        money(saves),
                        money(least)
                    ));
                }
                None => return Some("what it saves a month is not known".to_owned()),
            }
        }
        if let Some(most) = self.max_slowdown {
            match baseline.and_then(|baseline| baseline.faster_percent) {
                Some(faster) if -faster <= most * 100.0 => {}
                Some(faster) => {
                    let (slower, most) = (figures::fixed(-faster, 0), figures::trimmed(most * 100.0, 1));
                    return Some(format!(
                        "it makes invocations {slower} % slower, more than the {most} % allowed"
                    ));
                }
                None => {
                    return Some(
                        "the size that it has was not measured, so how much slower it gets is not known"
                            .to_owned(),
                    );
                }
            }
        }
        if let Some(least) = self.confidence {
            let limit = analysis.limit.as_ref().map(|limit| limit.probability);
            match limit.or_else(|| analysis.confidence.map(|confidence| confidence.within5)) {
                Some(sure) if sure >= least => {}
                Some(sure) => {
                    let percent = |share: f64| figures::fixed((share * 100.0).floor(), 0);
                    return Some(format!(
                        "it is {} % sure, less than the {} % asked for",
                        percent(sure),
                        percent(least)
                    ));
                }
                None => return Some("how sure it is is not known".to_owned()),
            }
        }
        None
    }
}
