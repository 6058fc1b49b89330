//! The `Invoke` operation: who may, which version runs, and how it is answered.

use std::sync::Arc;

use base64::Engine as _;
use serde::de::IgnoredAny;
use tokio::sync::oneshot;

use crate::{ApiError, Aws, Caller, Result, ids};

use super::engine::Job;
use super::engine::runtime_api::PAYLOAD_LIMIT;
use super::errors::{conflict, no_function, service, snap_start_not_ready, too_large};
use super::name::{LATEST, Target, version_number};
use super::record::{ALIAS, Alias, Configuration, FUNCTION, Function, alias_id, version};
use super::{APPARATUS, Invocation, InvocationType, Invoked, Lambda, keys, policy};

/// The largest event of an asynchronous invocation, in bytes.
const EVENT_LIMIT: usize = 1_048_576;

impl Lambda {
    /// Invokes a function.
    ///
    /// An invocation that has begun runs to its end even when nobody waits for the answer any more.
    ///
    /// # Errors
    /// What AWS would answer when the function does not get to run; a function that fails is an [`Invoked`].
    pub async fn invoke(&self, aws: &Arc<Aws>, caller: &Caller, invocation: Invocation) -> Result<Invoked> {
        let target = Target::read(aws, Some(&invocation.function), invocation.qualifier.as_deref())?;
        let function: Option<Function> = aws.store.get(FUNCTION, &target.name);
        policy::authorize_invoke(aws, caller, &target, function.as_ref())?;
        let function = function.ok_or_else(|| no_function(target.running_arn(aws)))?;
        let client_context = client_context(invocation.client_context.as_deref())?;
        let limit = match invocation.invocation_type {
            InvocationType::Event => EVENT_LIMIT,
            InvocationType::RequestResponse | InvocationType::DryRun => PAYLOAD_LIMIT,
        };
        if invocation.payload.len() > limit {
            return Err(too_large(limit, "InvokeFunction"));
        }
        if !invocation.payload.is_empty()
            && let Err(e) = serde_json::from_slice::<IgnoredAny>(&invocation.payload)
        {
            return Err(ApiError::new(
                400,
                "InvalidRequestContentException",
                format!("Could not parse request body into json: {e}"),
            )
            .with("Type", "User"));
        }
        let configuration = self.choose(aws, &target, &function)?;
        let without_answer = |status| Invoked {
            status,
            payload: bytes::Bytes::new(),
            function_error: None,
            log_result: None,
            executed_version: configuration.version.clone(),
        };
        match invocation.invocation_type {
            InvocationType::DryRun => return Ok(without_answer(204)),
            InvocationType::Event => {
                // It is JSON, so it is text.
                let payload = String::from_utf8_lossy(&invocation.payload).into_owned();
                self.enqueue(aws, &target, payload, client_context);
                return Ok(without_answer(202));
            }
            InvocationType::RequestResponse => {}
        }
        let job = Job {
            request_id: ids::uuid(),
            function: target.name.clone(),
            invoked_arn: target.arn(aws),
            configuration,
            payload: invocation.payload,
            client_context,
            log_tail: invocation.log_tail,
            exempt: exempt(&function),
            measured: !exempt(&function) && is_apparatus(aws, caller),
            caller: caller.clone(),
        };
        self.run(aws, job).await
    }

    /// Runs a queued event once.
    ///
    /// # Errors
    /// When it does not get to run.
    pub(super) async fn run_event(
        &self,
        aws: &Arc<Aws>,
        target: &Target,
        function: &Function,
        request_id: &str,
        payload: &str,
        client_context: Option<String>,
    ) -> Result<Invoked> {
        let job = Job {
            request_id: request_id.to_owned(),
            function: target.name.clone(),
            invoked_arn: target.arn(aws),
            configuration: self.choose(aws, target, function)?,
            payload: bytes::Bytes::copy_from_slice(payload.as_bytes()),
            client_context,
            log_tail: false,
            exempt: exempt(function),
            measured: false,
            caller: Caller::Owner,
        };
        self.run(aws, job).await
    }

    async fn run(&self, aws: &Arc<Aws>, job: Job) -> Result<Invoked> {
        let behaviour = self.behaviour();
        let running = self.engine.concurrency.enter(&job.function, behaviour.account_concurrency);
        let running = running.inspect_err(|_| aws.metrics.throttled(&job.invoked_arn))?;
        let (tell, told) = oneshot::channel();
        let (engine, aws) = (Arc::clone(&self.engine), Arc::clone(aws));
        self.tasks.run(async move {
            let _ = tell.send(engine.run(&aws, job, &behaviour, running).await);
        });
        told.await.unwrap_or_else(|_| Err(service("the endpoint is shutting down")))
    }

    /// The version that an invocation of `target` runs.
    fn choose(&self, aws: &Aws, target: &Target, function: &Function) -> Result<Configuration> {
        let absent = || no_function(target.arn(aws));
        let configuration = match target.qualifier.as_deref() {
            None | Some(LATEST) => function.running().clone(),
            Some(q) if version_number(q).is_some() => version(&aws.store, function, q).ok_or_else(absent)?,
            Some(q) => {
                let alias: Alias = aws.store.get(ALIAS, &alias_id(&function.name, q)).ok_or_else(absent)?;
                match drawn(&alias) {
                    LATEST => function.running().clone(),
                    number => version(&aws.store, function, number).ok_or_else(absent)?,
                }
            }
        };
        let snap_start = configuration.content.snap_start && configuration.version != LATEST;
        if configuration.pending() && snap_start {
            return Err(snap_start_not_ready());
        }
        if configuration.failed() {
            return Err(conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: Failed",
            ));
        }
        keys::check_start(aws, &function.name, &configuration.content)?;
        if configuration.pending() {
            return Err(conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: \
                 Pending",
            ));
        }
        Ok(configuration)
    }
}

/// The version an alias leads to this time.
fn drawn(alias: &Alias) -> &str {
    let Some((second, weight)) = alias.weights.iter().next() else { return &alias.version };
    let draw = getrandom::u32().map_or(1.0, |n| f64::from(n) / (f64::from(u32::MAX) + 1.0));
    if draw < *weight { second } else { &alias.version }
}

/// Whether the owner has marked a function as part of the measuring apparatus.
fn exempt(function: &Function) -> bool {
    function.tags.get(APPARATUS).is_some_and(|v| v == "true")
}

/// Whether it is a function of the measuring apparatus that calls: a function's session has its name, also in another account.
fn is_apparatus(aws: &Aws, caller: &Caller) -> bool {
    let Caller::Role { session, .. } = caller else { return false };
    let main = aws.main();
    main.as_deref().unwrap_or(aws).store.get(FUNCTION, session).is_some_and(|function| exempt(&function))
}

fn client_context(given: Option<&str>) -> Result<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let invalid = |why: String| {
        ApiError::new(
            400,
            "InvalidRequestContentException",
            format!("Client context must be a valid Base64-encoded JSON object: {why}"),
        )
        .with("Type", "User")
    };
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(given).map_err(|e| invalid(e.to_string()))?;
    let json: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))?;
    serde_json::to_string(&json).map(Some).map_err(|e| invalid(e.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn weights_share_the_invocations() {
        let mut alias = Alias {
            name: "live".to_owned(),
            version: "1".to_owned(),
            weights: BTreeMap::from([("2".to_owned(), 0.5)]),
            description: String::new(),
            revision: String::new(),
        };
        let second = (0..2000).filter(|_| drawn(&alias) == "2").count();
        assert!((800..1200).contains(&second), "{second}");
        alias.weights = BTreeMap::from([("2".to_owned(), 0.0)]);
        assert!((0..100).all(|_| drawn(&alias) == "1"));
        alias.weights = BTreeMap::from([("2".to_owned(), 1.0)]);
        assert!((0..100).all(|_| drawn(&alias) == "2"));
    }

    #[test]
    fn a_client_context_is_json_in_base64() {
        assert_eq!(client_context(Some("eyJhIjoxfQ==")).unwrap().as_deref(), Some(r#"{"a":1}"#));
        for given in ["!", "MQ=="] {
            assert_eq!(client_context(Some(given)).unwrap_err().code, "InvalidRequestContentException");
        }
    }
}
