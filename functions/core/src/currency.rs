//! The two currencies AWS bills Lambda in, shared by prices (which know them) and links (which carry them).

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a cost is counted in. AWS bills in US dollars except in its China regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// US dollars.
    #[default]
    Usd,
    /// Chinese yuan: regions `cn-…`.
    Cny,
}

impl Currency {
    /// The currency a region's prices are in.
    pub fn of_region(region: &str) -> Self {
        if region.starts_with("cn-") { Self::Cny } else { Self::Usd }
    }

    /// ISO 4217 code, as it stands in a chart link's query.
    pub fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Cny => "CNY",
        }
    }

    /// The sign written before an amount.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Usd => "$",
            Self::Cny => "¥",
        }
    }

    /// Reads a link's query (with or without `?`); anything but `currency=CNY` means dollars, as on the page this
    /// one replaces.
    pub fn from_query(query: &str) -> Self {
        let named = query.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("currency="));
        match named {
            Some(code) if code.eq_ignore_ascii_case("CNY") => Self::Cny,
            _ => Self::Usd,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_the_currency() {
        assert_eq!(Currency::from_query("?currency=CNY"), Currency::Cny);
        assert_eq!(Currency::from_query("a=b&currency=cny"), Currency::Cny);
        assert_eq!(Currency::from_query("?currency=EUR"), Currency::Usd);
        assert_eq!(Currency::from_query(""), Currency::Usd);
        assert_eq!(Currency::of_region("cn-north-1"), Currency::Cny);
        assert_eq!(Currency::of_region("us-east-1"), Currency::Usd);
    }
}
