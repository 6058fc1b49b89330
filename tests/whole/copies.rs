//! Runs that measure temporary copies: the function itself is not touched, and no copy outlives its run.

use std::collections::BTreeSet;
use std::time::Duration;

use functions::waits::Waits;
use local_aws::Service;
use local_aws::faults::{Fault, Kind};
use local_aws::lambda::Behaviour;
use serde_json::{Value, json};

use crate::bench::{Bench, FUNCTION, Handled, Over, ROLE, function_arn};
use crate::harness::{Running, World};
use crate::in_process::Answer;

/// A stack that may make copies, which have the samples' own role.
pub const COPIES: [&str; 6] = ["--power-values", "128,512", "--copies", "also", "--copyable-roles", ROLE];
const ONLY: [&str; 6] = ["--power-values", "128,512", "--copies", "only", "--copyable-roles", ROLE];

/// The names of all copies there are.
pub async fn copies(bench: &Bench) -> BTreeSet<String> {
    let listed = bench.ok(Service::Lambda, "ListFunctions", json!({})).await;
    let names = listed["Functions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["FunctionName"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("deployer-tuning-")).collect()
}

/// The keys in the bucket that the code of copies goes through.
pub async fn code(bench: &Bench) -> Vec<String> {
    let buckets = bench.ok(Service::S3, "ListBuckets", json!({})).await;
    let names = buckets["Buckets"].as_array().unwrap().iter().map(|b| b["Name"].as_str().unwrap().to_owned());
    let bucket = names.into_iter().find(|name| name.contains("copiesbucket")).expect("the stack's bucket");
    let listed = bench.ok(Service::S3, "ListObjectsV2", json!({ "Bucket": bucket })).await;
    let objects = listed["Contents"].as_array().cloned().unwrap_or_default();
    objects.iter().map(|object| object["Key"].as_str().unwrap().to_owned()).collect()
}

/// What `deployer cleanup` asks for of an execution's copies, of which it has found those that are there.
pub async fn cleanup(bench: &Bench, execution: &str) -> Handled {
    let numbers = copies(bench).await.into_iter().filter_map(|name| Some(tuning::copies::parse(&name)?.1));
    let count = numbers.max().map_or(2, |last| last + 1);
    bench.handle("cleaner", json!({ "cleanup": { "execution": execution, "copies": count } })).await
}

/// Deletes functions.
pub async fn delete(bench: &Bench, names: BTreeSet<String>) {
    for name in names {
        bench.ok(Service::Lambda, "DeleteFunction", json!({ "FunctionName": name })).await;
    }
}

async fn nothing_is_left(bench: &Bench) {
    bench.quiet().await;
    assert_eq!(copies(bench).await, BTreeSet::new());
    assert_eq!(code(bench).await, Vec::<String>::new());
}

/// Everything there is to see of the function, its revision included: nobody has written to it.
async fn untouched(bench: &Bench) -> Value {
    let mut seen = bench.snapshot().await;
    let shown = bench.lambda("GetFunctionConfiguration", json!({})).await;
    seen["revision"] = shown["RevisionId"].clone();
    seen["modified"] = shown["LastModified"].clone();
    seen
}

fn input(more: Value) -> Value {
    let mut input =
        json!({"num": 5, "powerValues": [128, 512], "tune": "copy", "includeOutputResults": true});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

fn succeeded(over: &Over) -> &Value {
    assert_eq!(over.status, "SUCCEEDED", "{}", over.cause);
    &over.output
}

/// Waits until there are so many copies.
async fn made(bench: &Bench, count: usize) -> BTreeSet<String> {
    for _ in 0..6000 {
        let there = copies(bench).await;
        if there.len() == count {
            return there;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there are never {count} copies");
}

/// By the program, from the front door to the last copy.
#[tokio::test]
async fn the_program_measures_copies_where_the_stack_makes_them_and_says_so() {
    let world = World::with(&COPIES).await;
    let function = world.sample("copied", "echo").await;
    let before = function.snapshot().await;
    let run = |flags: &'static [&'static str]| function.tune(&[&["--num", "5"], flags].concat());
    let said =
        run(&[]).success().complains(&["measuring temporary copies of copied, which itself is left alone"]);
    assert!([128, 256, 512].contains(&said.json()["power"].as_u64().unwrap()), "{}", said.stdout);
    run(&["--tune", "in-place"]).success().complains(&["measuring copied itself"]);
    assert_eq!(function.snapshot().await, before);
    // An alias can only be moved where the function itself is measured.
    run(&["--auto-optimize", "--auto-optimize-alias", "live"])
        .success()
        .complains(&["measuring copied itself"]);
    let shown = world.lambda.get_alias().function_name("copied").name("live").send().await.unwrap();
    let version = shown.function_version().unwrap().to_owned();
    // What it points at can be copied, by its name alone.
    world
        .deployer(&["tune", "copied:live", "--num", "5", "--json"])
        .success()
        .complains(&["measuring temporary copies of copied:live"]);
    let left = world.lambda.list_functions().send().await.unwrap();
    assert!(left.functions().iter().all(|f| !f.function_name().unwrap().starts_with("deployer-tuning-")));
    let shown = world.lambda.get_alias().function_name("copied").name("live").send().await.unwrap();
    assert_eq!(shown.function_version(), Some(version.as_str()));
}

/// The way out is one that there is for what was asked.
#[tokio::test]
async fn where_the_stack_makes_no_copies_both_ways_out_are_said() {
    let world = World::new().await;
    let function = world.sample("single", "echo").await;
    let up = "`deployer up --copies also --copyable-roles ROLE_ARN` lets it, or ";
    for (flags, needs, otherwise) in [
        (&["--tune", "copy"][..], "--tune copy needs", "use --tune in-place"),
        (&["--architectures", "arm64"], "architectures needs", "leave architectures out"),
    ] {
        let said = function.tune(flags).status(1);
        said.complains(&["makes no copies of functions, which ", needs, up, otherwise]);
    }
    let alias = world.deployer(&["tune", "single:live"]).status(1);
    alias.complains(&["measuring a version or alias needs", "name the function itself with --tune in-place"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_is_not_touched_in_the_middle_of_a_run_either() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    let before = untouched(&bench).await;
    bench.stage().script((0..10).map(|_| Answer::good().after(300)));
    let execution = bench.start(input(json!({}))).await;
    let names = made(&bench, 2).await;
    assert_eq!(untouched(&bench).await, before, "while copies are made and measured");
    for name in names {
        let shown = bench.ok(Service::Lambda, "GetFunction", json!({ "FunctionName": name })).await;
        let (configuration, tags) = (&shown["Configuration"], &shown["Tags"]);
        assert_eq!(tags["deployer:execution"], execution.as_str());
        assert_eq!(tags["deployer:size"], configuration["MemorySize"].to_string());
        assert_eq!(tags["deployer:stack"], "deployer-power-tuning");
        assert_eq!(configuration["Environment"]["Variables"]["STAGE"], "production");
        assert_eq!(configuration["LoggingConfig"]["LogGroup"], "/aws/lambda/deployer-power-tuning-copies");
        assert_eq!((&configuration["Timeout"], &configuration["Role"]), (&json!(20), &json!(ROLE)));
    }
    succeeded(&bench.ended(&execution).await);
    assert_eq!(untouched(&bench).await, before, "afterwards");
    let seen: BTreeSet<u32> = bench.stage().seen().iter().map(|seen| seen.memory_mb).collect();
    assert_eq!(seen, [128, 512].into());
    assert!(bench.stage().seen().iter().all(|seen| seen.function.starts_with("deployer-tuning-")));
    nothing_is_left(&bench).await;
}

/// Production is behind an alias, and `$LATEST` is what somebody is working on.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_alias_points_at_is_copied_and_not_latest() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "fail" })).await;
    let before = untouched(&bench).await;
    // The version behind `live` has 300 MB and works.
    for qualifier in ["live", "2"] {
        let execution =
            bench.start_on(&format!("{FUNCTION}:{qualifier}"), input(json!({})), None).await.unwrap();
        let over = bench.ended(&execution).await;
        let output = succeeded(&over);
        assert_eq!(output["baseline"]["power"], 300, "{output}");
    }
    let latest = bench.run(input(json!({}))).await;
    assert!(latest.cause.contains("this sample always fails"), "{}", latest.cause);
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_measure_one_function_at_a_time() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    bench.stage().script((0..20).map(|_| Answer::good().after(200)));
    let before = untouched(&bench).await;
    let [one, two] = [bench.start(input(json!({}))).await, bench.start(input(json!({}))).await];
    made(&bench, 4).await;
    succeeded(&bench.ended(&one).await);
    succeeded(&bench.ended(&two).await);
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cold_start_has_a_copy_of_its_own() {
    let bench = Bench::in_process_with(&COPIES).await;
    let before = untouched(&bench).await;
    let over = bench.run(input(json!({ "onlyColdStarts": true, "powerValues": [128, 300] }))).await;
    for stat in succeeded(&over)["stats"].as_array().unwrap() {
        assert_eq!((&stat["invocations"], &stat["coldStarts"]), (&json!(5), &json!(5)), "{stat}");
    }
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
    let many = bench.run(input(json!({ "onlyColdStarts": true, "num": 501 }))).await;
    assert!(
        many.cause.contains("num: onlyColdStarts makes a copy for each of 1002 invocations"),
        "{}",
        many.cause
    );
    assert!(many.cause.contains("in-place"), "{}", many.cause);
}

/// A copy's environments cannot be renewed: those invocations that met a warm one get another copy.
#[tokio::test(flavor = "multi_thread")]
async fn cold_starts_in_bursts_share_copies() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    let before = untouched(&bench).await;
    for (most, copies) in [(1, 16), (4, 4)] {
        bench.stage().script((0..32).map(|_| Answer::good().after(100)));
        let more = json!({
            "onlyColdStarts": true, "parallelInvocation": true, "num": 8, "maxConcurrency": most,
            "payload": [{ "payload": "a", "weight": 3 }, { "payload": "b", "weight": 1 }],
        });
        let over = bench.run(input(more)).await;
        for stat in succeeded(&over)["stats"].as_array().unwrap() {
            assert_eq!((&stat["invocations"], &stat["coldStarts"]), (&json!(8), &json!(8)), "{stat}");
        }
        let seen = bench.stage().seen();
        let names: BTreeSet<&str> = seen.iter().map(|seen| seen.function.as_str()).collect();
        // Where the machine is slow, some invocations come when others are over, and are made again.
        assert!(names.len() >= copies && (names.len() == copies || seen.len() > 16), "{most}: {seen:?}");
        assert!(bench.stage().most_at_once() <= most, "{most}");
        assert!(seen.iter().filter(|seen| seen.payload.contains('b')).count() >= 4, "{seen:?}");
    }
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
}

/// What the function has reserved is for those who call it, and half of what nobody has reserved is for other functions.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_invocations_are_under_way_than_leave_others_their_room() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    let reserve = |count: u32| json!({ "ReservedConcurrentExecutions": count });
    bench.lambda("PutFunctionConcurrency", reserve(3)).await;
    let of = async |more: Value| {
        bench.stage().script((0..100).map(|_| Answer::good().after(50)));
        let over = bench.run(input(more)).await;
        let output = succeeded(&over);
        let notes: Vec<String> = serde_json::from_value(output["notes"].clone()).unwrap_or_default();
        (bench.stage().most_at_once(), notes.join("; "), over.arn.clone())
    };
    let sizes = json!([128, 256, 512, 1024]);
    let reserved = "no more than 3 invocations are under way at once (the function's reserved concurrency";
    let (most, notes, _) = of(json!({ "powerValues": sizes, "num": 6, "lanes": 2 })).await;
    assert!(most <= 3, "{most}");
    assert!(notes.contains(reserved) && notes.contains("measured one after the other"), "{notes}");
    let (most, notes, _) = of(json!({ "powerValues": sizes, "num": 6, "parallelInvocation": true })).await;
    assert!(most <= 3, "{most}");
    assert!(notes.contains("3 invocations of a size are made at once instead of 6"), "{notes}");
    let search = json!({ "auto": { "from": 128, "to": 512 } });
    let (most, notes, _) = of(json!({ "powerValues": search, "maxInvocations": 40 })).await;
    assert!(most <= 3 && notes.contains(reserved), "{most}: {notes}");

    // The input's word wins, and only then, in place, is anything limited.
    let (_, notes, run) = of(json!({ "powerValues": sizes, "num": 6, "maxConcurrency": 100 })).await;
    let begun = bench.history(&run).await;
    let begun = begun.iter().find(|event| event["stateExitedEventDetails"]["name"] == "Initializer").unwrap();
    let begun: Value =
        serde_json::from_str(begun["stateExitedEventDetails"]["output"].as_str().unwrap()).unwrap();
    assert_eq!((notes.as_str(), &begun["run"]["sizesAtOnce"]), ("", &json!(0)));
    bench.lambda("DeleteFunctionConcurrency", json!({})).await;
    let (most, notes, _) =
        of(json!({ "powerValues": sizes, "num": 6, "maxConcurrency": 2, "tune": "in-place" })).await;
    assert!(most <= 2 && notes.contains("(maxConcurrency)"), "{most}: {notes}");

    bench.behave(|behaviour| Behaviour { account_concurrency: 12, ..behaviour });
    let eight = json!({ "from": 128, "to": 1024, "step": 128 });
    let (most, notes, _) = of(json!({ "powerValues": eight })).await;
    assert!(most <= 6, "{most}");
    assert!(
        notes.contains("half of the 12 that the account has unreserved")
            && notes.contains("only 6 of 8 memory sizes are measured at a time"),
        "{notes}"
    );
    nothing_is_left(&bench).await;
}

/// Each size has a copy for each processor, and waves of five invocations go to one and the other in turns.
#[tokio::test(flavor = "multi_thread")]
async fn two_processors_take_turns_and_are_compared_size_by_size() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    let before = untouched(&bench).await;
    bench.stage().script((0..80).map(|index| Answer::good().after(60 + index % 3)));
    let both = json!({ "architectures": ["arm64", "x86_64"], "num": 17 });
    let execution = bench.start(input(both.clone())).await;
    let mut tags = BTreeSet::new();
    for name in made(&bench, 4).await {
        let shown = bench.ok(Service::Lambda, "GetFunction", json!({ "FunctionName": name })).await;
        let architecture = shown["Configuration"]["Architectures"][0].as_str().unwrap().to_owned();
        assert_eq!(shown["Tags"]["deployer:architecture"], architecture.as_str());
        tags.insert((shown["Configuration"]["MemorySize"].as_u64().unwrap(), architecture));
    }
    let all: BTreeSet<(u64, String)> =
        [128, 512].iter().flat_map(|size| ["arm64", "x86_64"].map(|of| (*size, of.to_owned()))).collect();
    assert_eq!(tags, all);
    let over = bench.ended(&execution).await;
    let output = succeeded(&over);
    for stat in output["stats"].as_array().unwrap() {
        assert_eq!(stat["invocations"], 17, "{stat}");
    }
    // The function's own comes first, whatever the order of the list.
    let other = &output["otherProcessor"];
    assert_eq!(
        (&output["prices"]["architecture"], &other["architecture"]),
        (&json!("x86_64"), &json!("arm64"))
    );
    for stat in other["stats"].as_array().unwrap() {
        assert_eq!(stat["invocations"], 17, "{stat}");
    }
    let differences = other["differences"].as_array().unwrap();
    let sizes: Vec<&Value> = differences.iter().map(|difference| &difference["value"]).collect();
    assert_eq!(sizes, [&json!(128), &json!(512)]);
    for difference in differences {
        // As fast as each other, and arm64 costs a fifth less.
        let figure = |name: &str| difference[name].as_f64().unwrap();
        let off = (figure("cheaperPercent") - figure("fasterPercent") * 0.8 - 20.0).abs();
        assert!(off < 8.0 && figure("cheaperUncertaintyPercent") > 0.0, "{difference}");
    }
    let seen = bench.stage().seen();
    for size in [128, 512] {
        let order: Vec<&str> =
            seen.iter().filter(|seen| seen.memory_mb == size).map(|seen| seen.function.as_str()).collect();
        assert_eq!(order.len(), 34);
        // Three waves of five on each, and what is left of seventeen.
        let waves: Vec<&[&str]> = order[..30].chunks(5).chain(order[30..].chunks(2)).collect();
        assert!(waves.iter().all(|wave| wave.iter().all(|name| *name == wave[0])), "{order:?}");
        assert!(waves.windows(2).all(|pair| pair[0][0] != pair[1][0]), "{order:?}");
    }
    let link = output["stateMachine"]["visualization"].as_str().unwrap();
    let runs = tuning::url::decode(link.split_once('#').unwrap().1).unwrap();
    assert_eq!(runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), ["x86_64", "arm64"]);
    let entered = bench.history(&execution).await;
    let entered = entered.iter().filter(|event| event["type"].as_str().unwrap().ends_with("StateEntered"));
    let cost = output["stateMachine"]["executionCost"].as_f64().unwrap();
    assert_eq!((cost / 2.5e-5).round(), entered.count() as f64, "each state entered costs a transition");
    nothing_is_left(&bench).await;

    // One processor alone, which is not the function's.
    let alone = bench.run(input(json!({ "architectures": ["arm64"] }))).await;
    let output = succeeded(&alone);
    assert_eq!(output["prices"]["architecture"], "arm64", "{output}");
    assert_eq!((output.get("otherProcessor"), output.get("baseline")), (None, None), "{output}");
    for (more, said) in [
        (
            json!({ "architectures": ["arm64"], "autoOptimize": true }),
            "autoOptimize: the function runs on x86_64",
        ),
        (
            json!({ "architectures": ["arm64", "x86_64"], "num": 14 }),
            "num is 14: two architectures are compared",
        ),
        (json!({ "architectures": ["arm64"], "tune": "in-place" }), "architectures needs tune: \\\"copy\\\""),
        (
            json!({ "architectures": ["arm64", "x86_64"], "num": 20, "maxConcurrency": 3 }),
            "give maxConcurrency",
        ),
        (json!({ "architectures": ["arm64", "x86_64"], "num": 800 }), "use at most 750"),
    ] {
        let over = bench.run(input(more)).await;
        assert!(over.cause.contains(said), "{}", over.cause);
    }
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
}

/// Code that is built for a processor comes from a bucket that the stack names.
#[tokio::test(flavor = "multi_thread")]
async fn a_processor_may_have_code_of_its_own() {
    let flags = [&COPIES[..], &["--code-bucket", "built"]].concat();
    let bench = Bench::in_process_with(&flags).await;
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    bench.ok(Service::S3, "CreateBucket", json!({ "Bucket": "built" })).await;
    let zip = crate::harness::zip_of("bootstrap", b"#!/bin/true\n");
    let put = local_aws::s3::PutObject {
        bucket: "built".to_owned(),
        key: "arm64.zip".to_owned(),
        body: zip.into(),
        ..Default::default()
    };
    bench.aws().s3.put_object(bench.aws(), &local_aws::Caller::Owner, put).await.unwrap();
    let own = bench.lambda("GetFunctionConfiguration", json!({})).await["CodeSha256"].clone();
    bench.stage().script((0..40).map(|_| Answer::good().after(60)));
    let more = json!({
        "architectures": ["x86_64", "arm64"], "codeArm64": "s3://built/arm64.zip", "num": 15, "powerValues": [128],
    });
    let execution = bench.start(input(more)).await;
    for name in made(&bench, 2).await {
        let named = json!({ "FunctionName": name });
        let shown = bench.ok(Service::Lambda, "GetFunctionConfiguration", named).await;
        assert_eq!(shown["CodeSha256"] == own, shown["Architectures"][0] == "x86_64", "{shown}");
    }
    succeeded(&bench.ended(&execution).await);
    nothing_is_left(&bench).await;
    for (code, said) in [
        ("s3://elsewhere/arm64.zip", "is not in the bucket that the stack reads code from, built"),
        ("s3://built/none.zip", "see that the object of codeArm64 or codeX86 is there"),
    ] {
        let over = bench.run(input(json!({ "architectures": ["arm64"], "codeArm64": code }))).await;
        assert!(over.cause.contains(said), "{}", over.cause);
    }
    nothing_is_left(&bench).await;
}

/// Only this machine's processor runs programs; interpreted code runs anywhere.
#[tokio::test]
async fn a_processor_on_which_the_code_does_not_start_is_reported_and_the_other_goes_on() {
    let world = World::with(&COPIES).await;
    let function = world.sample("compiled", "echo").await;
    let flags = ["--architectures", "x86_64,arm64", "--num", "15", "--power-values", "512,1024"];
    let other = tuning::pricing::Architecture::ALL
        .into_iter()
        .find(|architecture| *architecture != tuning::pricing::Architecture::host())
        .unwrap();
    let result = function.tune(&flags).success().json();
    assert!([512, 1024].contains(&result["power"].as_u64().unwrap()), "{result}");
    assert_eq!(result["otherProcessor"]["architecture"], other.name());
    let why = result["otherProcessor"]["cannotStart"].as_str().unwrap();
    assert!(why.contains("exec format error"), "{why}");
    let said = world.deployer(&[&["tune", "compiled"], &flags[..]].concat()).success();
    assert!(said.stdout.contains(&format!("On {other} the function does not run: ")), "{}", said.stdout);

    let create =
        world.lambda.create_function().function_name("interpreted").code(crate::money::handler("pass"));
    let create = create.handler("app.handler").runtime(aws_sdk_lambda::types::Runtime::Python313);
    create.timeout(30).role(ROLE).send().await.unwrap();
    let said = world.deployer(&[&["tune", "interpreted"], &flags[..]].concat()).success();
    assert!(said.stdout.contains("arm64 at ") || said.stdout.contains("x86_64 at "), "{}", said.stdout);
    assert!(said.stdout.contains(" % "), "{}", said.stdout);
    said.complains(&["on which both were measured: only their prices differ here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_copies_what_is_new_in_each_round() {
    let bench = Bench::in_process_with(&COPIES).await;
    // Uneven enough that one round does not settle it.
    bench.lambda("UpdateFunctionConfiguration", json!({ "Handler": "scripted" })).await;
    bench.stage().script((0..200).map(|index| Answer::good().after(5 + index * 7 % 40)));
    let before = untouched(&bench).await;
    let sizes = json!({ "auto": { "from": 128, "to": 512 } });
    let over = bench.run(input(json!({ "powerValues": sizes, "maxInvocations": 80 }))).await;
    succeeded(&over);
    let history = bench.history(&over.arn).await;
    let planned =
        history.iter().filter(|event| event["stateEnteredEventDetails"]["name"] == "Planner").count();
    assert!(planned > 1, "{planned} rounds");
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_choice_is_applied_in_one_step_and_somebody_elses_change_is_kept() {
    let bench = Bench::in_process_with(&COPIES).await;
    let before = bench.snapshot().await;
    let over = bench.run(input(json!({ "autoOptimize": true }))).await;
    let output = succeeded(&over);
    let mut after = bench.snapshot().await;
    assert_eq!(after["configuration"]["MemorySize"], output["power"]);
    assert_eq!(output["applied"]["was"], 256, "{output}");
    after["configuration"]["MemorySize"] = json!(256);
    assert_eq!(after, before, "nothing else was changed: no alias, no version");
    nothing_is_left(&bench).await;

    bench.renew().await;
    bench.aws().faults.plan(vec![Fault::at("optimizer", "UpdateFunctionConfiguration", 1, Kind::EditMemory)]);
    let over = bench.run(input(json!({ "autoOptimize": true }))).await;
    bench.aws().faults.end();
    assert!(over.cause.contains("somebody set the function's memory size to 333 MB"), "{}", over.cause);
    assert_eq!(bench.snapshot().await["configuration"]["MemorySize"], 333);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_changed_while_it_is_copied_ends_the_run() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.aws().faults.plan(vec![Fault::at("publisher", "GetFunction", 1, Kind::EditSettings)]);
    let over = bench.run(input(json!({}))).await;
    bench.aws().faults.end();
    assert!(over.cause.contains("was changed while copies of it were being made"), "{}", over.cause);
    nothing_is_left(&bench).await;
}

fn short() -> Waits {
    Waits {
        pass: Duration::from_millis(300),
        patience: Duration::from_millis(900),
        batch: Duration::from_secs(1),
        last_copy: Duration::from_secs(3),
        ..Waits::AWS.shortened(4)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_never_becomes_active_is_given_up_and_deleted() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.stage().wait(short());
    bench.behave(|behaviour| Behaviour { settle: Duration::from_secs(3600), ..behaviour });
    let over = bench.run(input(json!({}))).await;
    assert!(over.cause.contains("did not become ready (its state is Pending)"), "{}", over.cause);
    assert!(over.cause.contains("power value"), "{}", over.cause);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_reached_half_way_leaves_nothing() {
    let bench = Bench::in_process_with(&COPIES).await;
    let before = untouched(&bench).await;
    let usage = bench.ok(Service::Lambda, "GetAccountSettings", json!({})).await;
    let used = usage["AccountUsage"]["TotalCodeSize"].as_u64().unwrap();
    let package = bench.lambda("GetFunctionConfiguration", json!({})).await["CodeSize"].as_u64().unwrap();
    bench.behave(|behaviour| Behaviour { code_storage: used + 3 * package, ..behaviour });
    let over = bench.run(input(json!({ "powerValues": [128, 256, 512, 1024, 2048] }))).await;
    assert!(over.cause.contains("CodeStorageExceededException"), "{}", over.cause);
    assert!(over.cause.contains("tune: \\\"in-place\\\""), "{}", over.cause);
    nothing_is_left(&bench).await;
    assert_eq!(untouched(&bench).await, before);
    // Throttling is waited out.
    bench.behave(|behaviour| Behaviour {
        code_storage: used + 100 * package,
        control_plane_rate: Some(8),
        ..behaviour
    });
    succeeded(&bench.run(input(json!({ "powerValues": { "from": 128, "to": 1408, "step": 64 } }))).await);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_while_copies_are_made_leaves_none() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.stage().wait(short());
    let before = untouched(&bench).await;
    for (operation, nth) in [("CreateFunction", 1), ("CreateFunction", 12), ("GetFunction", 2)] {
        bench.aws().faults.plan(vec![Fault::at("publisher", operation, nth, Kind::ExecutionStopped)]);
        let over = bench.run(input(json!({ "powerValues": { "from": 128, "to": 2048, "step": 128 } }))).await;
        assert_eq!(over.status, "ABORTED", "{operation} {nth}");
        nothing_is_left(&bench).await;
        bench.aws().faults.end();
    }
    assert_eq!(untouched(&bench).await, before);
}

/// What Lambda carries out after clean-up has been there is found by the second look.
#[tokio::test(flavor = "multi_thread")]
async fn copies_that_appear_after_the_first_deletion_are_deleted_as_well() {
    let bench = Bench::in_process_with(&COPIES).await;
    bench.stage().wait(short());
    bench.behave(|behaviour| Behaviour { settle: Duration::from_secs(3600), ..behaviour });
    let execution = bench.start(input(json!({}))).await;
    let names = made(&bench, 2).await;
    bench.abort(&execution).await;
    made(&bench, 0).await;
    let late = names.first().unwrap();
    let create = json!({
        "FunctionName": late, "Runtime": "provided.al2023", "Handler": "echo", "Role": ROLE, "Code": {"ZipFile": bench.code},
    });
    bench.ok(Service::Lambda, "CreateFunction", create).await;
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_the_environment_are_in_no_history_and_no_log() {
    let bench = Bench::in_process_with(&COPIES).await;
    let secret = "correct-horse-battery-staple";
    let variables = json!({ "Variables": { "PASSWORD": secret } });
    bench.lambda("UpdateFunctionConfiguration", json!({ "Environment": variables })).await;
    let execution = bench.start(input(json!({}))).await;
    let names = {
        let names = made(&bench, 2).await;
        let name = names.first().unwrap();
        let shown = bench.call(Service::Lambda, "GetFunction", json!({ "FunctionName": name })).await;
        // It may be over already.
        if let Ok(shown) = shown {
            assert_eq!(shown["Configuration"]["Environment"], variables);
        }
        names
    };
    assert_eq!(names.len(), 2);
    let over = bench.ended(&execution).await;
    succeeded(&over);
    bench.aws().faults.plan(vec![Fault::at("publisher", "CreateFunction", 1, Kind::Denied)]);
    let failed = bench.run(input(json!({}))).await;
    bench.aws().faults.end();
    assert_eq!(failed.status, "FAILED");
    bench.quiet().await;
    for execution in [&execution, &failed.arn] {
        let history = Value::from(bench.history(execution).await).to_string();
        assert!(history.contains("CreateFunction") || history.contains("Publisher"), "{history}");
        assert!(!history.contains(secret), "{history}");
    }
    let groups = bench.ok(Service::Logs, "DescribeLogGroups", json!({})).await;
    let groups = groups["logGroups"].as_array().unwrap();
    assert!(groups.iter().any(|group| group["logGroupName"].as_str().unwrap().ends_with("-copies")));
    for group in groups {
        let filter = json!({ "logGroupName": group["logGroupName"] });
        let events = bench.ok(Service::Logs, "FilterLogEvents", filter).await.to_string();
        assert!(!events.contains(secret), "{events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_refuses_what_it_does_not_allow_and_says_what_to_do() {
    let bench = Bench::in_process().await;
    let over = bench.run(input(json!({}))).await;
    assert!(over.cause.contains("--copies also"), "{}", over.cause);
    bench.stop().await;

    let bench = Bench::in_process_with(&ONLY).await;
    let before = untouched(&bench).await;
    let over = bench.run(json!({ "num": 5 })).await;
    assert!(over.cause.contains("this stack measures copies only"), "{}", over.cause);
    let over = bench.run(input(json!({ "autoOptimize": true }))).await;
    assert!(over.cause.contains("autoOptimize: this stack may not change functions"), "{}", over.cause);
    succeeded(&bench.run(input(json!({}))).await);
    let other = bench.lambda("GetFunctionConfiguration", json!({})).await["Role"].clone();
    assert_eq!(other, ROLE);
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let role = json!({"RoleName": "unnamed", "AssumeRolePolicyDocument": trust.to_string()});
    bench.ok(Service::Iam, "CreateRole", role).await;
    let unnamed = "arn:aws:iam::000000000000:role/unnamed";
    assert_eq!(untouched(&bench).await, before);
    bench.make_with("elsewhere", json!({ "Role": unnamed })).await;
    let execution = bench.start_on("elsewhere", input(json!({})), None).await.unwrap();
    let over = bench.ended(&execution).await;
    assert!(over.cause.contains(&format!("copyableRoles that has {unnamed}")), "{}", over.cause);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_refused_before_anything_is_made() {
    let bench = Bench::in_process_with(&COPIES).await;
    let key = "arn:aws:kms:us-east-1:000000000000:key/0b1c";
    bench.lambda("UpdateFunctionConfiguration", json!({ "KMSKeyArn": key })).await;
    let over = bench.run(input(json!({}))).await;
    assert!(
        over.cause.contains("cannot be copied: Environment: its variables cannot be read"),
        "{}",
        over.cause
    );
    assert!(over.cause.contains("in-place"), "{}", over.cause);
    nothing_is_left(&bench).await;
    // A function that has a deleted layer keeps it, and no other can get it.
    bench.renew().await;
    let layer = json!({ "LayerName": "gone", "Content": { "ZipFile": bench.code } });
    let layer = bench.ok(Service::Lambda, "PublishLayerVersion", layer).await["LayerVersionArn"].clone();
    bench.lambda("UpdateFunctionConfiguration", json!({ "Layers": [layer] })).await;
    succeeded(&bench.run(input(json!({}))).await);
    let version = json!({ "LayerName": "gone", "VersionNumber": 1 });
    bench.ok(Service::Lambda, "DeleteLayerVersion", version).await;
    let over = bench.run(input(json!({}))).await;
    let gone = format!("cannot be copied: Layers: {} was deleted", layer.as_str().unwrap());
    assert!(over.cause.contains(&gone) && over.cause.contains("in-place"), "{}", over.cause);
    nothing_is_left(&bench).await;
    // A quiet log is no obstacle for a copy, which has another.
    bench.renew().await;
    let quiet = json!({ "LogFormat": "JSON", "SystemLogLevel": "WARN" });
    bench.lambda("UpdateFunctionConfiguration", json!({ "LoggingConfig": quiet })).await;
    succeeded(&bench.run(input(json!({}))).await);
    let missing = bench.start_on(&format!("{FUNCTION}:nobody"), input(json!({})), None).await.unwrap();
    let missing = bench.ended(&missing).await;
    assert!(
        missing.cause.contains(&format!("there is no function {}:nobody", function_arn(FUNCTION))),
        "{}",
        missing.cause
    );
    nothing_is_left(&bench).await;
}

/// The Lambda that takes it to the stack's bucket has less memory than that.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_200_mb_is_taken_through_by_a_lambda_of_128() {
    let bench = Bench::processes_with(&COPIES).await;
    let samples = std::io::Cursor::new(crate::harness::samples_zip());
    let mut package = zip::ZipWriter::new_append(samples).unwrap();
    // Noise does not get smaller when it is packed.
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    package.start_file("noise", stored).unwrap();
    let mut noise = vec![0; 1 << 20];
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..200 {
        random.fill(&mut noise);
        std::io::Write::write_all(&mut package, &noise).unwrap();
    }
    let package = package.finish().unwrap().into_inner();
    bench.ok(Service::S3, "CreateBucket", json!({ "Bucket": "packages" })).await;
    let put = local_aws::s3::PutObject {
        bucket: "packages".to_owned(),
        key: "large.zip".to_owned(),
        body: package.into(),
        ..Default::default()
    };
    bench.aws().s3.put_object(bench.aws(), &local_aws::Caller::Owner, put).await.unwrap();
    bench.make_with("large", json!({ "Code": { "S3Bucket": "packages", "S3Key": "large.zip" } })).await;
    let execution = bench.start_on("large", input(json!({})), None).await.unwrap();
    succeeded(&bench.ended(&execution).await);
    nothing_is_left(&bench).await;
    let group = json!({ "logGroupName": "/aws/lambda/deployer-power-tuning-publisher" });
    let mut reports = Vec::new();
    // A log is written beside the answer, not before it.
    for _ in 0..400 {
        let events = bench.ok(Service::Logs, "FilterLogEvents", group.clone()).await["events"].clone();
        let lines =
            events.as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned());
        reports = lines.filter(|line| line.starts_with("REPORT")).collect();
        if !reports.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let figure = |report: &str, name: &str| -> u32 {
        let value = report.split('\t').find_map(|field| field.strip_prefix(name)).unwrap();
        value.trim().trim_end_matches(" MB").parse().unwrap()
    };
    assert!(!reports.is_empty());
    for report in reports {
        assert_eq!(figure(&report, "Memory Size:"), 128, "{report}");
        assert!(figure(&report, "Max Memory Used:") < 100, "{report}");
    }
}

/// An access point of a file system in the account.
pub const ACCESS_POINT: &str =
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0";

/// Its tag may be given to another image at any time: measured is the one that the function has.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_image_has_its_digest_and_settings() {
    let bench = Bench::in_process_with(&COPIES).await;
    let repository = "000000000000.dkr.ecr.us-east-1.amazonaws.com/shop/orders";
    let settings = json!({
        "PackageType": "Image", "Code": { "ImageUri": format!("{repository}:live") }, "Runtime": null, "Handler": null,
        "ImageConfig": { "Command": ["scripted", "twice"], "WorkingDirectory": "/shop" },
    });
    bench.make_with("image", settings).await;
    let shown =
        async |name: &str| bench.ok(Service::Lambda, "GetFunction", json!({ "FunctionName": name })).await;
    let source = shown("image").await;
    let by_digest = source["Code"]["ResolvedImageUri"].as_str().unwrap();
    let hash = source["Configuration"]["CodeSha256"].as_str().unwrap();
    assert_eq!(by_digest, format!("{repository}@sha256:{hash}"));
    bench.stage().script((0..10).map(|_| Answer::good().after(300)));
    let execution = bench.start_on("image", input(json!({})), None).await.unwrap();
    for name in made(&bench, 2).await {
        let copy = shown(&name).await;
        assert_eq!(
            (&copy["Code"]["ImageUri"], &copy["Code"]["ResolvedImageUri"]),
            (&json!(by_digest), &json!(by_digest))
        );
        for member in
            ["PackageType", "ImageConfigResponse", "CodeSha256", "Architectures", "Timeout", "Environment"]
        {
            assert_eq!(copy["Configuration"][member], source["Configuration"][member], "{member}");
        }
        assert_eq!(
            copy["Configuration"]["ImageConfigResponse"]["ImageConfig"]["Command"],
            json!(["scripted", "twice"])
        );
        assert_eq!(
            (copy["Configuration"].get("Runtime"), copy["Configuration"].get("Handler")),
            (None, None)
        );
    }
    assert_eq!(code(&bench).await, Vec::<String>::new(), "no package goes through the stack's bucket");
    succeeded(&bench.ended(&execution).await);
    assert_eq!(bench.stage().seen().len(), 10);
    assert_eq!(shown("image").await, source);
    nothing_is_left(&bench).await;

    // An image is built for one processor.
    let both = input(json!({ "architectures": ["x86_64", "arm64"], "num": 15 }));
    let over = bench.start_on("image", both, None).await.unwrap();
    let over = bench.ended(&over).await;
    assert!(over.cause.contains("the function is an image, which is for x86_64 alone"), "{}", over.cause);
    nothing_is_left(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_layers_the_network_and_the_files_of_its_source() {
    let bench = Bench::in_process_with(&COPIES).await;
    let layer = json!({ "LayerName": "extra", "Content": { "ZipFile": bench.code } });
    let layer = bench.ok(Service::Lambda, "PublishLayerVersion", layer).await["LayerVersionArn"].clone();
    let attach = json!({ "Statement": [{ "Effect": "Allow", "Action": "ec2:*", "Resource": "*" }] });
    let attach =
        json!({ "RoleName": "sample", "PolicyName": "network", "PolicyDocument": attach.to_string() });
    bench.ok(Service::Iam, "PutRolePolicy", attach).await;
    let network = json!({ "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] });
    let files = json!([{ "Arn": ACCESS_POINT, "LocalMountPath": "/mnt/models" }]);
    let settings = json!({
        "Handler": "scripted", "Layers": [layer], "VpcConfig": network, "TracingConfig": { "Mode": "Active" },
        "EphemeralStorage": { "Size": 1024 }, "FileSystemConfigs": files,
    });
    bench.lambda("UpdateFunctionConfiguration", settings).await;
    bench.stage().script((0..10).map(|_| Answer::good().after(200)));
    let execution = bench.start(input(json!({}))).await;
    let source = bench.lambda("GetFunctionConfiguration", json!({})).await;
    for name in made(&bench, 2).await {
        let named = json!({ "FunctionName": name });
        let copy = bench.ok(Service::Lambda, "GetFunctionConfiguration", named).await;
        for member in [
            "Layers",
            "VpcConfig",
            "FileSystemConfigs",
            "TracingConfig",
            "EphemeralStorage",
            "Architectures",
            "Runtime",
            "CodeSha256",
        ] {
            assert_eq!(copy[member], source[member], "{member}");
        }
        assert_eq!(copy["FileSystemConfigs"], files);
    }
    succeeded(&bench.ended(&execution).await);
    nothing_is_left(&bench).await;
}

/// Functions with SnapStart are copied with a version each, on the runtime's version that their owner has pinned.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_its_snapshot_and_its_pinned_runtime() {
    let bench = Bench::in_process_with(&COPIES).await;
    let snap_start = json!({ "ApplyOn": "PublishedVersions" });
    let settings = json!({ "Runtime": "python3.13", "Handler": "scripted", "SnapStart": snap_start });
    bench.lambda("UpdateFunctionConfiguration", settings).await;
    let runtime = "arn:aws:lambda:us-east-1::runtime:0b1c";
    bench
        .lambda(
            "PutRuntimeManagementConfig",
            json!({ "UpdateRuntimeOn": "Manual", "RuntimeVersionArn": runtime }),
        )
        .await;
    let before = untouched(&bench).await;
    bench.stage().script((0..10).map(|_| Answer::good().after(200)));
    let execution = bench.start(input(json!({}))).await;
    let names = made(&bench, 2).await;
    for name in names {
        let mut seen = Value::Null;
        for _ in 0..1000 {
            let version = json!({ "FunctionName": name, "Qualifier": "1" });
            if let Ok(found) = bench.call(Service::Lambda, "GetRuntimeManagementConfig", version).await {
                seen = found;
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(seen["RuntimeVersionArn"], runtime, "{seen}");
    }
    succeeded(&bench.ended(&execution).await);
    assert!(
        bench.stage().seen().iter().all(|seen| seen.function.ends_with(":1")),
        "{:?}",
        bench.stage().seen()
    );
    assert_eq!(untouched(&bench).await, before);
    nothing_is_left(&bench).await;
}

#[tokio::test]
async fn an_interrupted_run_deletes_its_copies_before_the_program_ends() {
    let world = World::with(&COPIES).await;
    let function = world.sample("copied", "io").await;
    let before = function.snapshot().await;
    let slow = r#"{"milliseconds":2000}"#;
    let mut run = Running::start(&mut world.command(&["tune", "copied", "--num", "50", "--payload", slow]));
    run.hear("measuring 3 memory sizes");
    run.signal("INT");
    run.end()
        .status(130)
        .complains(&["Ctrl-C stops it and deletes the copies", "stopped; the function was not touched"]);
    let left = world.lambda.list_functions().send().await.unwrap();
    assert_eq!(
        left.functions()
            .iter()
            .filter(|f| f.function_name().unwrap().starts_with("deployer-tuning-"))
            .count(),
        0
    );
    assert_eq!(function.snapshot().await, before);
}

/// The rule that cleans up may not be delivered.
#[tokio::test]
async fn copies_that_a_run_has_left_are_found_and_deleted() {
    let world = World::with(&COPIES).await;
    world.sample("copied", "io").await;
    let nothing = world.deployer(&["cleanup"]).success().stdout;
    assert_eq!(nothing.trim(), "No run that is over has left copies.");
    let execution = format!(
        "{}:left",
        world.states.list_state_machines().send().await.unwrap().state_machines()[0]
            .state_machine_arn()
            .replace(":stateMachine:", ":execution:")
    );
    for (number, execution) in [
        (0, execution.as_str()),
        (3, execution.as_str()),
        (0, "arn:aws:states:us-east-1:000000000000:execution:another:run"),
    ] {
        let name = tuning::copies::name(execution, number);
        let copy = world.sample(&name, "io").await;
        let tag =
            world.lambda.tag_resource().resource(copy.arn()).tags(tuning::copies::EXECUTION_TAG, execution);
        tag.send().await.unwrap();
    }
    // A function of somebody's with such a name and without our tag is theirs.
    world.sample("deployer-tuning-0123456789abcdef-0", "io").await;
    let said = world.deployer(&["cleanup", "--json"]).success().json();
    assert_eq!(said, json!({ "copiesDeleted": 2, "executions": [execution], "running": [], "others": 1 }));
    let left = world.lambda.list_functions().send().await.unwrap();
    let left = left.functions().iter().filter(|f| f.function_name().unwrap().starts_with("deployer-tuning-"));
    assert_eq!(left.count(), 2);
}

/// What the grants are is said before anybody agrees to them, and a stack with a used bucket can be deleted.
#[tokio::test]
async fn up_explains_copies_and_destroy_takes_their_bucket_along() {
    let world = World::empty().await;
    world
        .up(&["--copies", "also"])
        .status(2)
        .complains(&["nothing says which role copies may run under", "--copyable-roles"]);
    // Whoever deploys the template by other means is told by CloudFormation.
    let template = world.as_released(&["synth", "--architecture", std::env::consts::ARCH]).success().json();
    let copies =
        aws_sdk_cloudformation::types::Parameter::builder().parameter_key("copies").parameter_value("also");
    let create = world.cloudformation.create_stack().stack_name("bare").template_body(template.to_string());
    let create = create.parameters(copies.build());
    let refused = create.capabilities(aws_sdk_cloudformation::types::Capability::CapabilityIam).send().await;
    let refused = refused.unwrap_err().into_service_error();
    assert!(format!("{refused:?}").contains("copies need a role"), "{refused:?}");
    world.up(&["--copies", "also", "--copyable-roles", ROLE]).success().complains(&[
        "begin with \"deployer-tuning-\"",
        "these copies may run under arn:aws:iam::000000000000:role/sample",
        "the function itself is changed only by runs with tune \"in-place\"",
    ]);
    let buckets = world.s3.list_buckets().send().await.unwrap();
    let bucket = buckets.buckets().iter().filter_map(|b| b.name()).find(|name| name.contains("copiesbucket"));
    let bucket = bucket.unwrap().to_owned();
    let left = world.s3.put_object().bucket(&bucket).key("0123456789abcdef.zip").body(b"x".to_vec().into());
    left.send().await.unwrap();
    world.up(&["--copies", "no"]).success();
    assert!(world.s3.head_bucket().bucket(&bucket).send().await.is_err());
    world
        .up(&["--copies", "only", "--copy-role", ROLE])
        .success()
        .complains(&["nothing in the stack may change a function of yours any more"]);
    world.deployer(&["destroy", "--yes"]).success();
    assert_eq!(world.status("deployer-power-tuning").await, "gone");
}
