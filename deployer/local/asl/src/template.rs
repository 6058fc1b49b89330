//! Payload templates: `Parameters`, `ResultSelector` and `ItemSelector`, in which a field whose name ends in `.$` is
//! computed from the input or the context object and anything else is taken as it stands.

use serde_json::{Map, Value};

use crate::failure::Fault;
use crate::intrinsic::Expression;
use crate::path::Context;
use crate::problems::Problems;

/// A payload template, read once.
#[derive(Debug, Clone)]
pub enum Template {
    /// JSON without computed fields.
    Constant(Value),
    /// An object; computed fields go by their name without `.$`.
    Object(Vec<(String, Template)>),
    /// An array.
    Array(Vec<Template>),
    /// A computed field, with its name as written.
    Computed(String, Expression),
}

impl Template {
    /// Reads a template; what is wrong with it is reported under the field's location.
    pub fn parse(value: &Value, at: &str, problems: &mut Problems) -> Self {
        match value {
            Value::Object(map) => {
                Self::Object(map.iter().map(|(name, value)| field(name, value, at, problems)).collect())
                    .settled()
            }
            Value::Array(list) => Self::Array(
                list.iter()
                    .enumerate()
                    .map(|(i, v)| Self::parse(v, &format!("{at}[{i}]"), problems))
                    .collect(),
            )
            .settled(),
            constant => Self::Constant(constant.clone()),
        }
    }

    /// Nothing computed inside makes the whole a constant.
    fn settled(self) -> Self {
        let constant = |template: &Self| matches!(template, Self::Constant(_));
        let all = match &self {
            Self::Object(fields) => fields.iter().all(|(_, value)| constant(value)),
            Self::Array(list) => list.iter().all(constant),
            Self::Constant(_) | Self::Computed(..) => false,
        };
        if all { Self::Constant(self.plain()) } else { self }
    }

    fn plain(self) -> Value {
        match self {
            Self::Constant(value) => value,
            Self::Object(fields) => fields.into_iter().map(|(name, value)| (name, value.plain())).collect(),
            Self::Array(list) => list.into_iter().map(Self::plain).collect(),
            Self::Computed(..) => Value::Null,
        }
    }

    /// The template filled in.
    ///
    /// # Errors
    /// A path that selects nothing or a function that fails.
    pub fn fill(&self, input: &Value, context: &Context) -> Result<Value, Fault> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Computed(name, expression) => expression.evaluate(name, input, context),
            Self::Array(list) => list.iter().map(|value| value.fill(input, context)).collect(),
            Self::Object(fields) => {
                let fill = |(name, value): &(String, Self)| Ok((name.clone(), value.fill(input, context)?));
                fields.iter().map(fill).collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
}

fn field(name: &str, value: &Value, at: &str, problems: &mut Problems) -> (String, Template) {
    let Some(plain) = name.strip_suffix(".$") else {
        return (name.to_owned(), Template::parse(value, &format!("{at}/{name}"), problems));
    };
    let expression = value.as_str().ok_or_else(String::new).and_then(Expression::parse);
    let template = match expression {
        Ok(expression) => Template::Computed(name.to_owned(), expression),
        Err(why) => {
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            problems.schema(
                at,
                format!(
                    "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call{why}"
                ),
            );
            Template::Constant(Value::Null)
        }
    };
    (plain.to_owned(), template)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::path::tests::context;

    #[test]
    fn computed_fields_are_filled_in_at_any_depth() {
        let mut problems = Problems::default();
        let template = Template::parse(
            &json!({"a": 1, "b.$": "$.x", "c": {"d.$": "States.Array($.x)", "e": ["$.x", {"f.$": "$$.State.Name"}]}, "g": "$.x"}),
            "/States/S/Parameters",
            &mut problems,
        );
        assert!(problems.is_empty());
        assert_eq!(
            template.fill(&json!({"x": 7}), &context()),
            Ok(json!({"a": 1, "b": 7, "c": {"d": [7], "e": ["$.x", {"f": "S"}]}, "g": "$.x"}))
        );
        assert!(matches!(
            Template::parse(&json!({"a": [1, {"b": 2}]}), "", &mut problems),
            Template::Constant(_)
        ));
    }

    #[test]
    fn a_computed_field_that_is_no_expression_is_reported() {
        let mut problems = Problems::default();
        Template::parse(&json!({"a": {"b.$": "x"}, "c.$": 3}), "/States/S/Parameters", &mut problems);
        let text = problems.to_string();
        assert!(text.contains("The value for the field 'b.$' must be a valid JSONPath"), "{text}");
        assert!(text.contains("at /States/S/Parameters/a"), "{text}");
        assert!(text.contains("'c.$'"), "{text}");
    }
}
