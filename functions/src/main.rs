//! `bootstrap`: the executable Lambda starts. Reads `_HANDLER`, then answers events until the sandbox is reclaimed.

use std::sync::Arc;

use functions::clients::Clients;
use functions::deadline::Deadline;
use functions::handlers::Handler;
use functions::log;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let handler = Handler::named(&std::env::var("_HANDLER").unwrap_or_default())?;
    let clients = Arc::new(Clients::new());
    handler.prepare(&clients);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let clients = Arc::clone(&clients);
        async move {
            let deadline = Deadline::before(event.context.deadline());
            if let Some(line) = log::begun(&event.payload) {
                log::write(&line);
            }
            handler
                .handle(event.payload, deadline, &clients)
                .await
                .inspect_err(|error| log::write(&log::failed(error)))
        }
    }))
    .await
}
