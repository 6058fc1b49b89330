//! What other work on this machine did to the figures, in words.

use tuning::output::{Analysis, Measured, Stat};

/// Why the figures cannot be used, if they cannot: the headline then.
#[must_use]
pub fn headline(analysis: &Analysis) -> Option<String> {
    let most = analysis.unusable.iter().map(|size| size.delay_percent).reduce(f64::max)?;
    let sizes: Vec<String> = analysis.unusable.iter().map(|size| size.value.to_string()).collect();
    Some(format!(
        "These figures cannot be used: other work on this machine kept the function from its CPU for up to {most:.0} % of the time \
         at {} MB. Run it again when the machine is quieter.",
        sizes.join(", ")
    ))
}

/// At which sizes durations may be too long without the choice depending on it.
#[must_use]
pub fn bearable(analysis: &Analysis) -> Option<String> {
    let measured = analysis.stats.iter().flatten().filter_map(Stat::as_measured);
    let delayed = measured.filter_map(|measured: &Measured| {
        let disturbed = measured.disturbed.as_ref().filter(|disturbed| !disturbed.usable)?;
        Some(format!("{:.0} % too long at {} MB", disturbed.delay_percent, measured.value))
    });
    let delayed: Vec<String> = delayed.collect();
    let said = analysis.unusable.is_empty() && !delayed.is_empty();
    said.then(|| {
        format!(
            "Other work on this machine may have made durations up to {}; without that the choice would be the same.",
            delayed.join(", ")
        )
    })
}

/// How many invocations were made again.
#[must_use]
pub fn repeated(analysis: &Analysis) -> Option<String> {
    let measured = analysis.stats.iter().flatten().filter_map(Stat::as_measured);
    let disturbed = measured.filter_map(|measured: &Measured| measured.disturbed.as_ref());
    let repeated: u32 = disturbed.map(|disturbed| disturbed.repeated).sum();
    let made = match repeated {
        0 => return None,
        1 => "1 invocation was made again".to_owned(),
        _ => format!("{repeated} invocations were made again"),
    };
    Some(format!("{made}, since other work on this machine disturbed them; only the second ones count."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_headline_names_the_sizes_and_the_worst_of_them() {
        let mut output = json!({
            "power": 1769, "cost": 2.0e-6, "duration": 100.0,
            "stateMachine": { "executionCost": 0.00045, "lambdaCost": 0.0005, "visualization": "https://x/#a;b;c" },
            "stats": [{ "value": 1769, "averagePrice": 3.0e-6, "averageDuration": 240.0,
                "disturbed": { "repeated": 3, "counted": 5, "delayPercent": 49.6, "usable": false } }],
        });
        let analysis = serde_json::from_value::<Analysis>(output.clone()).unwrap();
        assert_eq!(headline(&analysis), None);
        assert!(repeated(&analysis).unwrap().starts_with("3 invocations were made again"));
        let bearable = bearable(&analysis).unwrap();
        assert!(bearable.contains("up to 50 % too long at 1769 MB"), "{bearable}");
        output["unusable"] =
            json!([{ "value": 1024, "delayPercent": 13.0 }, { "value": 1769, "delayPercent": 49.6 }]);
        let analysis = serde_json::from_value(output).unwrap();
        assert_eq!(super::bearable(&analysis), None);
        let headline = headline(&analysis).unwrap();
        assert!(headline.contains("for up to 50 % of the time at 1024, 1769 MB"), "{headline}");
    }
}
