//! The result of a Map Run: the state's, or files in S3 with a manifest that names them.

use std::sync::Arc;

use asl::{Export, Failure, MapRun as Job, RESULT_WRITER_FAILED, Transformation, iso};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::course::Child;
use super::record::MapRun;
use crate::s3::PutObject;
use crate::states::names;
use crate::states::records::{Execution, Status};
use crate::states::tasks::said;
use crate::{Aws, Caller, Result};

/// The result of a Map Run whose executions have ended; with a destination it is written there.
///
/// # Errors
/// `States.ResultWriterFailed`.
pub async fn of(
    aws: &Arc<Aws>,
    caller: &Caller,
    job: &Job,
    run: &MapRun,
    children: &[Child],
) -> Result<Value, Failure> {
    let (transformation, lines, destination) = match &job.export {
        None => (Transformation::Compact, false, None),
        Some(Export { destination, transformation, lines }) => {
            (*transformation, *lines, destination.as_ref())
        }
    };
    let Some(destination) = destination else {
        let ended = children.iter().filter_map(|child| child.ended.as_ref());
        return Ok(Value::Array(ended.flat_map(|ended| transformed(aws, ended, transformation)).collect()));
    };
    let failed = |cause: String| Failure::new(RESULT_WRITER_FAILED, cause);
    let [bucket, prefix] = texts(destination, ["Bucket", "Prefix"]).map_err(failed)?;
    let bucket = bucket.ok_or_else(|| failed("the parameters of ResultWriter need a Bucket".to_owned()))?;
    let prefix = prefix.unwrap_or_default().trim_end_matches('/');
    let folder = match prefix {
        "" => run.uuid.clone(),
        prefix => format!("{prefix}/{}", run.uuid),
    };
    let put = |key: String, body: String| async move {
        let (size, bucket) = (body.len(), bucket.to_owned());
        let content_type = "application/json".to_owned();
        let put =
            PutObject { bucket, key: key.clone(), body: body.into(), content_type, ..PutObject::default() };
        let written = aws.s3.put_object(aws, caller, put).await;
        written.map(|_| json!({"Key": key, "Size": size})).map_err(|error| failed(said(&error, "Amazon S3")))
    };

    let mut files = json!({});
    for name in ["FAILED", "PENDING", "SUCCEEDED"] {
        let entries: Vec<Value> =
            children.iter().flat_map(|child| exported(aws, child, name, transformation)).collect();
        let mut written = Vec::new();
        if !entries.is_empty() {
            let (body, extension) = if lines {
                (entries.iter().map(|entry| format!("{entry}\n")).collect(), "jsonl")
            } else {
                (Value::Array(entries).to_string(), "json")
            };
            written.push(put(format!("{folder}/{name}_0.{extension}"), body).await?);
        }
        files[name] = json!(written);
    }
    let arn = names::map_run_arn(aws, &run.id());
    let manifest = json!({"DestinationBucket": bucket, "MapRunArn": arn, "ResultFiles": files});
    let key = format!("{folder}/manifest.json");
    put(key.clone(), manifest.to_string()).await?;
    Ok(json!({"MapRunArn": arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}))
}

/// What stands of an item in the file of this name.
fn exported(aws: &Aws, child: &Child, file: &str, transformation: Transformation) -> Vec<Value> {
    match (&child.ended, file) {
        (None, "PENDING") => {
            let input = child.input.to_string();
            vec![json!({"Input": input, "InputDetails": {"Included": true}, "Status": "PENDING"})]
        }
        (Some(ended), "SUCCEEDED") if ended.status == Status::Succeeded => {
            transformed(aws, ended, transformation)
        }
        (Some(ended), "FAILED") if ended.status != Status::Succeeded => vec![whole(aws, ended)],
        _ => Vec::new(),
    }
}

/// What is told of an execution that ended: of one that failed always all.
fn transformed(aws: &Aws, ended: &Execution, transformation: Transformation) -> Vec<Value> {
    let output = match (&ended.output, transformation) {
        (None, _) | (_, Transformation::None) => return vec![whole(aws, ended)],
        (Some(output), _) => serde_json::from_str(output).unwrap_or_else(|_| json!(output)),
    };
    match (output, transformation) {
        (Value::Array(list), Transformation::Flatten) => list,
        (output, _) => vec![output],
    }
}

/// All that is known of an execution.
fn whole(aws: &Aws, ended: &Execution) -> Value {
    let time = |millis: i64| json!(iso(Timestamp::from_millisecond(millis).unwrap_or_default()));
    let included = json!({"Included": true});
    let (redrive, reason) = ended.redrive();
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let members = [
        ("Cause", text(&ended.cause)),
        ("Error", text(&ended.error)),
        ("ExecutionArn", Some(json!(ended.arn(aws)))),
        ("Input", Some(json!(ended.input))),
        ("InputDetails", Some(included.clone())),
        ("Name", Some(json!(ended.name))),
        ("Output", text(&ended.output)),
        ("OutputDetails", ended.output.as_ref().map(|_| included)),
        ("RedriveCount", Some(json!(0))),
        ("RedriveStatus", Some(json!(redrive))),
        ("RedriveStatusReason", text(&reason)),
        ("StartDate", Some(time(ended.started))),
        ("StateMachineArn", Some(json!(ended.machine_arn(aws)))),
        ("Status", Some(json!(ended.status.name()))),
        ("StopDate", ended.stopped.map(time)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The texts of these names, and no others, in an integration's parameters.
///
/// # Errors
/// Which parameter is unknown or no text.
pub fn texts<'p>(parameters: &'p Value, names: [&str; 2]) -> Result<[Option<&'p str>; 2], String> {
    let fields = parameters.as_object().ok_or("the parameters must be an object")?;
    for (name, value) in fields {
        if !names.contains(&name.as_str()) {
            return Err(format!(
                "the parameter '{name}' is not supported here: give only {}",
                names.join(" and ")
            ));
        }
        if !value.is_string() {
            return Err(format!("the parameter '{name}' must be a text, not {value}"));
        }
    }
    Ok(names.map(|name| fields.get(name).and_then(Value::as_str)))
}
