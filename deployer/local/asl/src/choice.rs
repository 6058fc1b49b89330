//! The rules of Choice states.

use jiff::Timestamp;
use regex_lite::Regex;
use serde_json::{Map, Value};

use crate::failure::Fault;
use crate::path::{Context, Path};
use crate::problems::Problems;

/// A rule, read once.
#[derive(Debug)]
pub enum Rule {
    /// All hold.
    And(Vec<Rule>),
    /// Any holds.
    Or(Vec<Rule>),
    /// It does not hold.
    Not(Box<Rule>),
    /// A comparison of a variable.
    Test(Path, Test),
}

/// A comparison.
#[derive(Debug)]
pub enum Test {
    /// `IsPresent`, `IsNull`, …: whether it is of that kind, or is not.
    Is(Nature, bool),
    /// `StringMatches`.
    Matches(Regex),
    /// `StringEquals`, `NumericLessThanPath`, …
    Compare(Domain, Relation, Against),
}

/// What `Is…` asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nature {
    Present,
    Null,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// What kind of values a comparison compares; others never compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// How a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Relation {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// What a variable is compared with.
#[derive(Debug)]
pub enum Against {
    /// A value as written.
    Value(Value),
    /// The value of another path.
    Path(Path),
}

const NATURES: [(&str, Nature); 6] = [
    ("IsPresent", Nature::Present),
    ("IsNull", Nature::Null),
    ("IsNumeric", Nature::Numeric),
    ("IsString", Nature::String),
    ("IsBoolean", Nature::Boolean),
    ("IsTimestamp", Nature::Timestamp),
];

const DOMAINS: [(&str, Domain); 4] = [
    ("String", Domain::String),
    ("Numeric", Domain::Numeric),
    ("Boolean", Domain::Boolean),
    ("Timestamp", Domain::Timestamp),
];

const RELATIONS: [(&str, Relation); 5] = [
    ("Equals", Relation::Equals),
    ("LessThan", Relation::LessThan),
    ("LessThanEquals", Relation::LessThanEquals),
    ("GreaterThan", Relation::GreaterThan),
    ("GreaterThanEquals", Relation::GreaterThanEquals),
];

impl Rule {
    /// Reads a rule; `Next` is the caller's, and allowed at the top only.
    pub fn parse(value: &Value, at: &str, top: bool, problems: &mut Problems) -> Option<Self> {
        let Some(map) = value.as_object() else {
            problems.schema(at, "A choice rule must be an object");
            return None;
        };
        let own = |name: &str| !(name == "Comment" || top && name == "Next");
        let (tests, rest): (Vec<_>, Vec<_>) =
            map.iter().filter(|(name, _)| own(name)).partition(|(name, _)| name.as_str() != "Variable");
        let [(operator, operand)] = tests.as_slice() else {
            let mut names: Vec<_> = tests.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            problems.schema(
                at,
                format!("A choice rule has exactly one comparison operator, not [{}]", names.join(", ")),
            );
            return None;
        };
        let place = format!("{at}/{operator}");
        let nested = |problems: &mut Problems| {
            if !rest.is_empty() {
                problems.schema(at, "Field 'Variable' is not supported");
            }
            let list = operand.as_array().filter(|list| !list.is_empty());
            if list.is_none() {
                problems.schema(&place, "The value must be a non-empty array of choice rules");
            }
            let rules = list?.iter().enumerate();
            rules
                .map(|(i, rule)| Self::parse(rule, &format!("{place}[{i}]"), false, problems))
                .collect::<Option<Vec<_>>>()
        };
        match operator.as_str() {
            "And" => nested(problems).map(Self::And),
            "Or" => nested(problems).map(Self::Or),
            "Not" => Self::parse(operand, &place, false, problems).map(|rule| Self::Not(Box::new(rule))),
            _ => {
                let variable = variable(map, at, problems);
                let test = Test::parse(operator, operand, at, problems);
                Some(Self::Test(variable?, test?))
            }
        }
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// A variable that is not there, unless that is what is asked.
    pub fn holds(&self, input: &Value, context: &Context) -> Result<bool, Fault> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(input, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(input, context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => Ok(!rule.holds(input, context)?),
            Self::Test(path, Test::Is(Nature::Present, expected)) => {
                Ok(path.find(input, context).is_ok() == *expected)
            }
            Self::Test(path, test) => {
                let find = |path: &Path| {
                    path.find(input, context).map(std::borrow::Cow::into_owned).map_err(|_| invalid(path))
                };
                let value = find(path)?;
                Ok(match test {
                    Test::Is(nature, expected) => nature.fits(&value) == *expected,
                    Test::Matches(pattern) => value.as_str().is_some_and(|text| pattern.is_match(text)),
                    Test::Compare(domain, relation, Against::Value(other)) => {
                        relation.holds(*domain, &value, other)
                    }
                    Test::Compare(domain, relation, Against::Path(other)) => {
                        relation.holds(*domain, &value, &find(other)?)
                    }
                })
            }
        }
    }
}

fn invalid(path: &Path) -> Fault {
    Fault::runtime(format!(
        "Invalid path '{}': The choice state's condition path references an invalid value.",
        path.text()
    ))
}

fn variable(map: &Map<String, Value>, at: &str, problems: &mut Problems) -> Option<Path> {
    let Some(value) = map.get("Variable") else {
        problems.schema(at, "These fields are required: [Variable]");
        return None;
    };
    let path = value.as_str().ok_or_else(|| "not a string".to_owned()).and_then(Path::parse);
    path.map_err(|why| {
        problems.schema(&format!("{at}/Variable"), format!("Value is not a valid JSONPath ({why})"))
    })
    .ok()
}

impl Test {
    fn parse(operator: &str, operand: &Value, at: &str, problems: &mut Problems) -> Option<Self> {
        let place = format!("{at}/{operator}");
        if let Some((_, nature)) = NATURES.iter().find(|(name, _)| *name == operator) {
            let expected = operand.as_bool();
            if expected.is_none() {
                problems.schema(&place, "Expected value of type Boolean");
            }
            return Some(Self::Is(*nature, expected?));
        }
        if operator == "StringMatches" {
            let Some(text) = operand.as_str() else {
                problems.schema(&place, "Expected value of type String");
                return None;
            };
            return pattern(text)
                .map(Self::Matches)
                .map_err(|why| problems.schema(&place, format!("Value is not a pattern ({why})")))
                .ok();
        }
        let (name, by_path) = operator.strip_suffix("Path").map_or((operator, false), |name| (name, true));
        let known = DOMAINS.iter().find_map(|(prefix, domain)| {
            let relation = name.strip_prefix(prefix)?;
            let (_, relation) = RELATIONS.iter().find(|(name, _)| *name == relation)?;
            (*domain != Domain::Boolean || *relation == Relation::Equals).then_some((*domain, *relation))
        });
        let Some((domain, relation)) = known else {
            problems.schema(at, format!("Field '{operator}' is not supported"));
            return None;
        };
        if by_path {
            let path = operand.as_str().ok_or_else(|| "not a string".to_owned()).and_then(Path::parse);
            return match path {
                Ok(path) => Some(Self::Compare(domain, relation, Against::Path(path))),
                Err(why) => {
                    problems.schema(&place, format!("Value is not a valid JSONPath ({why})"));
                    None
                }
            };
        }
        let expected = match domain {
            Domain::String => operand.is_string().then_some("").or(Some("String")),
            Domain::Numeric => operand.is_number().then_some("").or(Some("Number")),
            Domain::Boolean => operand.is_boolean().then_some("").or(Some("Boolean")),
            Domain::Timestamp => timestamp(operand).map(|_| "").or(Some("Timestamp")),
        };
        if let Some(kind) = expected.filter(|kind| !kind.is_empty()) {
            problems.schema(&place, format!("Expected value of type {kind}"));
            return None;
        }
        Some(Self::Compare(domain, relation, Against::Value(operand.clone())))
    }
}

impl Nature {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Present => true,
            Self::Null => value.is_null(),
            Self::Numeric => value.is_number(),
            Self::String => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => timestamp(value).is_some(),
        }
    }
}

impl Relation {
    fn holds(self, domain: Domain, a: &Value, b: &Value) -> bool {
        let ordering = match domain {
            Domain::String => a.as_str().zip(b.as_str()).map(|(a, b)| a.cmp(b)),
            Domain::Boolean => a.as_bool().zip(b.as_bool()).map(|(a, b)| a.cmp(&b)),
            Domain::Timestamp => timestamp(a).zip(timestamp(b)).map(|(a, b)| a.cmp(&b)),
            Domain::Numeric => match a.as_i64().zip(b.as_i64()) {
                Some((a, b)) => Some(a.cmp(&b)),
                None => a.as_f64().zip(b.as_f64()).and_then(|(a, b)| a.partial_cmp(&b)),
            },
        };
        ordering.is_some_and(|ordering| match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        })
    }
}

/// A timestamp of the profile of ISO 8601 that the language names: with `T` and a zone.
#[must_use]
pub fn timestamp(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    let date = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z') && !text.contains('[');
    if date { text.parse().ok() } else { None }
}

/// The pattern of `StringMatches`: a star is any text, a backslash takes the next character as it is.
fn pattern(text: &str) -> Result<Regex, regex_lite::Error> {
    let mut pattern = String::from("(?s)^");
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => pattern.push_str(".*"),
            '\\' => {
                pattern.push_str(&regex_lite::escape(chars.next().unwrap_or('\\').encode_utf8(&mut [0; 4])))
            }
            c => pattern.push_str(&regex_lite::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    pattern.push('$');
    Regex::new(&pattern)
}

#[cfg(test)]
mod tests;
