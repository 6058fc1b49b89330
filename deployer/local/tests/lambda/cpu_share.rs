//! The CPU share of a memory size. A noisy machine makes things slower, never faster, so what is asserted closely is that
//! nothing runs faster than its share; how close it comes is a benchmark's matter.

use serde_json::json;

use crate::support::{Local, variables};

#[tokio::test(flavor = "multi_thread")]
async fn a_burn_takes_as_long_as_its_share_makes_it() {
    let local = Local::new().await;
    let mut before = f64::INFINITY;
    for (memory, cpu_ms) in [(128, 40_u32), (512, 40), (1769, 40)] {
        let name = format!("f{memory}");
        local.function(&name, json!({"MemorySize": memory, "Tags": {}})).await;
        local.invoke(&name, json!({})).await;
        let run = local.invoke(&name, json!({"mode": "burn", "ms": cpu_ms})).await;
        let theory = f64::from(cpu_ms * 1769) / f64::from(memory);
        let measured = run.duration();
        assert!(measured > theory * 0.85 - 20.0, "{memory} MB: {measured} ms, not {theory}");
        assert!(measured < before, "{memory} MB: {measured} ms, {before} ms with less");
        before = measured;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_is_not_slowed_and_saves_up_nothing() {
    let local = Local::new().await;
    local.function("f", json!({"MemorySize": 128, "Tags": {}})).await;
    local.invoke("f", json!({})).await;
    let slept = local.invoke("f", json!({"mode": "sleep", "ms": 400})).await.duration();
    assert!((400.0..600.0).contains(&slept), "{slept}");
    // A budget saved up while asleep would let this run at once.
    local.invoke("f", json!({"mode": "sleep", "ms": 400})).await;
    let burnt = local.invoke("f", json!({"mode": "burn", "ms": 30})).await.duration();
    assert!(burnt > 30.0 * 1769.0 / 128.0 * 0.85 - 20.0, "{burnt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn initialization_and_the_apparatus_run_at_full_speed() {
    let local = Local::new().await;
    let init = variables(&[("INIT", "burn")]);
    local.function("f", json!({"MemorySize": 128, "Environment": init, "Tags": {}})).await;
    let init = local.invoke("f", json!({})).await.figure("Init Duration").unwrap();
    // 100 ms of CPU time would take 1,382 ms at the share.
    assert!((100.0..1000.0).contains(&init), "{init}");
    local.function("own", json!({"MemorySize": 128})).await;
    local.invoke("own", json!({})).await;
    let own = local.invoke("own", json!({"mode": "burn", "ms": 50})).await.duration();
    assert!(own < 600.0, "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_core_is_no_part_of_the_duration() {
    let local = Local::new().await;
    let cores = local.aws.lambda.cpu_share().cores;
    // Each takes the whole machine, so they run one after another.
    local.function("f", json!({"MemorySize": 10_240, "Tags": {}})).await;
    assert!(f64::from(local.aws.lambda.cpu_share().largest_memory) <= cores * 1769.0);
    let event = json!({"mode": "sleep", "ms": 300});
    let began = std::time::Instant::now();
    let (a, b) = tokio::join!(local.invoke("f", event.clone()), local.invoke("f", event));
    if cores < 11.0 {
        assert!(began.elapsed().as_millis() >= 600, "{:?}", began.elapsed());
    }
    assert!(a.duration() < 550.0 && b.duration() < 550.0, "{} {}", a.duration(), b.duration());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_share_is_made_with_is_told() {
    let local = Local::new().await;
    let share = local.aws.lambda.cpu_share();
    let told = local.ok("GetAccountSettings", json!({})).await;
    assert_eq!(told["LocalCpuShare"]["mechanism"], share.mechanism);
    assert!(!share.mechanism.is_empty() && share.cores >= 1.0);
}
