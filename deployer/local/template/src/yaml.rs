//! YAML templates to the JSON they stand for, short function tags (`!Ref`, `!Sub`, …) included.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::{Map, Value, json};

/// As deep as the JSON reader goes.
const DEPTH: usize = 120;

/// Reads a YAML document.
///
/// # Errors
/// AWS's `ValidationError` message, with line and column.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { parser: Parser::new_from_str(text), line: 1, column: 1 };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err("Template format error: unsupported structure.".to_owned());
            }
            first => {
                let value = reader.value(first, 0)?;
                loop {
                    match reader.next()? {
                        Event::DocumentEnd | Event::Nothing => {}
                        Event::StreamEnd => return Ok(value),
                        _ => return Err(reader.error("a template is one document")),
                    }
                }
            }
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    line: usize,
    column: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        match self.parser.next() {
            None => Ok(Event::StreamEnd),
            Some(Ok((event, span))) => {
                (self.line, self.column) = (span.start.line(), span.start.col() + 1);
                Ok(event)
            }
            Some(Err(error)) => {
                let at: &ScanError = &error;
                (self.line, self.column) = (at.marker().line(), at.marker().col() + 1);
                Err(self.error(at.info()))
            }
        }
    }

    fn error(&self, why: &str) -> String {
        format!(
            "Template format error: YAML not well-formed. (line {}, column {}): {why}",
            self.line, self.column
        )
    }

    fn value(&mut self, event: Event<'t>, depth: usize) -> Result<Value, String> {
        if depth > DEPTH {
            return Err(self.error("it is nested too deeply"));
        }
        match event {
            Event::Scalar(text, style, _, tag) => {
                if let Some(function) = tag.as_deref().and_then(short) {
                    return self.function(&function, Value::from(&*text));
                }
                let quoted = style != ScalarStyle::Plain || tag.is_some();
                Ok(if quoted { Value::from(&*text) } else { scalar(&text) })
            }
            Event::SequenceStart(_, tag) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        item => items.push(self.value(item, depth + 1)?),
                    }
                }
                self.tagged(tag.as_deref(), Value::Array(items))
            }
            Event::MappingStart(_, tag) => {
                let mut members = Map::new();
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => break,
                        Event::Scalar(key, ..) => key.into_owned(),
                        _ => return Err(self.error("a key must be a string")),
                    };
                    let event = self.next()?;
                    let value = self.value(event, depth + 1)?;
                    if members.insert(key.clone(), value).is_some() {
                        return Err(self.error(&format!("the key '{key}' is there twice")));
                    }
                }
                self.tagged(tag.as_deref(), Value::Object(members))
            }
            Event::Alias(_) => Err(self.error("aliases are not supported")),
            _ => Err(self.error("a value is missing")),
        }
    }

    fn tagged(&self, tag: Option<&Tag>, value: Value) -> Result<Value, String> {
        match tag.and_then(short) {
            Some(function) => self.function(&function, value),
            None => Ok(value),
        }
    }

    fn function(&self, short: &str, argument: Value) -> Result<Value, String> {
        let (name, argument) = match (short, argument) {
            ("Ref" | "Condition", argument) => (short.to_owned(), argument),
            ("GetAtt", Value::String(both)) => match both.split_once('.') {
                Some((resource, attribute)) => ("Fn::GetAtt".to_owned(), json!([resource, attribute])),
                None => {
                    return Err(
                        self.error("!GetAtt needs a resource and an attribute, as in !GetAtt Role.Arn")
                    );
                }
            },
            (_, argument) => (format!("Fn::{short}"), argument),
        };
        let mut call = Map::new();
        call.insert(name, argument);
        Ok(Value::Object(call))
    }
}

/// The function that a local tag, `!Name`, stands for.
fn short(tag: &Tag) -> Option<String> {
    (tag.handle == "!" && !tag.suffix.is_empty()).then(|| tag.suffix.clone())
}

/// A plain scalar in its own type; what looks like a date, an octal number or anything else stays text.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit()) && !leading_zero;
    match serde_json::from_str::<serde_json::Number>(text) {
        Ok(number) if numeric => Value::Number(number),
        _ => Value::from(text),
    }
}
