//! Invocations that other work on the machine disturbs. How long anything takes is not asserted, but that what took longer
//! than it does on an idle machine says so, and by how much.

use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_aws::Caller;
use local_aws::lambda::{Behaviour, Disturbed, Invocation};
use serde_json::{Value, json};

use crate::support::{Local, ROLE, variables};

/// CPU time of a handler, in ms: long against the 20 ms in which a share is given.
const BURN_MS: u32 = 100;

/// Other work: so many processes that compute until this is dropped, and for a minute at most.
struct Busy(Vec<Child>);

impl Busy {
    fn with(processes: usize) -> Self {
        let start = || {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -t 60; while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap()
        };
        Self((0..processes).map(|_| start()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One that invokes functions to measure them.
async fn apparatus(disturbed: Disturbed) -> Vec<Local> {
    let locals = Local::each().await;
    for local in &locals {
        local.aws.lambda.behave(Behaviour { disturbed, ..Local::quick() });
        local.function("apparatus", json!({})).await;
        local.grant(&["lambda:InvokeFunction"], "*").await;
    }
    locals
}

/// The log of an invocation by the apparatus.
async fn measured(local: &Local, function: &str, event: &Value) -> String {
    let session = Caller::Role { arn: ROLE.to_owned(), session: "apparatus".to_owned() };
    let invocation = Invocation {
        function: function.to_owned(),
        payload: event.to_string().into(),
        log_tail: true,
        ..Invocation::default()
    };
    let invoked = local.aws.lambda.invoke(&local.aws, &session, invocation).await.unwrap();
    assert_eq!(invoked.function_error, None);
    String::from_utf8(STANDARD.decode(invoked.log_result.unwrap()).unwrap()).unwrap()
}

/// A figure of the REPORT line in ms.
fn figure(log: &str, name: &str) -> Option<f64> {
    let report = log.lines().find(|line| line.starts_with("REPORT"))?;
    let field = report.split('\t').find_map(|field| field.strip_prefix(name)?.strip_prefix(": "))?;
    field.strip_suffix(" ms")?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_work_delays_says_by_how_much() {
    let cores = std::thread::available_parallelism().unwrap().get();
    for local in apparatus(Disturbed::Repeat).await {
        let mechanism = local.aws.lambda.mechanism();
        let event = json!({"mode": "burn", "ms": BURN_MS});
        for (name, memory) in [("part", 1024_u32), ("whole", 1769)] {
            local.function(name, json!({"MemorySize": memory, "Tags": {}})).await;
            local.invoke(name, json!({})).await;
            // What an idle machine takes, the call and its answer included. What the host of a virtual machine slows down without
            // stopping it is in no account: at times a tenth, and rarely more, which a run that is trimmed leaves out.
            let idle = f64::from(BURN_MS) * (1769.0 / f64::from(memory)) * 1.15 + 3.0;
            for busy in [1, cores] {
                let _busy = Busy::with(busy);
                let mut marked = 0;
                let mut longer = Vec::new();
                for _ in 0..6 {
                    let log = measured(&local, name, &event).await;
                    let (took, delay) = (figure(&log, "Duration").unwrap(), figure(&log, "Local Delay"));
                    marked += usize::from(delay.is_some());
                    assert_eq!(log.contains("Local Repeat: true"), delay.is_some(), "{log}");
                    if took - delay.unwrap_or_default() >= idle {
                        longer.push(log);
                    }
                }
                assert!(longer.len() <= 1, "{mechanism}, {name} beside {busy}: {longer:?}");
                // Whoever shares each core with others gets half of one.
                if (name, busy) == ("whole", cores) {
                    assert!(marked > 0, "{mechanism}: no invocation of {name} was disturbed beside {busy}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_other_work_leaves_alone_is_not_disturbed() {
    for local in apparatus(Disturbed::Repeat).await {
        local.function("f", json!({"MemorySize": 128, "Tags": {}})).await;
        local.invoke("f", json!({})).await;
        // It waits for its budget nearly all the time, and for a CPU a little, which costs it nothing.
        let _busy = Busy::with(1);
        let event = json!({"mode": "burn", "ms": BURN_MS});
        let mut undisturbed = 0;
        for _ in 0..5 {
            let log = measured(&local, "f", &event).await;
            undisturbed += usize::from(figure(&log, "Local Delay").is_none());
        }
        assert!(undisturbed >= 3, "{}: {undisturbed} of 5", local.aws.lambda.mechanism());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initialization_can_be_disturbed_as_well() {
    let local = apparatus(Disturbed::Say).await.remove(0);
    let init = variables(&[("INIT", "burn")]);
    local.function("f", json!({"MemorySize": 1769, "Environment": init, "Tags": {}})).await;
    let _busy = Busy::with(3 * std::thread::available_parallelism().unwrap().get());
    let log = measured(&local, "f", &json!({})).await;
    let delay = figure(&log, "Local Delay").unwrap();
    assert!(delay > 10.0 && figure(&log, "Init Duration").unwrap() > delay, "{log}");
    assert!(log.contains("Local Repeat: false"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_apparatus_is_told_and_only_when_it_is_asked_for() {
    let event = json!({"mode": "burn", "ms": BURN_MS});
    for (disturbed, by_the_apparatus) in [(Disturbed::Repeat, false), (Disturbed::Ignore, true)] {
        let local = apparatus(disturbed).await.remove(0);
        local.function("f", json!({"MemorySize": 1769, "Tags": {}})).await;
        let _busy = Busy::with(3 * std::thread::available_parallelism().unwrap().get());
        let log = match by_the_apparatus {
            true => measured(&local, "f", &event).await,
            false => local.invoke("f", event.clone()).await.log,
        };
        assert!(figure(&log, "Duration").unwrap() > f64::from(BURN_MS), "{log}");
        assert!(!log.contains("Local"), "{log}");
    }
}
