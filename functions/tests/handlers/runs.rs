//! Whole runs that go well, and those that must fail: what they answer and what they leave.

use std::time::Duration;

use functions::deadline::Deadline;
use functions::error::Kind;
use functions::handlers::Handler;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::machine::Machine;
use crate::world::{ARN, Invoked, World};

fn input() -> Value {
    json!({"lambdaARN": ARN, "num": 5, "powerValues": [128, 256, 1024]})
}

fn with(extra: Value) -> Value {
    let mut input = input();
    for (name, value) in extra.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn a_good_run_leaves_the_function_as_it_was() {
    for any_update_counts in [true, false] {
        for (pending_for, aliases_count) in [(0, false), (2, false), (0, true)] {
            let world = World { any_update_counts, pending_for, aliases_count, ..World::default() };
            let fake = Fake::start(world).await;
            let before = fake.world().kept();
            let output = Machine::new(&fake).run(&input()).await.unwrap();
            assert_eq!(fake.world().kept(), before);
            assert_eq!(fake.world().seen.len(), 15);
            assert_eq!(output["baseline"]["power"], 256, "{output}");
            assert_eq!(output["power"], 128, "all take as long, so the smallest is cheapest: {output}");
        }
    }
}

#[tokio::test]
async fn each_size_is_measured_at_its_own_version() {
    let fake = Fake::start(World::default()).await;
    let machine = Machine::new(&fake);
    let mut document = machine.begin(&input()).await;
    document["run"] = machine.handle(Handler::Publisher, machine.event(&document)).await.unwrap();
    {
        let world = fake.world();
        assert_eq!(world.memory, 256, "the function has its own size again before anything is measured");
        for (alias, memory) in
            [("deployer-tuning-128", 128), ("deployer-tuning-256", 256), ("deployer-tuning-1024", 1024)]
        {
            let version: u64 = world.aliases[alias].version.parse().unwrap();
            assert_eq!(world.versions[&version].memory, memory, "{alias}");
        }
        assert_eq!(world.aliases["deployer-tuning-256"].version, world.aliases["deployer-tuning"].version);
    }
    machine.clean_up(&document).await.unwrap();
}

/// The Publisher does not wait until the function's own size is in effect again.
#[tokio::test]
async fn a_return_to_the_own_size_that_failed_is_made_once_more() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let machine = Machine::new(&fake);
    let mut document = machine.begin(&input()).await;
    document["run"] = machine.handle(Handler::Publisher, machine.event(&document)).await.unwrap();
    fake.world().failed = true;
    machine.clean_up(&document).await.unwrap();
    assert!(!fake.world().failed);
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn a_version_that_was_there_already_is_not_deleted() {
    // The function has not changed since its last version, so that version is the snapshot.
    let mut world = World::default();
    let number = world.publish("released");
    let fake = Fake::start(world).await;
    let before = fake.world().kept();
    Machine::new(&fake).run(&input()).await.unwrap();
    assert_eq!(fake.world().kept(), before);
    assert!(before.versions.contains_key(&number));
}

#[tokio::test]
async fn every_cold_start_has_a_version_of_its_own() {
    for any_update_counts in [true, false] {
        for sizes in [json!([128, 256]), json!([256]), json!([10240]), json!([128])] {
            let fake = Fake::start(World { any_update_counts, ..World::default() }).await;
            let before = fake.world().kept();
            let input = with(json!({"onlyColdStarts": true, "powerValues": sizes}));
            Machine::new(&fake).run(&input).await.unwrap();
            let world = fake.world();
            assert_eq!(world.kept(), before, "{sizes} {any_update_counts}");
            let qualifiers: std::collections::BTreeSet<_> =
                world.seen.iter().map(|seen| seen.qualifier.clone()).collect();
            assert_eq!(qualifiers.len(), 5 * sizes.as_array().unwrap().len());
        }
    }
}

#[tokio::test]
async fn several_passes_give_the_numbers_of_one() {
    let script = || {
        (0..15).map(|i| Invoked::Answer {
            log: crate::world::report(20.0 + f64::from(i) * 7.31),
            payload: json!(null),
            failed: false,
            after_ms: 120,
        })
    };
    let input = with(json!({"includeOutputResults": true}));
    let mut outputs = Vec::new();
    for time in [20_000, 1_700] {
        let fake =
            Fake::start(World { script: script().collect(), update_takes: 4, ..World::default() }).await;
        let before = fake.world().kept();
        let mut machine = Machine::new(&fake);
        machine.time = Duration::from_millis(time);
        let mut output = machine.run(&input).await.unwrap();
        assert_eq!(fake.world().kept(), before);
        assert_eq!(fake.world().seen.len(), 15, "no invocation is made twice");
        // Transitions cost what they cost, and each further pass is two of them.
        let transitions = output["stateMachine"]["executionCost"].as_f64().unwrap() / 2.5e-5;
        let (publisher, executor) = machine.passes;
        assert_eq!(transitions.round() as u32, 7 + 3 * 3 + 2 * (publisher - 1) + 2 * (executor - 3));
        output["stateMachine"]["executionCost"] = json!(0);
        for stat in output["stats"].as_array_mut().unwrap() {
            stat.as_object_mut().unwrap().remove("passes");
        }
        outputs.push((output, machine.passes));
    }
    assert_eq!(outputs[0].1, (1, 3));
    assert!(
        outputs[1].1.0 > 1 && outputs[1].1.1 > 3,
        "the short deadline made no further passes: {:?}",
        outputs[1].1
    );
    assert_eq!(outputs[0].0, outputs[1].0);
}

#[tokio::test]
async fn a_dry_run_invokes_once_and_analyses_nothing() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let output = Machine::new(&fake).run(&with(json!({"dryRun": true, "autoOptimize": true}))).await.unwrap();
    assert_eq!(output, Value::Null);
    assert_eq!(fake.world().seen.len(), 3);
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn the_choice_is_applied_to_the_function() {
    let fake = Fake::start(World::default()).await;
    let mut expected = fake.world().kept();
    Machine::new(&fake).run(&with(json!({"autoOptimize": true}))).await.unwrap();
    expected.memory = 128;
    assert_eq!(fake.world().kept(), expected);
}

#[tokio::test]
async fn the_choice_is_applied_to_an_alias() {
    for existing in [false, true] {
        let mut world = World::default();
        if existing {
            world.add_alias("tuned", "1", "mine");
        }
        let fake = Fake::start(world).await;
        let before = fake.world().kept();
        Machine::new(&fake)
            .run(&with(json!({"autoOptimize": true, "autoOptimizeAlias": "tuned"})))
            .await
            .unwrap();
        let world = fake.world();
        let version: u64 = world.aliases["tuned"].version.parse().unwrap();
        assert_eq!(world.versions[&version].memory, 128);
        assert_eq!(world.aliases["tuned"].description, if existing { "mine" } else { "" });
        let mut after = world.kept();
        after.versions.remove(&version);
        after.aliases.remove("tuned");
        let mut before = before;
        before.aliases.remove("tuned");
        assert_eq!(after, before, "nothing but the alias and its version is new");
    }
}

#[tokio::test]
async fn an_alias_that_splits_its_traffic_is_refused_before_anything_changes() {
    let fake = Fake::start(World::default()).await;
    let input = with(json!({"autoOptimize": true, "autoOptimizeAlias": "live"}));
    let error = Machine::new(&fake).run(&input).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidInput);
    assert!(error.message.contains("live splits its traffic between versions 1 and 2"), "{error}");
    assert!(
        fake.calls().iter().all(|call| call.starts_with("Get") || call.starts_with("List")),
        "{:?}",
        fake.calls()
    );
}

#[tokio::test]
async fn a_handler_that_raises_fails_the_run_and_leaves_nothing() {
    let mut world = World::default();
    world.script.extend([Invoked::took(50.0), Invoked::raised("ValueError", "no such customer")]);
    let fake = Fake::start(world).await;
    let before = fake.world().kept();
    let error = Machine::new(&fake).run(&with(json!({"payload": {"id": 7}}))).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvocationFailed);
    for part in
        ["power value 128", "invocation 2 of 5", "{\"id\":7}", "ValueError", "no such customer", "frame 1"]
    {
        assert!(error.message.contains(part), "{part} is missing: {error}");
    }
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn a_size_that_is_too_small_is_skipped_with_the_reason() {
    let mut world = World::default();
    world.script.push_back(Invoked::Answer {
        log: "REPORT RequestId: r\tDuration: 9.00 ms\tBilled Duration: 9 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n".to_owned(),
        payload: json!({"errorType": "Runtime.OutOfMemory", "errorMessage": "Runtime exited with error: signal: killed"}),
        failed: true,
        after_ms: 0,
    });
    let fake = Fake::start(world).await;
    let before = fake.world().kept();
    let output = Machine::new(&fake).run(&input()).await.unwrap();
    assert_eq!(output["skipped"][0]["value"], 128);
    assert!(output["skipped"][0]["reason"].as_str().unwrap().starts_with("out of memory"), "{output}");
    assert_eq!(output["power"], 256);
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn all_problems_of_an_input_are_named_and_nothing_is_called() {
    let fake = Fake::start(World::default()).await;
    let input = json!({"lambdaARN": "target", "num": 2, "powerValues": [1], "strategy": "best"});
    let error = Machine::new(&fake).run(&input).await.unwrap_err();
    assert_eq!(error.kind, Kind::InvalidInput);
    for field in ["lambdaARN", "num", "powerValues", "strategy"] {
        assert!(error.message.contains(field), "{field}: {error}");
    }
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn a_size_the_account_does_not_allow_is_named() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let machine = Machine::new(&fake);
    let mut document = machine.begin(&with(json!({"powerValues": [128]}))).await;
    // What no input can say, but an account's quota can.
    document["run"]["powerValues"] = json!([20_480]);
    document["powerValues"] = Value::Null;
    let error = machine.handle(Handler::Publisher, machine.event(&document)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.contains("power value 20480") && error.message.contains("MemorySize"), "{error}");
    machine.clean_up(&document).await.unwrap();
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn what_cannot_be_measured_is_refused_before_anything_changes() {
    for (setting, value) in [
        (
            "CapacityProviderConfig",
            json!({"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn:p"}}),
        ),
        ("DurableConfig", json!({"ExecutionTimeout": 60})),
        ("TenancyConfig", json!({"TenantIsolationMode": "PER_TENANT"})),
        ("LoggingConfig", json!({"LogFormat": "JSON", "SystemLogLevel": "WARN"})),
        ("Environment", json!({"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms:Decrypt"}})),
        ("ReservedConcurrentExecutions", json!(0)),
    ] {
        let fake = Fake::start(World { settings: Some((setting, value)), ..World::default() }).await;
        let before = fake.world().kept();
        let error = Machine::new(&fake).run(&input()).await.unwrap_err();
        assert_eq!(error.kind, Kind::FunctionNotTunable, "{error}");
        assert!(error.message.contains(setting), "{setting}: {error}");
        assert_eq!(fake.world().kept(), before);
        let changes = |call: &&String| !call.starts_with("Get") && !call.starts_with("List");
        assert_eq!(fake.calls().iter().find(changes), None);
    }
}

#[tokio::test]
async fn an_alias_that_the_stack_leaves_out_is_not_moved() {
    for (patterns, fits) in
        [("tuned", true), ("live, tu*", true), ("*", true), ("live", false), ("tune", false)]
    {
        let fake = Fake::start(World::default()).await;
        let machine = Machine::new(&fake);
        let input = with(json!({"autoOptimize": true, "autoOptimizeAlias": "tuned"}));
        let document = machine.begin(&input).await;
        machine.clean_up(&document).await.unwrap();
        let mut chosen = document.clone();
        chosen["analysis"] = json!({"power": 128});
        for (handler, document) in [(Handler::Initializer, &input), (Handler::Optimizer, &chosen)] {
            let before = fake.world().kept();
            let clients = crate::fake::clients_of(
                fake.url(),
                &format!("{handler:?}"),
                &[("optimizableAliases", patterns)],
            );
            let result =
                handler.handle(machine.event(document), Deadline::within(machine.time), &clients).await;
            match result {
                Ok(_) => assert!(fits, "{handler:?} {patterns}"),
                Err(error) => {
                    assert!(
                        !fits && error.message.contains("optimizableAliases"),
                        "{handler:?} {patterns}: {error}"
                    );
                    assert_eq!(fake.world().kept(), before);
                }
            }
            if handler == Handler::Initializer && fits {
                machine.clean_up(&document.clone()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn the_largest_size_is_set_first() {
    let fake = Fake::start(World { largest: 512, ..World::default() }).await;
    let before = fake.world().kept();
    let error = Machine::new(&fake).run(&input()).await.unwrap_err();
    assert!(error.message.starts_with("power value 1024: "), "{error}");
    let updates = fake.calls().iter().filter(|call| *call == "PublishVersion").count();
    assert_eq!(updates, 1, "nothing but the copy was published: {:?}", fake.calls());
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_tried_again() {
    let fake = Fake::start(World::default()).await;
    let machine = Machine::new(&fake);
    let mut document = machine.begin(&input()).await;
    document["run"]["region"] = json!("");
    let publishing = machine.handle(Handler::Publisher, machine.event(&document));
    let error = tokio::time::timeout(Duration::from_secs(10), publishing).await.expect("it tries on and on");
    assert_eq!(error.unwrap_err().kind, Kind::Refused);
}
