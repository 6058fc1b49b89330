//! Expressions of payload templates: a path, or a call of an intrinsic function (`States.Format('{}', $.x)`). This file
//! reads them; [`super::functions`] computes them.

use serde_json::{Number, Value};

use crate::failure::{Fault, INTRINSIC_FAILURE, quoted};
use crate::functions::{self, Operand};
use crate::path::{Context, Path};

/// AWS allows calls in calls up to this depth.
const DEEPEST: usize = 10;

/// What a field that ends in `.$` may hold.
#[derive(Debug, Clone)]
pub enum Expression {
    /// A path.
    Path(Path),
    /// A call, with its text for error messages.
    Call(String, Call),
}

/// A call of an intrinsic function.
#[derive(Debug, Clone)]
pub struct Call {
    name: String,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone)]
enum Argument {
    Path(Path),
    Literal(Value),
    /// A string literal, escapes as written: `States.Format` gives braces their own meaning.
    Text(String),
    Call(Call),
}

impl Expression {
    /// Reads a path or a call.
    ///
    /// # Errors
    /// Why it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path);
        }
        let mut reader = Reader { rest: text };
        let call = reader.call(0)?;
        reader.blanks();
        if reader.rest.is_empty() {
            Ok(Self::Call(text.to_owned(), call))
        } else {
            Err(format!("'{}' follows the call", reader.rest))
        }
    }

    /// Computes it for the field it stands in.
    ///
    /// # Errors
    /// AWS's own words for a path that selects nothing and for a function that fails.
    pub fn evaluate(&self, field: &str, input: &Value, context: &Context) -> Result<Value, Fault> {
        match self {
            Self::Path(path) => match path.find(input, context) {
                Ok(value) => Ok(value.into_owned()),
                Err(missing) if missing.past_end => Ok(Value::Null),
                Err(_) => Err(Fault::runtime(format!(
                    "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
                    path.text(),
                    quoted(input)
                ))),
            },
            Self::Call(text, call) => call.evaluate(input, context).map_err(|fault| Fault {
                error: fault.error,
                message: format!("The function '{text}' had the following error: {}", fault.message),
            }),
        }
    }
}

impl Call {
    fn evaluate(&self, input: &Value, context: &Context) -> Result<Value, Fault> {
        let operand = |argument: &Argument| {
            Ok(match argument {
                Argument::Literal(value) => Operand::Value(value.clone()),
                Argument::Text(text) => Operand::Text(text.clone()),
                Argument::Call(call) => Operand::Value(call.evaluate(input, context)?),
                Argument::Path(path) => Operand::Value(
                    path.find(input, context)
                        .map_err(|_| {
                            Fault::runtime(format!(
                                "The JsonPath argument for the field '{}' could not be found in the input '{}'",
                                path.text(),
                                quoted(input)
                            ))
                        })?
                        .into_owned(),
                ),
            })
        };
        let operands: Vec<Operand> = self.arguments.iter().map(operand).collect::<Result<_, Fault>>()?;
        functions::call(&self.name, &operands).map_err(|message| Fault { error: INTRINSIC_FAILURE, message })
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn call(&mut self, depth: usize) -> Result<Call, String> {
        if depth >= DEEPEST {
            return Err(format!("intrinsic functions nest at most {DEEPEST} deep"));
        }
        self.blanks();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !functions::known(name) {
            return Err(format!("'{name}' is not an intrinsic function"));
        }
        self.rest = rest;
        if !self.take("(") {
            return Err(format!("'(' is missing after {name}"));
        }
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.argument(depth)?);
                if self.take(")") {
                    break;
                }
                if !self.take(",") {
                    return Err(format!("',' or ')' is missing before '{}'", self.rest));
                }
            }
        }
        functions::check(name, arguments.len())?;
        Ok(Call { name: name.to_owned(), arguments })
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        self.blanks();
        match self.rest.chars().next() {
            Some('\'') => self.text().map(Argument::Text),
            Some('$') => Path::parse(self.path()).map(Argument::Path),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            Some(_) => self.literal().map(Argument::Literal),
            None => Err("an argument is missing".to_owned()),
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let text = &self.rest[1..];
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => drop(chars.next()),
                '\'' => {
                    self.rest = &text[at + 1..];
                    return Ok(text[..at].to_owned());
                }
                _ => {}
            }
        }
        Err("a string is not closed".to_owned())
    }

    /// The text of a path: up to a comma or parenthesis that is not inside its brackets.
    fn path(&mut self) -> &'t str {
        let (mut depth, mut quote) = (0_usize, None);
        let end = self.rest.char_indices().find(|(_, c)| match (quote, *c) {
            (Some(q), c) => {
                quote = (q != c).then_some(q);
                false
            }
            (None, '\'' | '"') if depth > 0 => {
                quote = Some(*c);
                false
            }
            (None, '[') => {
                depth += 1;
                false
            }
            (None, ']') => {
                depth = depth.saturating_sub(1);
                false
            }
            (None, ',' | ')') => depth == 0,
            _ => false,
        });
        let (path, rest) = self.rest.split_at(end.map_or(self.rest.len(), |(at, _)| at));
        self.rest = rest;
        path.trim_end()
    }

    fn literal(&mut self) -> Result<Value, String> {
        let end = self.rest.find([',', ')']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        match text.trim_end() {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            number => number
                .parse::<i64>()
                .map(Number::from)
                .ok()
                .or_else(|| number.parse::<f64>().ok().and_then(Number::from_f64))
                .map(Value::Number)
                .ok_or_else(|| format!("'{number}' is not an argument")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::path::tests::context;

    fn evaluate(text: &str, input: &Value) -> Result<Value, Fault> {
        Expression::parse(text).unwrap().evaluate("f.$", input, &context())
    }

    #[test]
    fn calls_take_paths_literals_and_calls() {
        let input = json!({"a": "x", "l": ["p", "q"], "o": {"k, )": 7}});
        for (text, expected) in [
            ("States.Array($.a, 'lit', 1, -2.5, null, true)", json!(["x", "lit", 1, -2.5, null, true])),
            ("States.Array()", json!([])),
            (" States.Format( '{}-{}' , $.l[1] , $$.State.Name ) ", json!("q-S")),
            ("States.Array($.o['k, )'])", json!([7])),
            ("States.ArrayLength(States.Array($.l, States.Array(1)))", json!(2)),
            ("States.Array('it\\'s')", json!(["it's"])),
            ("$.l[9]", json!(null)),
            ("$$.Map.Item.Value", json!("three")),
        ] {
            assert_eq!(evaluate(text, &input), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_selects_nothing_reads_as_on_aws() {
        let input = json!({"other": 1});
        assert_eq!(
            evaluate("$.nope", &input),
            Err(Fault::runtime(
                "The JSONPath '$.nope' specified for the field 'f.$' could not be found in the input '{\"other\":1}'"
            ))
        );
        let text = "States.Format('{}', States.Format('{}', $.nope))";
        assert_eq!(
            evaluate(text, &input),
            Err(Fault::runtime(format!(
                "The function '{text}' had the following error: The JsonPath argument for the field '$.nope' could not \
                 be found in the input '{{\"other\":1}}'"
            )))
        );
        assert!(evaluate("States.Array($.l[5])", &json!({"l": []})).is_err());
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let nested = format!("{}1{}", "States.Array(".repeat(11), ")".repeat(11));
        for text in [
            "x",
            "States.Nope()",
            "States.Array(",
            "States.Array('a)",
            "States.Array(1 2)",
            "States.Array() x",
            "States.Array(,)",
            "States.ArrayLength()",
            "States.UUID(1)",
            "States.Hash($.a)",
            &nested,
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_an_expression_panic(text in "(States\\.[A-Z][a-zA-Z0-9]{2,12}\\()?[$.a-c'(){}\\[\\], 0-9e\\\\-]{0,30}\\)?") {
            if let Ok(expression) = Expression::parse(&text) {
                let _ = expression.evaluate("f.$", &json!({"a": [1, "b"]}), &context());
            }
        }
    }
}
