//! What can be known to be wrong with a flow before it runs.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Course, Next, ResultPath};
use super::{Flow, State};
use crate::node::Node;
use crate::problem::Problem;

/// Step Functions' own limit for a state's name, in characters.
const LONGEST_NAME: usize = 80;

impl Flow {
    /// Everything that is wrong: names used twice, targets that do not exist, states that are never reached or
    /// from which no end can be, missing ends, paths that are none.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = BTreeMap::new();
        self.count_names(&mut seen);
        for (name, count) in &seen {
            if *count > 1 {
                problems.push(Problem::new(
                    at(name),
                    format!("the name is used {count} times, inner flows included"),
                ));
            }
        }
        self.check(&mut problems);
        problems
    }

    fn count_names(&self, seen: &mut BTreeMap<String, usize>) {
        for (name, state) in &self.states {
            *seen.entry(name.clone()).or_default() += 1;
            if let Some(items) = state.inner() {
                items.count_names(seen);
            }
        }
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if !self.has(&self.start) {
            problems.push(Problem::new(
                "flow",
                format!("it starts at '{}', which is no state of it", self.start),
            ));
        }
        for (name, state) in &self.states {
            let mut say = |message: String| problems.push(Problem::new(at(name), message));
            if name.is_empty() || name.chars().count() > LONGEST_NAME {
                say(format!("a state's name has 1 to {LONGEST_NAME} characters"));
            }
            for target in targets(state) {
                if !self.has(target) {
                    say(format!("it leads to '{target}', which is no state of the same flow"));
                }
            }
            check_state(state, &mut say);
            if let Some(items) = state.inner() {
                items.check(problems);
            }
        }
        self.check_ways(problems);
    }

    fn has(&self, name: &str) -> bool {
        self.states.iter().any(|(other, _)| other == name)
    }

    /// Every state must be reachable from the start, and an end from every state. A state that leads nowhere is
    /// reported as that, so it counts as an end here: one mistake is told once.
    fn check_ways(&self, problems: &mut Vec<Problem>) {
        let mut reached = BTreeSet::from([self.start.as_str()]);
        let over = |state: &State| {
            ends(state) || leads_nowhere(state) || targets(state).iter().any(|target| !self.has(target))
        };
        let mut ending: BTreeSet<&str> =
            self.states.iter().filter(|(_, state)| over(state)).map(|(name, _)| name.as_str()).collect();
        // Once per state is enough: every round adds at least one or none is left to add.
        for _ in &self.states {
            for (name, state) in &self.states {
                if reached.contains(name.as_str()) {
                    reached.extend(targets(state));
                }
                if targets(state).iter().any(|target| ending.contains(target)) {
                    ending.insert(name);
                }
            }
        }
        for (name, _) in &self.states {
            if !reached.contains(name.as_str()) && self.has(&self.start) {
                problems.push(Problem::new(at(name), "no way from the start leads here"));
            }
            if !ending.contains(name.as_str()) {
                problems.push(Problem::new(at(name), "no way from here leads to an end"));
            }
        }
    }
}

fn at(state: &str) -> String {
    format!("state '{state}'")
}

fn course(state: &State) -> Option<&Course> {
    match state {
        State::Task(task) => Some(&task.course),
        State::Map(map) => Some(&map.course),
        State::DistributedMap(map) => Some(&map.course),
        State::Choice(_) | State::Succeed | State::Fail(_) => None,
    }
}

fn targets(state: &State) -> Vec<&str> {
    if let State::Choice(choice) = state {
        let branches = choice.branches.iter().map(|(_, target)| target.as_str());
        return branches.chain(choice.otherwise.as_deref()).collect();
    }
    let Some(course) = course(state) else { return Vec::new() };
    let next = match &course.next {
        Some(Next::State(name)) => Some(name.as_str()),
        Some(Next::End) | None => None,
    };
    next.into_iter().chain(course.catch.iter().map(|catch| catch.next.as_str())).collect()
}

fn ends(state: &State) -> bool {
    matches!(state, State::Succeed | State::Fail(_))
        || course(state).is_some_and(|course| course.next == Some(Next::End))
}

fn leads_nowhere(state: &State) -> bool {
    match state {
        State::Choice(choice) => choice.branches.is_empty(),
        other => course(other).is_some_and(|course| course.next.is_none()),
    }
}

fn check_state(state: &State, say: &mut dyn FnMut(String)) {
    if let Some(course) = course(state) {
        check_course(course, say);
    }
    match state {
        State::Task(task) => {
            check_members("Parameters", task.parameters.as_ref(), say);
            check_members("ResultSelector", task.result_selector.as_ref(), say);
            if let Some(path) = &task.timeout {
                check_path("TimeoutSecondsPath", path, say);
            }
        }
        State::Map(map) => {
            check_path("ItemsPath", &map.items_path, say);
            check_members("ItemSelector", map.item_selector.as_ref(), say);
            if let Some(path) = &map.at_a_time {
                check_path("MaxConcurrencyPath", path, say);
            }
        }
        State::DistributedMap(map) => {
            check_path("Key of the reader", &map.key, say);
            check_path("Prefix of the results", &map.results, say);
            if let Some(path) = &map.at_a_time {
                check_path("MaxConcurrencyPath", path, say);
            }
        }
        State::Choice(choice) => {
            if choice.branches.is_empty() {
                say("a choice needs at least one branch".to_owned());
            }
            if choice.otherwise.is_none() {
                say("nothing is said for the case that no test holds; add otherwise()".to_owned());
            }
            choice.branches.iter().for_each(|(test, _)| check_path("Variable", &test.variable, say));
        }
        State::Fail(fail) => {
            check_path("ErrorPath", &fail.error_path, say);
            check_path("CausePath", &fail.cause_path, say);
        }
        State::Succeed => {}
    }
}

fn check_course(course: &Course, say: &mut dyn FnMut(String)) {
    if course.next.is_none() {
        say("it neither ends nor leads anywhere; add next() or end()".to_owned());
    }
    if let ResultPath::At(path) = &course.result_path {
        check_path("ResultPath", path, say);
    }
    if let Some(path) = &course.output_path {
        check_path("OutputPath", path, say);
    }
    for catch in &course.catch {
        if let Some(path) = &catch.result_path {
            check_path("ResultPath of a catch", path, say);
        }
    }
    for retry in &course.retry {
        if retry.interval_seconds == 0 || retry.backoff_rate == 0 {
            say("a retry's interval and back-off rate are at least 1".to_owned());
        }
    }
    check_errors("retry", course.retry.iter().map(|retry| &retry.errors), say);
    check_errors("catch", course.catch.iter().map(|catch| &catch.errors), say);
}

/// `States.ALL` stands alone and comes last, as Step Functions demands.
fn check_errors<'a>(
    what: &str,
    lists: impl ExactSizeIterator<Item = &'a Vec<String>>,
    say: &mut dyn FnMut(String),
) {
    let last = lists.len().saturating_sub(1);
    for (index, errors) in lists.enumerate() {
        if errors.is_empty() {
            say(format!("a {what} names no error"));
        }
        if errors.iter().any(|error| error == "States.ALL") && (errors.len() > 1 || index < last) {
            say(format!("States.ALL must be the only error of its {what}, and that {what} the last"));
        }
    }
}

fn check_path(field: &str, path: &str, say: &mut dyn FnMut(String)) {
    if !is_path(path) {
        say(format!("{field} '{path}' is no path; it starts with $ or $."));
    }
}

fn is_path(path: &str) -> bool {
    let rest = path.strip_prefix("$$").or_else(|| path.strip_prefix('$'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn check_members(field: &str, payload: Option<&Node>, say: &mut dyn FnMut(String)) {
    let Some(payload) = payload else { return };
    payload.walk(&mut |node| {
        let Node::Map(members) = node else { return };
        for (name, value) in members {
            let fine = match value {
                Node::Text(text) => is_path(text) || text.starts_with("States."),
                _ => false,
            };
            if name.ends_with(".$") && !fine {
                say(format!("{field} member '{name}' takes a path or an intrinsic function as its value"));
            }
        }
    });
}
