//! Parameters: what whoever deploys a template may choose, with the limits CloudFormation enforces before it starts.

use serde_json::Number;

use crate::node::Node;
use crate::problem::Problem;

/// A type that a parameter can have.
pub trait ParameterType {
    /// CloudFormation's name for it.
    const TYPE: &'static str;

    /// The value as CloudFormation writes it in `Default` and `AllowedValues`.
    fn literal(&self) -> Node;

    /// The value as one number, where it is one.
    fn as_number(&self) -> Option<u32> {
        None
    }

    /// The value as one text, where it is one.
    fn as_text(&self) -> Option<&str> {
        None
    }
}

impl ParameterType for String {
    const TYPE: &'static str = "String";

    fn literal(&self) -> Node {
        Node::text(self.as_str())
    }

    fn as_text(&self) -> Option<&str> {
        Some(self)
    }
}

impl ParameterType for u32 {
    const TYPE: &'static str = "Number";

    fn literal(&self) -> Node {
        Node::Number(Number::from(*self))
    }

    fn as_number(&self) -> Option<u32> {
        Some(*self)
    }
}

impl ParameterType for Vec<String> {
    const TYPE: &'static str = "CommaDelimitedList";

    fn literal(&self) -> Node {
        Node::Text(self.join(","))
    }
}

impl ParameterType for Vec<u32> {
    const TYPE: &'static str = "List<Number>";

    fn literal(&self) -> Node {
        Node::Text(self.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
    }
}

/// A parameter of type `T`: what it is for, its default and its limits.
#[derive(Debug, Clone)]
pub struct Parameter<T> {
    description: String,
    default: Option<T>,
    allowed_values: Vec<T>,
    range: Option<(u32, u32)>,
    max_length: Option<u32>,
    allowed_pattern: Option<String>,
    constraint_description: Option<String>,
}

impl<T: ParameterType> Parameter<T> {
    /// A parameter that must be given, with a sentence that tells what it is for.
    pub fn new(description: impl Into<String>) -> Self {
        Parameter {
            description: description.into(),
            default: None,
            allowed_values: Vec::new(),
            range: None,
            max_length: None,
            allowed_pattern: None,
            constraint_description: None,
        }
    }

    /// The value when none is given.
    #[must_use]
    pub fn default(mut self, default: impl Into<T>) -> Self {
        self.default = Some(default.into());
        self
    }

    /// The only values that are accepted.
    #[must_use]
    pub fn allowed_values(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.allowed_values = values.into_iter().collect();
        self
    }

    /// What CloudFormation adds to its refusal of a value: the rule in words.
    #[must_use]
    pub fn constraint_description(mut self, rule: impl Into<String>) -> Self {
        self.constraint_description = Some(rule.into());
        self
    }

    /// What the template says of the parameter.
    pub(crate) fn declaration(&self) -> Declaration {
        let mut members =
            vec![("Type", Node::text(T::TYPE)), ("Description", Node::text(self.description.as_str()))];
        let default = self.default.as_ref().map(T::literal);
        members.extend(default.clone().map(|default| ("Default", default)));
        if !self.allowed_values.is_empty() {
            let values = self.allowed_values.iter().map(T::literal).collect();
            members.push(("AllowedValues", Node::List(values)));
        }
        if let Some((lowest, highest)) = self.range {
            members.push(("MinValue", Node::Number(lowest.into())));
            members.push(("MaxValue", Node::Number(highest.into())));
        }
        members.extend(self.max_length.map(|length| ("MaxLength", Node::Number(length.into()))));
        members
            .extend(self.allowed_pattern.as_deref().map(|pattern| ("AllowedPattern", Node::text(pattern))));
        let rule = self.constraint_description.as_deref();
        members.extend(rule.map(|rule| ("ConstraintDescription", Node::text(rule))));

        let default = default.map(|default| match default {
            Node::Text(text) => text,
            Node::Number(number) => number.to_string(),
            _ => String::new(),
        });
        Declaration {
            node: Node::map(members),
            kind: T::TYPE,
            description: self.description.clone(),
            default,
        }
    }

    /// Contradictions between the default and the limits, which CloudFormation would refuse.
    pub(crate) fn problems(&self, id: &str) -> Vec<Problem> {
        let at = format!("parameter '{id}'");
        let Some(default) = &self.default else { return Vec::new() };
        let mut problems = Vec::new();
        if let (Some((lowest, highest)), Some(number)) = (self.range, default.as_number())
            && !(lowest..=highest).contains(&number)
        {
            problems.push(Problem::new(
                &at,
                format!("the default {number} is outside its own range of {lowest} to {highest}"),
            ));
        }
        if let (Some(longest), Some(text)) = (self.max_length, default.as_text())
            && text.chars().count() > longest as usize
        {
            problems
                .push(Problem::new(&at, format!("the default is longer than its own {longest} characters")));
        }
        if !self.allowed_values.is_empty()
            && !self.allowed_values.iter().any(|value| value.literal() == default.literal())
        {
            problems.push(Problem::new(&at, "the default is not one of its own allowed values"));
        }
        problems
    }
}

impl Parameter<u32> {
    /// The lowest and the highest number that is accepted.
    #[must_use]
    pub fn range(mut self, lowest: u32, highest: u32) -> Self {
        self.range = Some((lowest, highest));
        self
    }
}

impl Parameter<String> {
    /// The longest text that is accepted, in characters.
    #[must_use]
    pub fn max_length(mut self, characters: u32) -> Self {
        self.max_length = Some(characters);
        self
    }

    /// The regular expression (Java's flavour) that the whole text must match. Say it in words as well, with
    /// [`constraint_description`](Parameter::constraint_description): that is what people get to read.
    #[must_use]
    pub fn allowed_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.allowed_pattern = Some(pattern.into());
        self
    }
}

/// A parameter as the template declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    pub(crate) node: Node,
    pub(crate) kind: &'static str,
    pub(crate) description: String,
    pub(crate) default: Option<String>,
}
