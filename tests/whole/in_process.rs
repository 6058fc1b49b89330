//! The stack's functions, and the function it tunes, as handlers in the test's own process: a run then takes milliseconds, so
//! that every call of it can be made to fail in every way. The endpoint, the template's state machine and the roles'
//! permissions are the ones that the program uses.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use functions::clients::Clients;
use functions::deadline::Deadline;
use functions::handlers::Handler;
use functions::waits::Waits;
use local_aws::Aws;
use local_aws::lambda::in_process::{self, Candidate, FunctionError, Handling, Invocation};
use serde_json::{Value, json};

/// How far waits are shortened. Who cleans up must still come to the next call within the lease while other tests compute.
const SHORTER: u32 = 4;

/// What a test decides about the functions in its process, at any time.
#[derive(Debug, Default)]
pub struct Stage {
    settings: Mutex<Settings>,
    script: Mutex<Script>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    /// How long each of the stack's functions has, when that is not to be what the stack says.
    time: Option<Duration>,
    waits: Waits,
}

/// What functions with the handler `scripted` answer, in order; afterwards `{"ok": true}` each time.
#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Answer>,
    seen: Vec<Seen>,
    under_way: usize,
    most_at_once: usize,
}

/// An answer of a scripted function.
#[derive(Debug, Clone)]
pub enum Answer {
    Returns(Value),
    Raises {
        kind: &'static str,
        message: &'static str,
    },
    Exits,
    RunsOutOfMemory,
    /// Another one, after a while.
    After(Duration, Box<Answer>),
}

impl Answer {
    pub fn good() -> Self {
        Self::Returns(json!({"ok": true}))
    }

    pub fn after(self, milliseconds: u64) -> Self {
        Self::After(Duration::from_millis(milliseconds), Box::new(self))
    }
}

/// One invocation as a scripted function saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// What its ARN ends with: the function's name, and the qualifier if there is one.
    pub function: String,
    pub payload: String,
    pub memory_mb: u32,
}

impl Stage {
    /// Gives each of the stack's functions so much time an invocation.
    pub fn time(&self, milliseconds: u64) {
        self.settings.lock().unwrap().time = Some(Duration::from_millis(milliseconds));
    }

    /// Shortens what is waited for AWS to show late: this endpoint shows it at once, unless a fault says otherwise.
    pub fn shorten_waits(&self) {
        self.settings.lock().unwrap().waits = Waits::AWS.shortened(SHORTER);
    }

    /// The same with waits of the test's own.
    pub fn wait(&self, waits: Waits) {
        self.settings.lock().unwrap().waits = waits;
    }

    /// Forgets what was scripted and seen, and scripts these answers.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        *self.script.lock().unwrap() = Script { answers: answers.into_iter().collect(), ..Script::default() };
    }

    /// How many invocations of scripted functions were under way at once since the last script.
    pub fn most_at_once(&self) -> usize {
        self.script.lock().unwrap().most_at_once
    }

    /// What scripted functions have seen since the last script.
    pub fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }
}

/// From now on functions of these handlers run in this process: the six of the stack, the samples `echo` and `fail`, and
/// `scripted`.
pub fn host(aws: &Aws, stage: &Arc<Stage>) {
    let stage = Arc::clone(stage);
    aws.lambda.run_in_process(move |Candidate { handler, .. }| {
        let ours = Handler::named(handler).ok();
        let sample = match handler {
            "echo" | "fail" | "scripted" => handler.to_owned(),
            _ if ours.is_some() => String::new(),
            _ => return None,
        };
        let stage = Arc::clone(&stage);
        let hosted: in_process::Handler = Arc::new(move |invocation| -> Handling {
            let (stage, sample) = (Arc::clone(&stage), sample.clone());
            match ours {
                Some(handler) => Box::pin(async move { ours_handles(handler, invocation, &stage).await }),
                None if sample == "scripted" => Box::pin(async move { scripted(&invocation, &stage).await }),
                None => Box::pin(async move { sample_handles(sample == "echo", &invocation) }),
            }
        });
        Some(hosted)
    });
}

async fn ours_handles(
    handler: Handler,
    invocation: Invocation,
    stage: &Stage,
) -> Result<Value, FunctionError> {
    let Settings { time, waits } = *stage.settings.lock().unwrap();
    let clients = Clients::with((*invocation.variables).clone()).waiting(waits);
    let deadline = time.map_or_else(|| Deadline::before(invocation.deadline), Deadline::within);
    let answer = handler.handle(event(&invocation)?, deadline, &clients).await;
    answer.map_err(|error| FunctionError::raised(error.kind.name(), error.message))
}

/// As the samples' own executable does, which notes its invocations in a file.
fn sample_handles(well: bool, invocation: &Invocation) -> Result<Value, FunctionError> {
    let event = event(invocation)?;
    if let Some(path) = invocation.variables.get("INVOCATIONS_FILE") {
        let line = format!("{} {} {event}\n", invocation.request_id, invocation.function_arn);
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(path).expect("the file opens");
        file.write_all(line.as_bytes()).expect("a line is written");
    }
    if well { Ok(event) } else { Err(FunctionError::raised("SampleError", "this sample always fails")) }
}

async fn scripted(invocation: &Invocation, stage: &Stage) -> Result<Value, FunctionError> {
    let mut answer = {
        let mut script = stage.script.lock().unwrap();
        script.seen.push(Seen {
            function: invocation.function_arn.rsplit(":function:").next().unwrap().to_owned(),
            payload: String::from_utf8_lossy(&invocation.event).into_owned(),
            memory_mb: invocation.memory_mb,
        });
        script.under_way += 1;
        script.most_at_once = script.most_at_once.max(script.under_way);
        script.answers.pop_front().unwrap_or_else(Answer::good)
    };
    let _under_way = UnderWay(stage);
    while let Answer::After(duration, then) = answer {
        tokio::time::sleep(duration).await;
        answer = *then;
    }
    match answer {
        Answer::Raises { kind, message } => {
            let mut further = serde_json::Map::new();
            further.insert("stackTrace".to_owned(), json!(["frame 1"]));
            Err(FunctionError::Raised { kind: kind.to_owned(), message: message.to_owned(), further })
        }
        Answer::Exits => Err(FunctionError::Exits(1)),
        Answer::RunsOutOfMemory => Err(FunctionError::OutOfMemory),
        Answer::Returns(value) => Ok(value),
        Answer::After(..) => unreachable!("taken apart before"),
    }
}

/// An invocation of a scripted function.
struct UnderWay<'a>(&'a Stage);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut script = self.0.script.lock().unwrap();
        script.under_way = script.under_way.saturating_sub(1);
    }
}

fn event(invocation: &Invocation) -> Result<Value, FunctionError> {
    serde_json::from_slice(&invocation.event).map_err(|e| FunctionError::raised("Event", e.to_string()))
}
