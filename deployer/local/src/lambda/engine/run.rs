//! One invocation: in an environment that is warm, or in one that is started for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use crate::{Aws, Result, ids};

use super::super::record::now_ms;
use super::super::{Behaviour, Invoked};
use super::admission::Permit;
use super::disturbance::Disturbed;
use super::environment::Environment;
use super::journal::{Journal, Report, Stream, iso_time};
use super::outcome::{Answer, Failure, Outcome};
use super::runtime_api::Event;
use super::{Engine, Job, Key, room};

/// One invocation on its way through an environment.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) aws: &'a Arc<Aws>,
    pub(super) job: &'a Job,
    pub(super) behaviour: &'a Behaviour,
    pub(super) share: Option<f64>,
}

impl Run<'_> {
    pub(super) async fn warm(&mut self, mut environment: Environment) -> (Invoked, Option<Environment>) {
        let mut journal = self.journal(environment.stream.clone());
        journal.start(&self.job.request_id, &self.job.configuration.version);
        let limit = self.limit();
        environment.watch(self.watched());
        let outcome = environment.invoke(self.event(limit), limit, self.share, &mut journal).await;
        let invoked = self.finish(&mut journal, outcome, None, &environment).await;
        let reusable = environment.alive();
        (invoked, reusable.then_some(environment))
    }

    pub(super) async fn cold(
        &mut self,
        key: Key,
        permit: Option<&mut Permit>,
    ) -> Result<(Invoked, Option<Environment>)> {
        let stream = Stream::new(&self.job.function, &self.job.configuration);
        let mut journal = self.journal(stream.clone());
        let configuration = &self.job.configuration;
        let began = Instant::now();
        let first = match self.environment(&key, &stream).await? {
            Err(failure) => Err(failure),
            Ok(mut environment) => {
                if let Some(version) = &environment.runtime_version {
                    journal.init_start(version);
                }
                match environment.init(self.behaviour.init_limit, None, &mut journal).await {
                    Ok(took) => Ok((environment, took)),
                    Err(failure) => Err(failure),
                }
            }
        };
        if let Some(permit) = permit {
            permit.shrink(self.share.map_or(0.0, room));
        }
        let failure = match first {
            Ok((mut environment, init)) => {
                journal.start(&self.job.request_id, &configuration.version);
                let limit = self.limit();
                let outcome = environment.invoke(self.event(limit), limit, self.share, &mut journal).await;
                let invoked = self.finish(&mut journal, outcome, Some(init), &environment).await;
                let reusable = environment.alive();
                return Ok((invoked, reusable.then_some(environment)));
            }
            Err(failure) => failure,
        };
        // Lambda tries an initialization that failed once more, now as part of the invocation and in its time.
        let status = |f: &Failure| if f.timed_out() { "timeout" } else { "error" };
        let kind = |f: &Failure| (!f.timed_out()).then(|| f.kind.clone());
        journal.init_report("init", millis(began.elapsed()), status(&failure), kind(&failure).as_deref());
        let began = Instant::now();
        let limit = self.limit();
        let second = self.environment(&key, &stream).await?;
        let mut environment = match second {
            Ok(environment) => environment,
            Err(failure) => {
                journal.init_report("invoke", millis(began.elapsed()), "error", Some(&failure.kind));
                journal.start(&self.job.request_id, &configuration.version);
                return Ok((self.fail(&mut journal, began.elapsed(), failure, 0).await, None));
            }
        };
        match environment.init(limit, self.share, &mut journal).await {
            Ok(took) => {
                journal.start(&self.job.request_id, &configuration.version);
                let left = limit.saturating_sub(took);
                let mut outcome = environment.invoke(self.event(left), left, self.share, &mut journal).await;
                outcome.duration += took;
                if let Err(failure) = &mut outcome.answer
                    && failure.timed_out()
                {
                    failure.message = timed_out(limit);
                }
                let invoked = self.finish(&mut journal, outcome, None, &environment).await;
                let reusable = environment.alive();
                Ok((invoked, reusable.then_some(environment)))
            }
            Err(mut failure) => {
                let memory = environment.max_memory_mb();
                let took = if failure.timed_out() { limit } else { began.elapsed() };
                journal.init_report("invoke", millis(took), status(&failure), kind(&failure).as_deref());
                if failure.timed_out() {
                    failure.message = timed_out(limit);
                }
                journal.start(&self.job.request_id, &configuration.version);
                Ok((self.fail(&mut journal, took, failure, memory).await, None))
            }
        }
    }

    async fn environment(&self, key: &Key, stream: &Stream) -> Result<Result<Environment, Failure>> {
        let configuration = &self.job.configuration;
        let mut environment =
            self.engine.environment(self.aws, key.clone(), configuration, stream.clone()).await?;
        if let Ok(environment) = &mut environment {
            environment.watch(self.watched());
        }
        Ok(environment)
    }

    /// Whether it matters by how much other work on this machine delays it.
    fn watched(&self) -> bool {
        self.job.measured && self.behaviour.disturbed != Disturbed::Ignore
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.job.configuration.content.timeout))
    }

    fn event(&self, limit: Duration) -> Event {
        let now = now_ms();
        let payload =
            if self.job.payload.is_empty() { Bytes::from_static(b"{}") } else { self.job.payload.clone() };
        Event {
            request_id: self.job.request_id.clone(),
            deadline_ms: now + i64::try_from(limit.as_millis()).unwrap_or(i64::MAX),
            function_arn: self.job.invoked_arn.clone(),
            trace_id: format!("Root=1-{:08x}-{};Parent={};Sampled=0", now / 1000, ids::hex(24), ids::hex(16)),
            payload,
            client_context: self.job.client_context.clone(),
        }
    }

    fn journal(&self, stream: Stream) -> Journal {
        let logging = self.job.configuration.content.logging.clone();
        Journal::new(logging, stream, self.engine.deliveries(self.aws))
    }

    async fn finish(
        &self,
        journal: &mut Journal,
        outcome: Outcome,
        init: Option<Duration>,
        environment: &Environment,
    ) -> Invoked {
        let memory = environment.max_memory_mb();
        let mut report = Report {
            init_ms: init.map(millis),
            mark: self.behaviour.disturbed.mark(outcome.delay, outcome.duration + init.unwrap_or_default()),
            ..self.report(outcome.duration, memory)
        };
        let answer = match outcome.answer {
            Ok(answer) => answer,
            Err(failure) => return self.failed(journal, report, failure).await,
        };
        let (payload, function_error) = match answer {
            Answer::Response(payload) => (payload, None),
            Answer::Error(payload, kind) => {
                report.handler_error = Some(kind.unwrap_or_else(|| "Runtime.Unknown".to_owned()));
                (payload, Some("Unhandled".to_owned()))
            }
        };
        self.close(journal, &report, payload, function_error).await
    }

    async fn fail(&self, journal: &mut Journal, took: Duration, failure: Failure, memory: u64) -> Invoked {
        self.failed(journal, self.report(took, memory), failure).await
    }

    async fn failed(&self, journal: &mut Journal, mut report: Report, failure: Failure) -> Invoked {
        let id = &self.job.request_id;
        if failure.timed_out() {
            report.status = Some("timeout");
            let told = failure.message.trim_start_matches("Error: ");
            journal.note(&format!("{} {id} {told}", iso_time(now_ms())));
        } else {
            report.status = Some("error");
            report.error_type = Some(failure.kind.clone());
            if failure.kind == "Runtime.OutOfMemory" {
                report.max_memory_mb = u64::from(report.memory_mb);
            }
            if failure.document.is_none() {
                journal.note(&format!("RequestId: {id} {}", failure.message));
                journal.note(&failure.kind);
            }
        }
        let payload = failure.document.unwrap_or_else(|| {
            let message = format!("RequestId: {id} {}", failure.message);
            Bytes::from(json!({"errorType": failure.kind, "errorMessage": message}).to_string())
        });
        self.close(journal, &report, payload, Some("Unhandled".to_owned())).await
    }

    async fn close(
        &self,
        journal: &mut Journal,
        report: &Report,
        payload: Bytes,
        function_error: Option<String>,
    ) -> Invoked {
        journal.end(&self.job.request_id, report);
        self.aws.metrics.invoked(&self.job.invoked_arn, report, function_error.is_some());
        let log_result = self.job.log_tail.then(|| journal.tail());
        journal.deliver().await;
        Invoked {
            status: 200,
            payload,
            function_error,
            log_result,
            executed_version: self.job.configuration.version.clone(),
        }
    }

    fn report(&self, duration: Duration, max_memory_mb: u64) -> Report {
        Report {
            duration_ms: millis(duration),
            memory_mb: self.job.configuration.content.memory_size,
            max_memory_mb,
            ..Report::default()
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn timed_out(limit: Duration) -> String {
    format!("Error: Task timed out after {:.2} seconds", limit.as_secs_f64())
}
