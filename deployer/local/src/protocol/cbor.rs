//! The protocol `rpc-v2-cbor` of CloudWatch: the operation in the path, CBOR both ways.

use minicbor::data::{IanaTag, Type};
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Number, Value};

use super::{Request, Response, query, response, set};
use crate::{ApiError, Result};

/// The header by which a request says that it is one, and its value.
pub const HEADER: (&str, &str) = ("smithy-protocol", "rpc-v2-cbor");
const MEDIA_TYPE: &str = "application/cbor";
/// No request of a service here nests deeper.
const DEEPEST: usize = 16;
/// What a wrong length may let us reserve before its elements are there.
const MOST_RESERVED: usize = 1000;

type Encoding = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// Answers a request, whose operation stands behind a prefix in the path, with what `call` makes of operation and input. `times` are
/// the members that hold times: CBOR tags them.
pub async fn serve(
    prefix: &str,
    times: &[&str],
    request: &Request,
    call: impl AsyncFnOnce(&str, Value) -> Result<Value>,
) -> Response {
    let result = match (request.path.strip_prefix(prefix), input(&request.body)) {
        (None, _) => {
            let message = format!("the path must be {prefix}OPERATION, not \"{}\"", request.path);
            Err(ApiError::new(404, "UnknownOperationException", message))
        }
        (_, Err(e)) => Err(e),
        (Some(operation), Ok(input)) => call(operation, input).await,
    };
    match result {
        Ok(output) => answer(200, &output, times, &request.id),
        Err(e) => error(&e, &request.id),
    }
}

/// An error as this protocol writes it: the shape's name in the body, and in a header the code that the query protocol has for it.
pub fn error(error: &ApiError, id: &str) -> Response {
    let mut body = Map::new();
    body.insert("__type".to_owned(), query::newer(error.clone()).code.into());
    body.insert("message".to_owned(), error.message.clone().into());
    body.extend(error.details.iter().map(|(name, value)| (name.clone(), value.clone().into())));
    let mut response = answer(error.status, &Value::Object(body), &[], id);
    query::keep_code(&mut response, error);
    response
}

fn answer(status: u16, output: &Value, times: &[&str], id: &str) -> Response {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to memory does not fail.
    let _ = encode(&mut encoder, output, times, false);
    let mut response = response(status, MEDIA_TYPE, encoder.into_writer(), id);
    set(&mut response, HEADER.0, HEADER.1);
    response
}

/// A body that is a map, or nothing for an empty one.
fn input(body: &[u8]) -> Result<Value> {
    let wrong = |message: String| ApiError::new(400, "SerializationException", message);
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut decoder = Decoder::new(body);
    let value = decode(&mut decoder, 0).map_err(|e| wrong(format!("the body is not CBOR: {e}")))?;
    match value {
        Value::Object(_) if decoder.position() == body.len() => Ok(value),
        Value::Object(_) => Err(wrong("something follows the body's map".to_owned())),
        _ => Err(wrong("the body must be a map".to_owned())),
    }
}

fn decode(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, minicbor::decode::Error> {
    let refuse = |what: &str| minicbor::decode::Error::message(what);
    if depth > DEEPEST {
        return Err(refuse("it nests too deeply"));
    }
    Ok(match decoder.datatype()? {
        Type::Bool => decoder.bool()?.into(),
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64()?.into(),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64()?.into(),
        Type::F16 => float(decoder.f16()?.into()).ok_or_else(|| refuse("a number is not finite"))?,
        Type::F32 => float(decoder.f32()?.into()).ok_or_else(|| refuse("a number is not finite"))?,
        Type::F64 => float(decoder.f64()?).ok_or_else(|| refuse("a number is not finite"))?,
        Type::String => decoder.str()?.into(),
        Type::StringIndef => decoder.str_iter()?.collect::<Result<String, _>>()?.into(),
        // A time is tagged, and as a number what it is in JSON.
        Type::Tag => {
            decoder.tag()?;
            decode(decoder, depth + 1)?
        }
        Type::Array | Type::ArrayIndef => {
            let length = decoder.array()?;
            let mut list = Vec::with_capacity(reserved(length));
            while goes_on(decoder, length, list.len())? {
                list.push(decode(decoder, depth + 1)?);
            }
            list.into()
        }
        Type::Map | Type::MapIndef => {
            let length = decoder.map()?;
            let (mut members, mut read) = (Map::new(), 0);
            while goes_on(decoder, length, read)? {
                let Value::String(name) = decode(decoder, depth + 1)? else {
                    return Err(refuse("a member's name is no text"));
                };
                members.insert(name, decode(decoder, depth + 1)?);
                read += 1;
            }
            Value::Object(members)
        }
        other => return Err(refuse(&format!("{other} has no place in a request"))),
    })
}

fn float(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

fn reserved(length: Option<u64>) -> usize {
    length.and_then(|length| usize::try_from(length).ok()).unwrap_or_default().min(MOST_RESERVED)
}

/// Whether another element follows; the mark at the end of an open list is taken.
fn goes_on(
    decoder: &mut Decoder<'_>,
    length: Option<u64>,
    read: usize,
) -> Result<bool, minicbor::decode::Error> {
    if let Some(length) = length {
        return Ok(usize::try_from(length).is_ok_and(|length| read < length));
    }
    if decoder.datatype()? == Type::Break {
        decoder.skip()?;
        return Ok(false);
    }
    Ok(true)
}

fn encode(encoder: &mut Encoder<Vec<u8>>, value: &Value, times: &[&str], is_time: bool) -> Encoding {
    match value {
        Value::Null => encoder.null()?,
        Value::Bool(flag) => encoder.bool(*flag)?,
        Value::Number(number) => {
            let encoder = if is_time { encoder.tag(IanaTag::Timestamp)? } else { encoder };
            match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => encoder.i64(whole)?,
                (None, Some(float)) => encoder.f64(float)?,
                (None, None) => encoder.null()?,
            }
        }
        Value::String(text) => encoder.str(text)?,
        Value::Array(list) => {
            encoder.array(list.len() as u64)?;
            return list.iter().try_for_each(|item| encode(encoder, item, times, is_time));
        }
        Value::Object(members) => {
            encoder.map(members.len() as u64)?;
            return members.iter().try_for_each(|(name, member)| {
                encoder.str(name)?;
                encode(encoder, member, times, times.contains(&name.as_str()))
            });
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn bytes(value: &Value, times: &[&str]) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        encode(&mut encoder, value, times, false).unwrap();
        encoder.into_writer()
    }

    #[test]
    fn cbor_says_what_json_says() {
        let value = json!({"a": [1, -2, 2.5, "x", true, null, {}], "Times": [1_700_000_000]});
        assert_eq!(input(&bytes(&value, &["Times"])), Ok(value));
        assert_eq!(bytes(&json!({"T": 1}), &["T"]), [0xa1, 0x61, b'T', 0xc1, 0x01]);
        // Lists and maps of open length, as a client may write them.
        assert_eq!(input(&[0xbf, 0x61, b'a', 0x9f, 0x01, 0xff, 0xff]), Ok(json!({"a": [1]})));
        assert_eq!(input(&[]), Ok(json!({})));
    }

    #[test]
    fn what_is_no_cbor_is_refused() {
        let deep = [[0x81; 100].as_slice(), &[0x01]].concat();
        let inside = [&[0xa1, 0x61, b'a'], deep.as_slice()].concat();
        for body in [&[0xa1][..], &[0x01], &[0xa0, 0x00], &[0xa1, 0x01, 0x01], &inside] {
            assert_eq!(input(body).unwrap_err().code, "SerializationException", "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_cbor_or_not(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = input(&body);
        }
    }
}
