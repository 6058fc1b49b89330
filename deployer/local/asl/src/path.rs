//! JSONPath as Amazon States Language uses it: reading from a state's input or the context object, and writing a result
//! to a reference path. Member names may hold what Step Functions allows beyond RFC 9535, such as `$.foo-bar`.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use serde_json_path::JsonPath;

/// Beyond this the text of a path is refused: no state needs it, and a query's parser recurses.
const LONGEST: usize = 1024;
/// How deep brackets may nest in a query, for the same reason.
const DEEPEST: usize = 8;

/// What `$$` refers to: the execution and its machine, the state, and inside a Map the item.
#[derive(Debug, Clone)]
pub struct Context {
    /// `Execution` and `StateMachine`.
    pub run: Arc<Value>,
    /// `Map`, inside an iteration.
    pub map: Option<Arc<Value>>,
    /// `State`.
    pub state: Value,
}

impl Context {
    fn section(&self, name: &str) -> Option<&Value> {
        match name {
            "State" => Some(&self.state),
            "Map" => self.map.as_deref(),
            _ => self.run.get(name),
        }
    }

    fn whole(&self) -> Value {
        let mut whole = self.run.as_object().cloned().unwrap_or_default();
        whole.insert("State".to_owned(), self.state.clone());
        if let Some(map) = &self.map {
            whole.insert("Map".to_owned(), Value::clone(map));
        }
        Value::Object(whole)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Member(String),
    Element(i64),
}

/// A path that reads: definite steps, then perhaps a query that selects any number of nodes.
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    context: bool,
    steps: Vec<Step>,
    query: Option<JsonPath>,
}

/// A path that selects nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// It is an element beyond the end of an array, which a payload template reads as null.
    pub past_end: bool,
    /// Where the path ends, in AWS's words.
    pub place: String,
}

impl Path {
    /// Reads `$…` (the input) or `$$…` (the context object).
    ///
    /// # Errors
    /// Why it is no path.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a path is at most {LONGEST} bytes long"));
        }
        let rest = text.strip_prefix('$').ok_or("a path starts with '$'")?;
        let (context, rest) = match rest.strip_prefix('$') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (steps, rest) = definite(rest);
        let query = if rest.is_empty() { None } else { Some(query(rest)?) };
        Ok(Self { text: text.to_owned(), context, steps, query })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it selects: one node, or for a query the list of its nodes.
    ///
    /// # Errors
    /// [`Missing`] when a definite path leads nowhere; a query that leads nowhere finds an empty list.
    pub fn find<'v>(&self, input: &'v Value, context: &'v Context) -> Result<Cow<'v, Value>, Missing> {
        let selected = if self.context {
            match self.steps.split_first() {
                Some((Step::Member(section), steps)) => match context.section(section) {
                    Some(section) => select(section, steps, self.query.as_ref()),
                    None => Err((self.steps.len() - 1, false)),
                },
                _ => select(&context.whole(), &self.steps, self.query.as_ref())
                    .map(|value| Cow::Owned(value.into_owned())),
            }
        } else {
            select(input, &self.steps, self.query.as_ref())
        };
        selected.or_else(|(left, past_end)| match &self.query {
            Some(_) => Ok(Cow::Owned(json!([]))),
            None => Err(Missing { past_end, place: self.place(left) }),
        })
    }

    /// How AWS says that so many steps from the end the path leads nowhere.
    fn place(&self, left: usize) -> String {
        let taken = &self.steps[..(self.steps.len() - left).min(self.steps.len())];
        let steps: String = taken
            .iter()
            .map(|step| match step {
                Step::Member(name) => format!("['{name}']"),
                Step::Element(at) => format!("[{at}]"),
            })
            .collect();
        let what = if left == 0 { "No results for path: $" } else { "Missing property in path $" };
        what.to_owned() + &steps
    }
}

/// What is selected, or how many steps are left where a step leads nowhere, and whether that is past an array's end.
fn select<'v>(
    root: &'v Value,
    steps: &[Step],
    query: Option<&JsonPath>,
) -> Result<Cow<'v, Value>, (usize, bool)> {
    let mut node = root;
    for (i, step) in steps.iter().enumerate() {
        let left = steps.len() - 1 - i;
        node = match (step, node) {
            (Step::Member(name), Value::Object(map)) => map.get(name).ok_or((left, false))?,
            (Step::Element(at), Value::Array(list)) => {
                &list[element(*at, list.len()).ok_or((left, left == 0))?]
            }
            _ => return Err((left, false)),
        };
    }
    Ok(match query {
        None => Cow::Borrowed(node),
        Some(query) => Cow::Owned(query.query(node).iter().copied().cloned().collect()),
    })
}

/// Negative indices count from the end.
fn element(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at.checked_add_unsigned(length as u64)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

/// Splits off the leading `.name`, `['name']` and `[0]` steps.
fn definite(mut text: &str) -> (Vec<Step>, &str) {
    let mut steps = Vec::new();
    while let Some((step, rest)) = member(text).or_else(|| bracket(text)) {
        steps.push(step);
        text = rest;
    }
    (steps, text)
}

fn member(text: &str) -> Option<(Step, &str)> {
    let name = text.strip_prefix('.')?;
    let end = name.find(|c| !plain(c)).unwrap_or(name.len());
    let rest = &name[end..];
    let ended = rest.is_empty() || rest.starts_with(['.', '[']);
    (end > 0 && ended).then(|| (Step::Member(name[..end].to_owned()), rest))
}

/// What a member's name after a dot may hold; others need brackets.
fn plain(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !".[]()*?@,:'\"=<>!&|~\\".contains(c)
}

fn bracket(text: &str) -> Option<(Step, &str)> {
    let inside = text.strip_prefix('[')?;
    if let Some(quote) = inside.chars().next().filter(|c| *c == '\'' || *c == '"') {
        let (name, rest) = quoted(&inside[1..], quote)?;
        return Some((Step::Member(name), rest.strip_prefix(']')?));
    }
    let (number, rest) = inside.split_once(']')?;
    number.parse().ok().map(|at| (Step::Element(at), rest))
}

/// The text up to the closing quote, with escaped quotes and backslashes resolved, and what follows the quote.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            // Before any other character AWS keeps it.
            '\\' if text[at + 1..].starts_with(['\\', quote]) => name.push(chars.next()?.1),
            c if c == quote => return Some((name, &text[at + 1..])),
            c => name.push(c),
        }
    }
    None
}

/// Reads what follows the definite steps, `$.name` written as RFC 9535 needs it for any name.
fn query(text: &str) -> Result<JsonPath, String> {
    let mut rfc = String::from("$");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let dots = rest.len() - rest.trim_start_matches('.').len();
        if dots > 2 {
            return Err("too many dots".to_owned());
        }
        if dots > 0 {
            rest = &rest[dots..];
            rfc.push_str(if dots == 2 { ".." } else { "" });
            let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
            if let Some(after) = rest.strip_prefix('*') {
                rfc.push_str("[*]");
                rest = after;
            } else if end > 0 {
                let name = serde_json::to_string(&rest[..end]).map_err(|e| e.to_string())?;
                rfc.push_str(&format!("[{name}]"));
                rest = &rest[end..];
            } else if dots == 1 || !rest.starts_with('[') {
                return Err("a dot is followed by a name".to_owned());
            }
        } else if c == '[' {
            let length = bracketed(rest)?;
            rfc.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            return Err(format!("'{c}' is not expected here"));
        }
    }
    JsonPath::parse(&rfc).map_err(|e| e.to_string())
}

/// The length of a bracket with all it holds.
fn bracketed(text: &str) -> Result<usize, String> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices();
    let mut quote = None;
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(chars.next()),
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth > DEEPEST {
            return Err(format!("brackets nest at most {DEEPEST} deep"));
        }
        if depth == 0 && quote.is_none() {
            return Ok(at + c.len_utf8());
        }
    }
    Err("a bracket is not closed".to_owned())
}

/// A path that names one place to write to: `$.a.b[0]`.
#[derive(Debug, Clone)]
pub struct Reference {
    text: String,
    steps: Vec<Step>,
}

impl Reference {
    /// Reads a reference path into the input.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = Path::parse(text)?;
        if path.context || path.query.is_some() {
            return Err("a reference path names one node of the state's data".to_owned());
        }
        Ok(Self { text: path.text, steps: path.steps })
    }

    /// `document` with `value` at this place. Objects on the way come into being; array elements must exist.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn insert(&self, mut document: Value, value: Value) -> Result<Value, String> {
        let mut node = &mut document;
        for step in &self.steps {
            node = match step {
                Step::Member(name) => {
                    if node.is_null() {
                        *node = json!({});
                    }
                    let map: &mut Map<String, Value> =
                        node.as_object_mut().ok_or_else(|| self.blocked("is not an object"))?;
                    map.entry(name.clone()).or_insert(Value::Null)
                }
                Step::Element(at) => {
                    let list = node.as_array_mut().ok_or_else(|| self.blocked("is not an array"))?;
                    let at = element(*at, list.len()).ok_or_else(|| self.blocked("has no such element"))?;
                    &mut list[at]
                }
            };
        }
        *node = value;
        Ok(document)
    }

    fn blocked(&self, what: &str) -> String {
        format!("Unable to apply step to input: what '{}' leads through {what}", self.text)
    }
}

/// `InputPath` and `OutputPath`.
#[derive(Debug)]
pub enum Selection {
    /// Not given: everything.
    All,
    /// `null`: an empty object.
    Nothing,
    /// A part.
    Part(Path),
}

/// `ResultPath`.
#[derive(Debug)]
pub enum ResultPath {
    /// Not given: the result replaces the input.
    Replace,
    /// `null`: the result is dropped.
    Discard,
    /// The result goes into the input.
    Into(Reference),
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn context() -> Context {
        Context {
            run: Arc::new(
                json!({"Execution": {"Id": "arn:e", "Input": {"x": 1}}, "StateMachine": {"Name": "m"}}),
            ),
            map: Some(Arc::new(json!({"Item": {"Index": 3, "Value": "three"}}))),
            state: json!({"Name": "S", "RetryCount": 2}),
        }
    }

    fn read(path: &str, input: &Value) -> Option<Value> {
        Path::parse(path).unwrap().find(input, &context()).ok().map(Cow::into_owned)
    }

    #[test]
    fn paths_read_what_they_name() {
        let input = json!({
            "a": {"b-c": [10, 20, {"d": null}], "with space": 1, "it's": 2, "é": 3, "back\\slash": 4},
            "list": [{"n": 1, "max-value": 5}, {"n": 2}, {"m": 3}]
        });
        let rows = [
            ("$", Some(input.clone())),
            ("$.a.b-c[1]", Some(json!(20))),
            ("$.a.b-c[-2]", Some(json!(20))),
            ("$.a['b-c'][2].d", Some(json!(null))),
            ("$['a'][\"with space\"]", Some(json!(1))),
            ("$.a['back\\slash']", Some(json!(4))),
            ("$.a['it\\'s']", Some(json!(2))),
            ("$.a.é", Some(json!(3))),
            ("$.a.b-c[3]", None),
            ("$.a.b-c[-4]", None),
            ("$.nope", None),
            ("$.a.b-c.x", None),
            ("$.list[*].n", Some(json!([1, 2]))),
            ("$.list[*].max-value", Some(json!([5]))),
            ("$.list[0:2].n", Some(json!([1, 2]))),
            ("$.list[0,2]", Some(json!([{"n": 1, "max-value": 5}, {"m": 3}]))),
            ("$..n", Some(json!([1, 2]))),
            ("$.list[?(@.n == 2)].n", Some(json!([2]))),
            ("$.list[?(@.n > 9)]", Some(json!([]))),
            ("$.list.*.m", Some(json!([3]))),
            ("$.nope[*].n", Some(json!([]))),
            ("$.nope[0:2]", Some(json!([]))),
            ("$.a.b-c[0].deep[*]", Some(json!([]))),
            ("$$.Execution.Id", Some(json!("arn:e"))),
            ("$$.Execution.Input.x", Some(json!(1))),
            ("$$.StateMachine.Name", Some(json!("m"))),
            ("$$.State.RetryCount", Some(json!(2))),
            ("$$.Map.Item.Index", Some(json!(3))),
            ("$$..Index", Some(json!([3]))),
            ("$$.Nothing", None),
        ];
        for (path, expected) in rows {
            assert_eq!(read(path, &input), expected, "{path}");
        }
        assert_eq!(read("$$", &json!(null)).unwrap()["State"]["Name"], json!("S"));
    }

    #[test]
    fn only_an_element_past_the_end_is_that() {
        let past = |path: &str| {
            Path::parse(path).unwrap().find(&json!({"l": [1]}), &context()).unwrap_err().past_end
        };
        assert!(past("$.l[5]"));
        assert!(!past("$.l[5].x"));
        assert!(!past("$.x"));
        assert!(!past("$.x[5]"));
    }

    #[test]
    fn a_path_that_leads_nowhere_says_where_it_ends() {
        for (path, place) in [
            ("$.x", "No results for path: $['x']"),
            ("$.a.x", "No results for path: $['a']['x']"),
            ("$.x.y.z", "Missing property in path $['x']"),
            ("$.a.l[4]", "No results for path: $['a']['l'][4]"),
        ] {
            let missing = Path::parse(path).unwrap().find(&json!({"a": {"l": []}}), &context()).unwrap_err();
            assert_eq!(missing.place, place, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in
            ["", "a", "$a", "$.", "$.a.", "$.a[", "$.a['b]", "$...a", "$.list.length()", "$.a b", "$[?("]
        {
            assert!(Path::parse(text).is_err(), "{text}");
        }
        // Of RFC 9535, which AWS's JSONPath is older than.
        assert!(Path::parse("$.list[?match(@.a, 'b')]").is_err());
        assert!(Path::parse("$.list[?search(@.a, 'b')]").is_err());
        assert!(Path::parse(&format!("$[?{}", "(".repeat(2000))).is_err());
        assert!(Path::parse(&format!("$[?{}", "(".repeat(900))).is_err());
    }

    #[test]
    fn results_are_written_where_the_reference_leads() {
        let put = |path: &str, into: Value| Reference::parse(path).unwrap().insert(into, json!("R"));
        assert_eq!(put("$", json!({"a": 1})), Ok(json!("R")));
        assert_eq!(put("$.a", json!({"a": 1, "b": 2})), Ok(json!({"a": "R", "b": 2})));
        assert_eq!(put("$.x.y.z", json!({"a": 1})), Ok(json!({"a": 1, "x": {"y": {"z": "R"}}})));
        assert_eq!(put("$.l[1]", json!({"l": [1, 2]})), Ok(json!({"l": [1, "R"]})));
        for (path, into) in [("$.a.b", json!({"a": 1})), ("$.l[2]", json!({"l": [1]})), ("$.a", json!([1]))] {
            assert!(put(path, into).is_err(), "{path}");
        }
        for path in ["$.a[*]", "$..a", "$$.Execution", "$.a[0:2]"] {
            assert!(Reference::parse(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_path_panic(text in "\\$?[$.a-c'\"\\[\\]()*?@:,0-9=<&|! \\\\-]{0,40}") {
            if let Ok(path) = Path::parse(&text) {
                let _ = path.find(&json!({"a": [1, {"b": "c"}]}), &context());
            }
            if let Ok(reference) = Reference::parse(&text) {
                let _ = reference.insert(json!({"a": [1, {"b": "c"}]}), json!(1));
            }
        }
    }
}
