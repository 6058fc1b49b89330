//! The payloads of a power value: from the input, or from S3.

use tuning::input::Input;
use tuning::payload::Plan;

use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::function_api::transient;

/// Which payload goes with which invocation.
///
/// # Errors
/// Payloads that do not go with the number of invocations; an object that cannot be read.
pub async fn plan(input: &Input, deadline: Deadline, clients: &Clients) -> Result<Plan, Error> {
    let Some(location) = &input.payload_s3 else {
        return input.payload_plan().map_err(|e| Error::new(Kind::InvalidInput, format!("payload: {e}")));
    };
    let (bucket, key) = (&location.bucket, &location.key);
    let wrong =
        |problem: String| Error::new(Kind::InvalidInput, format!("payloadS3: s3://{bucket}/{key} {problem}"));
    let objects = clients.objects(&input.lambda_arn.region)?;
    let content = transient::call("GetObject", deadline, false, || objects.get(bucket, key)).await.map_err(
        |refusal| {
            if refusal.is_not_found() {
                wrong("does not exist".to_owned())
            } else if refusal.is_denied() {
                // Without leave to list the bucket, S3 says of a missing object, too, that it may not be read.
                wrong(format!(
                    "does not exist or may not be read ({}): check the name, deploy with --payload-s3-bucket and --payload-s3-key (parameters payloadS3Bucket and payloadS3Key) that cover it, and with --kms-key-arns (kmsKeyArns) if a customer managed key encrypts it",
                    refusal.message
                ))
            } else if refusal.status == 301 {
                wrong(format!("is in another region than the function, {}", input.lambda_arn.region))
            } else {
                refusal.into()
            }
        },
    )?;
    let content =
        String::from_utf8(content).map_err(|_| wrong("is not text: a payload is JSON".to_owned()))?;
    let plan = match input.search {
        Some(search) => Plan::from_object_in_turns(&content, search.max_invocations),
        None => Plan::from_object(&content, input.invocations()),
    };
    plan.map_err(|e| wrong(format!("is not usable: {e}")))
}
