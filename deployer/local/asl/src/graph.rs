//! Whether a flow's transitions lead somewhere, all of its states are reached, and one of them ends it.

use std::collections::BTreeSet;

use crate::definition::{Flow, Kind, State};
use crate::problems::Problems;

/// Checks a flow and the flows inside it.
pub fn check(flow: &Flow, at: &str, problems: &mut Problems) {
    let mut dangling = |target: &str, place: String| {
        if !flow.states.contains_key(target) {
            problems.transition(&place, format!("Missing 'Next' target: {target}"));
        }
    };
    dangling(&flow.start, format!("{at}/StartAt"));
    for state in flow.states.values() {
        for (target, field) in targets(state) {
            dangling(target, format!("{at}/States/{}/{field}", state.name));
        }
    }
    if flow.states.values().any(ends) {
        let reached = reached(flow);
        for name in flow.states.keys().filter(|name| !reached.contains(name.as_str())) {
            problems
                .transition(&format!("{at}/States/{name}"), format!("State \"{name}\" is not reachable."));
        }
    } else {
        problems.endless();
    }
    for state in flow.states.values() {
        let at = format!("{at}/States/{}", state.name);
        match &state.kind {
            Kind::Map { processor, .. } => check(processor, &format!("{at}/ItemProcessor"), problems),
            Kind::Distributed(map) => check(&map.processor, &format!("{at}/ItemProcessor"), problems),
            Kind::Parallel(branches) => {
                for (i, branch) in branches.iter().enumerate() {
                    check(branch, &format!("{at}/Branches[{i}]"), problems);
                }
            }
            _ => {}
        }
    }
}

fn targets(state: &State) -> Vec<(&str, String)> {
    let mut targets = Vec::new();
    if let Some(next) = &state.next {
        targets.push((next.as_str(), "Next".to_owned()));
    }
    if let Kind::Choice { rules, default } = &state.kind {
        let rules = rules.iter().enumerate();
        targets.extend(rules.map(|(i, (_, next))| (next.as_str(), format!("Choices[{i}]/Next"))));
        targets.extend(default.as_deref().map(|default| (default, "Default".to_owned())));
    }
    let catchers = state.catch.iter().enumerate();
    targets.extend(catchers.map(|(i, catcher)| (catcher.next.as_str(), format!("Catch[{i}]/Next"))));
    targets
}

fn ends(state: &State) -> bool {
    state.next.is_none() && !matches!(state.kind, Kind::Choice { .. })
}

fn reached(flow: &Flow) -> BTreeSet<&str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![flow.start.as_str()];
    while let Some(name) = open.pop() {
        if let Some(state) = flow.states.get(name)
            && reached.insert(name)
        {
            open.extend(targets(state).into_iter().map(|(target, _)| target));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::parse::machine;

    fn problems(start: &str, states: serde_json::Value) -> String {
        machine(&json!({"StartAt": start, "States": states}).to_string())
            .err()
            .map(|p| p.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn the_graph_is_checked_in_the_words_of_aws() {
        let pass = |next: &str| json!({"Type": "Pass", "Next": next});
        let end = json!({"Type": "Pass", "End": true});
        assert_eq!(problems("A", json!({"A": pass("B"), "B": end})), "");
        assert_eq!(
            problems("A", json!({"A": pass("C"), "B": end})),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Next, \
             MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B"
        );
        assert_eq!(
            problems("A", json!({"A": pass("B"), "B": pass("A")})),
            "MISSING_END_STATE: Workflow has no terminal state at null"
        );
        assert_eq!(
            problems("A", json!({"A": pass("NOPE")})),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next, \
             MISSING_END_STATE: Workflow has no terminal state at null"
        );
        assert_eq!(
            problems("X", json!({"A": end})),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /StartAt, \
             MISSING_TRANSITION_TARGET: State \"A\" is not reachable. at /States/A"
        );
    }

    #[test]
    fn every_kind_of_transition_is_followed() {
        let end = json!({"Type": "Succeed"});
        let rule = |next: &str| json!({"Variable": "$.a", "IsNull": true, "Next": next});
        let choice = json!({"Type": "Choice", "Choices": [rule("X"), rule("Y")], "Default": "Z"});
        let text = problems("A", json!({"A": choice, "E": end}));
        for place in ["/States/A/Choices[0]/Next", "/States/A/Choices[1]/Next", "/States/A/Default"] {
            assert!(text.contains(place), "{text}");
        }
        let catch = json!([{"ErrorEquals": ["States.ALL"], "Next": "X"}]);
        let branch = json!({"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "A"}}});
        let text = problems(
            "A",
            json!({"A": {"Type": "Parallel", "Branches": [branch], "Catch": catch, "End": true}}),
        );
        assert!(text.contains("X at /States/A/Catch[0]/Next"), "{text}");
        assert!(text.contains("A at /States/A/Branches[0]/States/B/Next"), "{text}");
    }
}
