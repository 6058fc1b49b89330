//! Deleting copies: all of a run's by name, whether they are there or not.

use super::make::at_once;
use super::{AT_ONCE, Pace, key, name, region};
use crate::clients::Clients;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::function_api::transient;

/// Deletes the copies 0 to `count` - 1 of an execution, and its code in the stack's bucket. Says how many there were.
///
/// # Errors
/// What AWS refuses; for lack of time. What is left then is deleted when it is called again.
pub async fn sweep(clients: &Clients, execution: &str, count: u32, deadline: Deadline) -> Result<u32, Error> {
    let client = clients.lambda(region(execution))?;
    let mut pace = Pace::default();
    let mut deleted = 0;
    let numbers: Vec<u32> = (0..count).collect();
    for batch in numbers.chunks(AT_ONCE) {
        pace.take().await;
        let deletions = batch.iter().map(|number| {
            let (client, name) = (client.clone(), name(execution, *number));
            async move {
                let answer = transient::call("DeleteFunction", deadline, true, || {
                    client.delete_function().function_name(&name).send()
                });
                match answer.await {
                    Ok(_) => Ok(1),
                    Err(refusal) if refusal.is_not_found() => Ok(0),
                    Err(refusal) => Err(Error::from(refusal)),
                }
            }
        });
        deleted += at_once(deletions).await?.into_iter().sum::<u32>();
    }
    if let Some(bucket) = clients.variable("copyBucket") {
        let (objects, key) = (clients.objects(region(execution))?, key(execution));
        transient::call("DeleteObject", deadline, false, || objects.delete(&bucket, &key)).await?;
    }
    Ok(deleted)
}
