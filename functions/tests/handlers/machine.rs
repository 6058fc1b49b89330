//! The state machine in a few lines: which handler follows which, with the document between them.

use std::time::Duration;

use functions::deadline::Deadline;
use functions::error::Error;
use functions::handlers::Handler;
use serde_json::{Value, json};

use crate::fake::Fake;

pub const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:machine:run-1";

/// One execution.
#[derive(Debug, Clone)]
pub struct Machine {
    pub fake: Fake,
    pub execution: String,
    /// How long a handler has.
    pub time: Duration,
    /// Passes of the Publisher and of all Executors in the last run.
    pub passes: (u32, u32),
}

impl Machine {
    pub fn new(fake: &Fake) -> Self {
        Self::named(fake, EXECUTION)
    }

    pub fn named(fake: &Fake, execution: &str) -> Self {
        Self {
            fake: fake.clone(),
            execution: execution.to_owned(),
            time: Duration::from_secs(60),
            passes: (0, 0),
        }
    }

    /// Runs an execution to its end, clean-up included. The output, or the error it failed with.
    pub async fn run(&mut self, input: &Value) -> Result<Value, Error> {
        self.start(input);
        let mut document = input.clone();
        let outcome = self.states(&mut document).await;
        if let Err(error) = &outcome {
            document["error"] = json!({"Error": error.kind.name(), "Cause": error.message});
            self.clean_up(&document).await?;
        }
        let status = if outcome.is_ok() { "SUCCEEDED" } else { "FAILED" };
        self.end(status);
        outcome
    }

    pub fn start(&self, input: &Value) {
        let record = ("RUNNING".to_owned(), input.to_string());
        self.fake.world().executions.insert(self.execution.clone(), record);
    }

    /// Starts an execution and takes it past its first state; the document it goes on with.
    pub async fn begin(&self, input: &Value) -> Value {
        self.start(input);
        let mut document = input.clone();
        document["run"] = self.handle(Handler::Initializer, self.event(input)).await.unwrap();
        document
    }

    pub fn end(&self, status: &str) {
        if let Some(record) = self.fake.world().executions.get_mut(&self.execution) {
            record.0 = status.to_owned();
        }
    }

    pub async fn states(&mut self, document: &mut Value) -> Result<Value, Error> {
        self.passes = (0, 0);
        document["run"] = self.handle(Handler::Initializer, self.event(document)).await?;
        while document["run"]["published"]["done"] != json!(true) {
            self.passes.0 += 1;
            assert!(self.passes.0 < 200, "the Publisher does not come to an end: {document}");
            document["run"] = self.handle(Handler::Publisher, self.event(document)).await?;
        }
        let mut stats = Vec::new();
        for power in document["run"]["powerValues"].as_array().unwrap().clone() {
            stats.push(self.measure(document, &power).await?);
        }
        document["stats"] = Value::from(stats);
        document["cleaned"] = self.handle(Handler::Cleaner, self.event(document)).await?;
        document["analysis"] = self.handle(Handler::Analyzer, document.clone()).await?;
        self.handle(Handler::Optimizer, self.event(document)).await
    }

    pub async fn measure(&mut self, document: &Value, power: &Value) -> Result<Value, Error> {
        let mut event = json!({"input": document, "value": power});
        loop {
            self.passes.1 += 1;
            assert!(self.passes.1 < 200, "the Executor does not come to an end: {event}");
            event = self.handle(Handler::Executor, event).await?;
            if event.get("progress").is_none() {
                return Ok(event);
            }
        }
    }

    /// What the state machine does after an error: a few attempts.
    pub async fn clean_up(&self, document: &Value) -> Result<Value, Error> {
        let mut result = self.handle(Handler::Cleaner, self.event(document)).await;
        for _ in 0..3 {
            if result.is_ok() {
                break;
            }
            result = self.handle(Handler::Cleaner, self.event(document)).await;
        }
        result
    }

    /// What EventBridge does after an execution was stopped.
    pub async fn clean_up_after_stop(&self) -> Result<Value, Error> {
        let event = json!({
            "source": "aws.states", "detail-type": "Step Functions Execution Status Change",
            "detail": {"executionArn": self.execution, "status": "ABORTED"},
        });
        let mut result = self.handle(Handler::Cleaner, event.clone()).await;
        for _ in 0..2 {
            if result.is_ok() {
                break;
            }
            result = self.handle(Handler::Cleaner, event.clone()).await;
        }
        result
    }

    pub fn event(&self, document: &Value) -> Value {
        json!({"input": document, "execution": self.execution})
    }

    pub async fn handle(&self, handler: Handler, event: Value) -> Result<Value, Error> {
        // A new sandbox each time: connections are not kept either.
        handler.handle(event, Deadline::within(self.time), &self.fake.clients(&format!("{handler:?}"))).await
    }
}
