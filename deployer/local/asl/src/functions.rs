//! The intrinsic functions themselves, with the limits AWS sets them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

/// Characters that `States.Hash` and the Base64 functions take at most.
const LONGEST_TEXT: usize = 10_000;
/// Elements that `States.ArrayRange` makes at most.
const LONGEST_RANGE: usize = 1000;

/// Name, least and most arguments.
const FUNCTIONS: [(&str, usize, usize); 18] = [
    ("States.Array", 0, usize::MAX),
    ("States.ArrayContains", 2, 2),
    ("States.ArrayGetItem", 2, 2),
    ("States.ArrayLength", 1, 1),
    ("States.ArrayPartition", 2, 2),
    ("States.ArrayRange", 3, 3),
    ("States.ArrayUnique", 1, 1),
    ("States.Base64Decode", 1, 1),
    ("States.Base64Encode", 1, 1),
    ("States.Format", 1, usize::MAX),
    ("States.Hash", 2, 2),
    ("States.JsonMerge", 3, 3),
    ("States.JsonToString", 1, 1),
    ("States.MathAdd", 2, 2),
    ("States.MathRandom", 2, 3),
    ("States.StringSplit", 2, 2),
    ("States.StringToJson", 1, 1),
    ("States.UUID", 0, 0),
];

/// Whether there is such a function.
#[must_use]
pub fn known(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// Whether a function takes so many arguments.
///
/// # Errors
/// How many it takes.
pub fn check(name: &str, count: usize) -> Result<(), String> {
    match FUNCTIONS.iter().find(|(known, ..)| *known == name) {
        Some((_, least, most)) if (*least..=*most).contains(&count) => Ok(()),
        Some((_, least, most)) if least == most => {
            Err(format!("{name} takes {least} arguments, not {count}"))
        }
        Some((_, least, _)) => Err(format!("{name} takes at least {least} arguments, not {count}")),
        None => Err(format!("'{name}' is not an intrinsic function")),
    }
}

/// Calls a function.
///
/// # Errors
/// What is wrong with its arguments.
pub fn call(name: &str, operands: &[Operand]) -> Result<Value, String> {
    check(name, operands.len())?;
    if name == "States.Format" {
        return format(operands).map(Value::String);
    }
    let values: Vec<Value> = operands.iter().map(Operand::value).collect();
    match (name, values.as_slice()) {
        ("States.Array", values) => Ok(json!(values)),
        ("States.ArrayContains", [list, item]) => Ok(json!(array(list)?.iter().any(|v| same(v, item)))),
        ("States.ArrayGetItem", [list, at]) => {
            let (list, at) = (array(list)?, integer(at)?);
            let item = usize::try_from(at).ok().and_then(|at| list.get(at));
            item.cloned().ok_or_else(|| format!("The index {at} is not in an array of length {}", list.len()))
        }
        ("States.ArrayLength", [list]) => Ok(json!(array(list)?.len())),
        ("States.ArrayPartition", [list, size]) => {
            let size = usize::try_from(integer(size)?).ok().filter(|size| *size > 0);
            let size = size.ok_or("The chunk size must be a positive integer")?;
            Ok(array(list)?.chunks(size).map(|chunk| json!(chunk)).collect())
        }
        ("States.ArrayRange", [first, last, step]) => range(integer(first)?, integer(last)?, integer(step)?),
        ("States.ArrayUnique", [list]) => {
            let mut unique: Vec<&Value> = Vec::new();
            for item in array(list)? {
                if !unique.iter().any(|v| same(v, item)) {
                    unique.push(item);
                }
            }
            Ok(json!(unique))
        }
        ("States.Base64Encode", [data]) => Ok(json!(BASE64.encode(bounded(text(data)?)?))),
        ("States.Base64Decode", [data]) => BASE64
            .decode(bounded(text(data)?)?)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Value::String)
            .ok_or_else(|| "The input is not Base64 of UTF-8 text".to_owned()),
        ("States.Hash", [data, algorithm]) => {
            let data = match data {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            hash(bounded(&data)?.as_bytes(), text(algorithm)?).map(Value::String)
        }
        ("States.JsonMerge", [first, second, deep]) => match deep {
            Value::Bool(false) => {
                let mut merged = object(first)?.clone();
                merged.extend(object(second)?.clone());
                Ok(Value::Object(merged))
            }
            Value::Bool(true) => Err("Step Functions only supports shallow merging; pass false".to_owned()),
            other => Err(format!("The third argument must be false, not {other}")),
        },
        ("States.JsonToString", [value]) => Ok(json!(value.to_string())),
        ("States.MathAdd", [a, b]) => {
            let sum = i64::from(int(a)?) + i64::from(int(b)?);
            i32::try_from(sum).map(|sum| json!(sum)).map_err(|_| format!("The sum {sum} is out of range"))
        }
        ("States.MathRandom", [start, end, seed @ ..]) => {
            let seed = seed.first().map(integer).transpose()?;
            random(int(start)?, int(end)?, seed)
        }
        ("States.StringSplit", [string, delimiters]) => {
            let (string, delimiters) = (text(string)?, text(delimiters)?);
            let parts = string.split(|c| delimiters.contains(c)).filter(|part| !part.is_empty());
            Ok(parts.map(|part| json!(part)).collect())
        }
        ("States.StringToJson", [string]) => match text(string)?.trim() {
            "" => Ok(Value::Null),
            // There is one integer 0 on AWS.
            "-0" => Ok(json!(0)),
            text => serde_json::from_str(text).map_err(|e| format!("The string is not JSON: {e}")),
        },
        ("States.UUID", []) => Ok(json!(uuid::Uuid::new_v4().to_string())),
        _ => Err(format!("'{name}' is not an intrinsic function")),
    }
}

/// An argument's value as a function gets it.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// JSON.
    Value(Value),
    /// A string literal, escapes as written.
    Text(String),
}

impl Operand {
    fn value(&self) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::Text(text) => Value::String(unescaped(text)),
        }
    }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

fn format(operands: &[Operand]) -> Result<String, String> {
    let template = match operands.first() {
        Some(Operand::Text(text)) => text.as_str(),
        Some(Operand::Value(value)) => text(value)?,
        None => return Err("a template is missing".to_owned()),
    };
    let mut values = operands[1..].iter();
    let mut result = String::new();
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => result.extend(chars.next()),
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                match values.next().map(Operand::value) {
                    Some(Value::String(text)) => result.push_str(&text),
                    Some(value) => result.push_str(&spelled(&value)),
                    None => return Err("There are more '{}' than values".to_owned()),
                }
            }
            '{' | '}' => return Err(format!("'{c}' must be escaped with a backslash")),
            c => result.push(c),
        }
    }
    if values.next().is_some() {
        return Err("There are more values than '{}'".to_owned());
    }
    Ok(result)
}

/// A value as AWS formats it: objects and arrays are spelled as by Java.
fn spelled(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", joined(list.iter().map(spelled).collect())),
        Value::Object(map) => {
            let fields = map.iter().map(|(name, value)| format!("{name}={}", spelled(value)));
            format!("{{{}}}", joined(fields.collect()))
        }
        plain => plain.to_string(),
    }
}

fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("The step must not be 0".to_owned());
    }
    let mut items = Vec::new();
    let mut at = Some(first);
    while let Some(item) = at.filter(|at| if step > 0 { *at <= last } else { *at >= last }) {
        if items.len() == LONGEST_RANGE {
            return Err(format!("The range has more than {LONGEST_RANGE} elements"));
        }
        items.push(item);
        at = item.checked_add(step);
    }
    Ok(json!(items))
}

fn hash(data: &[u8], algorithm: &str) -> Result<String, String> {
    Ok(match algorithm {
        "MD5" => hex::encode(Md5::digest(data)),
        "SHA-1" => hex::encode(Sha1::digest(data)),
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        other => return Err(format!("'{other}' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")),
    })
}

/// A number from `start` up to, not including, `end`; the same for the same seed.
fn random(start: i32, end: i32, seed: Option<i64>) -> Result<Value, String> {
    if end <= start {
        return Err(format!("The end {end} must be greater than the start {start}"));
    }
    let mut numbers = match seed {
        Some(seed) => fastrand::Rng::with_seed(seed.cast_unsigned()),
        None => fastrand::Rng::new(),
    };
    Ok(json!(numbers.i32(start..end)))
}

/// JSON equality, with numbers by value: 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        _ => a == b,
    }
}

fn array(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("{} is not an array", kind(value)))
}

fn object(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{} is not an object", kind(value)))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{} is not a string", kind(value)))
}

/// A whole number; a fraction is rounded, a half upwards, as AWS does.
fn integer(value: &Value) -> Result<i64, String> {
    #[expect(clippy::cast_possible_truncation, reason = "a cast to an integer saturates")]
    let rounded = |number: f64| (number + 0.5).floor() as i64;
    value
        .as_i64()
        .or_else(|| value.as_f64().map(rounded))
        .ok_or_else(|| format!("{} is not an integer", kind(value)))
}

fn int(value: &Value) -> Result<i32, String> {
    let number = integer(value)?;
    i32::try_from(number).map_err(|_| format!("{number} is out of range (-2147483648 to 2147483647)"))
}

fn bounded(text: &str) -> Result<&str, String> {
    let length = text.chars().count();
    if length > LONGEST_TEXT {
        return Err(format!("The input has {length} characters, at most {LONGEST_TEXT} are allowed"));
    }
    Ok(text)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "A boolean",
        Value::Number(_) => "A number",
        Value::String(_) => "A string",
        Value::Array(_) => "An array",
        Value::Object(_) => "An object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intrinsic::Expression;
    use crate::path::tests::context;

    fn evaluate(text: &str, input: &Value) -> Result<Value, String> {
        Expression::parse(text).unwrap().evaluate("f.$", input, &context()).map_err(|t| t.message)
    }

    #[test]
    fn functions_compute_what_aws_documents() {
        let input = json!({
            "l": [1, 2, 3, 4, 5, 6, 7, 8, 9], "dup": [1, 2, 2.0, "2", 2, {"a": 1}, {"a": 1}],
            "name": "Foo", "json": "{\"number\": 20}", "tpl": "Hi {}", "o1": {"a": {"a1": 1}, "b": 2}, "o2": {"a": {"a3": 1}, "c": 3},
            "b64": "RGF0YSB0byBlbmNvZGU=", "big": 111.4
        });
        for (text, expected) in [
            ("States.Format('Hello, my name is {}.', $.name)", json!("Hello, my name is Foo.")),
            ("States.Format($.tpl, 1.5)", json!("Hi 1.5")),
            ("States.Format('\\{\\} {} \\\\ \\'q\\'', null)", json!("{} null \\ 'q'")),
            ("States.Format('plain')", json!("plain")),
            ("States.Format('{} {}', $.o1, $.dup[0:2])", json!("{a={a1=1}, b=2} [1, 2]")),
            ("States.StringToJson('')", json!(null)),
            ("States.StringToJson('  ')", json!(null)),
            ("States.StringToJson('-0')", json!(0)),
            ("States.MathAdd(-2.5, 0)", json!(-2)),
            ("States.MathAdd(2.5, 0)", json!(3)),
            ("States.MathAdd(-2.6, 0)", json!(-3)),
            ("States.StringToJson($.json)", json!({"number": 20})),
            ("States.JsonToString($.o1)", json!("{\"a\":{\"a1\":1},\"b\":2}")),
            ("States.ArrayPartition($.l, 4)", json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]])),
            ("States.ArrayContains($.l, 5)", json!(true)),
            ("States.ArrayContains($.l, '5')", json!(false)),
            ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
            ("States.ArrayRange(3, 1, -1)", json!([3, 2, 1])),
            ("States.ArrayRange(3, 1, 1)", json!([])),
            ("States.ArrayGetItem($.l, 5)", json!(6)),
            ("States.ArrayLength($.l)", json!(9)),
            ("States.ArrayUnique($.dup)", json!([1, 2, "2", {"a": 1}])),
            ("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU=")),
            ("States.Base64Decode($.b64)", json!("Data to encode")),
            ("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7")),
            ("States.Hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e")),
            ("States.JsonMerge($.o1, $.o2, false)", json!({"a": {"a3": 1}, "b": 2, "c": 3})),
            ("States.MathAdd($.big, -1)", json!(110)),
            ("States.StringSplit('1,2,,3', ',')", json!(["1", "2", "3"])),
            (
                "States.StringSplit('This.is+a,test=string', '.+,=')",
                json!(["This", "is", "a", "test", "string"]),
            ),
        ] {
            assert_eq!(evaluate(text, &input), Ok(expected), "{text}");
        }
    }

    #[test]
    fn hashes_have_their_length() {
        for (algorithm, digits) in [("SHA-256", 64), ("SHA-384", 96), ("SHA-512", 128)] {
            let hash = evaluate(&format!("States.Hash('x', '{algorithm}')"), &json!({})).unwrap();
            assert_eq!(hash.as_str().unwrap().len(), digits);
        }
    }

    #[test]
    fn random_numbers_stay_in_range_and_follow_their_seed() {
        for _ in 0..200 {
            let n = evaluate("States.MathRandom(-3, 4)", &json!({})).unwrap().as_i64().unwrap();
            assert!((-3..4).contains(&n));
        }
        let seeded =
            |seed: i64| evaluate(&format!("States.MathRandom(0, 1000000, {seed})"), &json!({})).unwrap();
        assert_eq!(seeded(7), seeded(7));
        assert_ne!(seeded(7), seeded(8));
        let uuid = evaluate("States.UUID()", &json!({})).unwrap();
        assert_eq!(uuid.as_str().unwrap().len(), 36);
    }

    #[test]
    fn wrong_arguments_are_explained() {
        let input = json!({"l": [1], "o": {}, "long": "x".repeat(10_001)});
        for (text, words) in [
            ("States.Format('{} {}', 1)", "more '{}' than values"),
            ("States.Format('{}', 1, 2)", "more values than '{}'"),
            ("States.Format('{x}', 1)", "must be escaped"),
            ("States.StringToJson('{')", "not JSON"),
            ("States.ArrayPartition($.l, 0)", "positive"),
            ("States.ArrayRange(1, 2000, 1)", "more than 1000"),
            ("States.ArrayRange(1, 2, 0)", "not be 0"),
            ("States.ArrayGetItem($.l, 1)", "index 1"),
            ("States.ArrayLength($.o)", "not an array"),
            ("States.Base64Decode('#')", "not Base64"),
            ("States.Base64Encode($.long)", "10001 characters"),
            ("States.Hash('x', 'CRC')", "'CRC'"),
            ("States.JsonMerge($.o, $.o, true)", "shallow"),
            ("States.JsonMerge($.o, $.l, false)", "not an object"),
            ("States.MathAdd(2147483647, 1)", "out of range"),
            ("States.MathAdd('1', 1)", "not an integer"),
            ("States.MathRandom(3, 3)", "greater"),
            ("States.StringSplit(1, ',')", "not a string"),
        ] {
            let message = evaluate(text, &input).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
