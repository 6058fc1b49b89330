//! The lock: who holds it, who recovers it, and what is somebody else's.

use functions::error::Kind;
use functions::handlers::Handler;
use functions::waits::Waits;
use serde_json::{Value, json};

use crate::fake::{Fake, Fault};
use crate::machine::{EXECUTION, Machine};
use crate::world::{ARN, World};

const OTHER: &str = "arn:aws:states:us-east-1:123456789012:execution:machine:run-2";

fn input() -> Value {
    json!({"lambdaARN": ARN, "num": 5, "powerValues": [128, 512]})
}

/// A run that has got as far as measuring, and then no further.
async fn begun(fake: &Fake, execution: &str) -> Value {
    let machine = Machine::named(fake, execution);
    let mut document = machine.begin(&input()).await;
    document["run"] = machine.handle(Handler::Publisher, machine.event(&document)).await.unwrap();
    document
}

#[tokio::test]
async fn a_function_being_tuned_is_refused_naming_the_execution() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let document = begun(&fake, EXECUTION).await;
    let held = fake.world().kept();
    let error = Machine::named(&fake, OTHER).run(&input()).await.unwrap_err();
    assert_eq!(error.kind, Kind::AlreadyBeingTuned);
    assert!(error.message.contains(EXECUTION), "{error}");
    assert_eq!(fake.world().kept(), held, "the other's clean-up leaves this run alone");
    Machine::new(&fake).clean_up(&document).await.unwrap();
    assert_eq!(fake.world().kept(), before);
}

/// Tunes the function twice at once: one may be refused, and is told why.
async fn two_at_once(fake: &Fake) {
    let (mut one, mut two) = (Machine::new(fake), Machine::named(fake, OTHER));
    let input = input();
    let (first, second) = tokio::join!(one.run(&input), two.run(&input));
    let refused: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
    assert!(refused.len() <= 1, "{refused:?}");
    assert!(refused.iter().all(|error| error.kind == Kind::AlreadyBeingTuned), "{refused:?}");
}

#[tokio::test]
async fn of_two_at_once_exactly_one_runs() {
    for _ in 0..10 {
        let fake = Fake::start(World::default()).await;
        let before = fake.world().kept();
        two_at_once(&fake).await;
        assert_eq!(fake.world().kept(), before);
    }
}

#[tokio::test]
async fn what_a_dead_execution_left_is_recovered_by_exactly_one() {
    for _ in 0..10 {
        let fake = Fake::start(World::default()).await;
        let before = fake.world().kept();
        begun(&fake, "arn:aws:states:us-east-1:123456789012:execution:machine:dead").await;
        Machine::named(&fake, "arn:aws:states:us-east-1:123456789012:execution:machine:dead")
            .end("TIMED_OUT");
        two_at_once(&fake).await;
        assert_eq!(fake.world().kept(), before);
    }
}

#[tokio::test]
async fn the_same_execution_entering_again_carries_on() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let mut machine = Machine::new(&fake);
    machine.start(&input());
    let mut document = input();
    let first = machine.handle(Handler::Initializer, machine.event(&document)).await.unwrap();
    let again = machine.handle(Handler::Initializer, machine.event(&document)).await.unwrap();
    assert_eq!(first, again);
    document["run"] = again;
    let first = machine.handle(Handler::Publisher, machine.event(&document)).await.unwrap();
    let published = fake.world().kept();
    let again = machine.handle(Handler::Publisher, machine.event(&document)).await.unwrap();
    assert_eq!(first["published"], again["published"]);
    assert_eq!(fake.world().aliases.len(), 4);
    assert_eq!(fake.world().kept().aliases.len(), published.aliases.len());
    document["run"] = again;
    for power in [128, 512] {
        machine.measure(&document, &json!(power)).await.unwrap();
    }
    let cleaned = machine.handle(Handler::Cleaner, machine.event(&document)).await.unwrap();
    assert_eq!(cleaned["aliasesDeleted"], 3);
    let again = machine.handle(Handler::Cleaner, machine.event(&document)).await.unwrap();
    assert_eq!(again["aliasesDeleted"], 0);
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn a_stopped_execution_is_cleaned_up_and_a_running_one_is_not() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    begun(&fake, EXECUTION).await;
    let machine = Machine::new(&fake);
    machine.end("ABORTED");
    let cleaned = machine.clean_up_after_stop().await.unwrap();
    assert_eq!(cleaned["owner"], EXECUTION);
    assert_eq!(fake.world().kept(), before);
    let again = machine.clean_up_after_stop().await.unwrap();
    assert_eq!(again["owner"], Value::Null, "{again}");
}

#[tokio::test]
async fn cleaning_by_hand_respects_the_living() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    begun(&fake, EXECUTION).await;
    let machine = Machine::named(&fake, OTHER);
    let by_hand = json!({"cleanup": {"lambdaARN": ARN}});
    let error = machine.handle(Handler::Cleaner, by_hand.clone()).await.unwrap_err();
    assert_eq!(error.kind, Kind::AlreadyBeingTuned);
    assert!(error.message.contains(EXECUTION), "{error}");
    // The role may not ask about executions of another stack; the user may, and says so.
    fake.world().denied.insert("DescribeExecution".to_owned());
    let error = machine.handle(Handler::Cleaner, by_hand.clone()).await.unwrap_err();
    assert_eq!(error.kind, Kind::AccessDenied);
    let vouched = json!({"cleanup": {"lambdaARN": ARN, "stopped": EXECUTION}});
    let cleaned = machine.handle(Handler::Cleaner, vouched).await.unwrap();
    assert_eq!(cleaned["owner"], EXECUTION);
    assert_eq!(fake.world().kept(), before);
    let nothing = machine.handle(Handler::Cleaner, by_hand).await.unwrap();
    assert!(nothing["notes"][0].as_str().unwrap().contains("nothing to do"), "{nothing}");
}

/// DescribeExecution is eventually consistent.
#[tokio::test]
async fn an_owner_that_has_only_just_begun_is_not_taken_for_dead() {
    let fake = Fake::start(World::default()).await;
    begun(&fake, EXECUTION).await;
    let known = fake.world().executions.remove(EXECUTION).unwrap();
    let held = fake.world().kept();
    let mut other = Machine::named(&fake, OTHER);
    let input = input();
    let later = async {
        tokio::time::sleep(Waits::AWS.shortened(8).missing_execution / 4).await;
        fake.world().executions.insert(EXECUTION.to_owned(), known);
    };
    let (result, ()) = tokio::join!(other.run(&input), later);
    assert_eq!(result.unwrap_err().kind, Kind::AlreadyBeingTuned);
    assert_eq!(fake.world().kept(), held);
}

#[tokio::test]
async fn a_users_aliases_of_our_names_stop_the_run_before_anything_changes() {
    for name in ["deployer-tuning", "deployer-tuning-128"] {
        let mut world = World::default();
        world.add_alias(name, "1", "mine");
        let fake = Fake::start(world).await;
        let before = fake.world().kept();
        let error = Machine::new(&fake).run(&input()).await.unwrap_err();
        assert_eq!(error.kind, Kind::AliasClash);
        assert!(error.message.contains(name), "{error}");
        assert_eq!(fake.world().kept(), before);
    }
}

#[tokio::test]
async fn aliases_and_versions_that_look_like_ours_survive() {
    let mut world = World::default();
    world.add_alias("deployer-tuning-4096", "1", "a size of my own");
    world.publish("deployer-tuning 512 was my idea");
    let fake = Fake::start(world).await;
    let before = fake.world().kept();
    Machine::new(&fake).run(&input()).await.unwrap();
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn an_alias_somebody_points_at_our_version_keeps_it() {
    let fake = Fake::start(World::default()).await;
    let document = begun(&fake, EXECUTION).await;
    let version = fake.world().aliases["deployer-tuning-512"].version.clone();
    fake.world().add_alias("mine", &version, "");
    let cleaned = Machine::new(&fake).clean_up(&document).await.unwrap();
    let note = cleaned["notes"][0].as_str().unwrap();
    assert!(note.contains(&format!("version {version}")) && note.contains("mine"), "{note}");
    assert!(fake.world().versions.contains_key(&version.parse().unwrap()));
    assert_eq!(fake.world().aliases.keys().collect::<Vec<_>>(), ["live", "mine"]);
}

#[tokio::test]
async fn an_edit_while_measuring_survives_and_is_reported() {
    let fake = Fake::start(World::default()).await;
    let mut document = begun(&fake, EXECUTION).await;
    // 512 MB is a size of the run, but the run is not setting sizes any more.
    fake.world().edit(|world| (world.memory, world.timeout) = (512, 60));
    let machine = Machine::new(&fake);
    let cleaned = machine.clean_up(&document).await.unwrap();
    let found = fake.world().kept();
    assert_eq!((found.memory, found.timeout), (512, 60));
    let notes = cleaned["notes"].to_string();
    assert!(notes.contains("512 MB") && notes.contains("settings"), "{notes}");
    document["analysis"] = json!({"power": 128});
    document["autoOptimize"] = json!(true);
    let error = machine.handle(Handler::Optimizer, machine.event(&document)).await.unwrap_err();
    assert_eq!(error.kind, Kind::FunctionChanged);
    assert_eq!(fake.world().memory, 512);
}

#[tokio::test]
async fn a_size_somebody_sets_while_the_choice_is_applied_survives() {
    for alias in [Value::Null, json!("live")] {
        let fake = Fake::start(World::default()).await;
        let mut document = begun(&fake, EXECUTION).await;
        let machine = Machine::new(&fake);
        machine.clean_up(&document).await.unwrap();
        document["analysis"] = json!({"power": 128});
        document["autoOptimize"] = json!(true);
        document["autoOptimizeAlias"] = alias;
        // After the aliases, the function and the lock: just before its revision is read to be written.
        fake.fault("GetFunction", 1, Fault::Resize);
        let error = machine.handle(Handler::Optimizer, machine.event(&document)).await.unwrap_err();
        assert_eq!(error.kind, Kind::FunctionChanged, "{error}");
        assert!(error.message.contains("2048 MB"), "{error}");
        machine.clean_up(&document).await.unwrap();
        assert_eq!(fake.world().memory, 2048);
        assert_eq!(fake.world().aliases.keys().collect::<Vec<_>>(), ["live"]);
    }
}

#[tokio::test]
async fn an_initializer_that_outlives_its_execution_leaves_nothing() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let machine = Machine::new(&fake);
    machine.start(&input());
    machine.end("ABORTED");
    let error = machine.handle(Handler::Initializer, machine.event(&input())).await.unwrap_err();
    assert_eq!(error.kind, Kind::LockLost);
    assert_eq!(fake.world().kept(), before);
}

/// Such as for a KMS key or by a service control policy: what no update can change needs no fence against late updates.
#[tokio::test]
async fn a_function_that_refuses_updates_for_good_is_cleaned_up_all_the_same() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    fake.world().denied.insert("UpdateFunctionConfiguration".to_owned());
    let mut machine = Machine::new(&fake);
    machine.start(&input());
    let mut document = input();
    let error = machine.states(&mut document).await.unwrap_err();
    assert_eq!(error.kind, Kind::AccessDenied, "{error}");
    document["error"] = json!({"Error": error.kind.name(), "Cause": error.message});
    let cleaned = machine.clean_up(&document).await.unwrap();
    let note = cleaned["notes"][0].as_str().unwrap();
    assert!(note.contains("could not be updated once more") && note.contains("not authorized"), "{note}");
    assert_eq!(fake.world().kept(), before);
}

#[tokio::test]
async fn a_publisher_stops_when_its_run_is_being_cleaned_up() {
    let fake = Fake::start(World::default()).await;
    let before = fake.world().kept();
    let machine = Machine::new(&fake);
    let document = machine.begin(&input()).await;
    // Stopped in the middle of publishing, while its Lambda lives on.
    fake.fault("GetFunction", 1, Fault::Signal);
    let publisher = machine.handle(Handler::Publisher, machine.event(&document));
    let cleaner = async {
        fake.reached().await;
        machine.end("ABORTED");
        machine.clean_up_after_stop().await
    };
    let (published, cleaned) = tokio::join!(publisher, cleaner);
    assert_eq!(published.unwrap_err().kind, Kind::LockLost);
    assert_eq!(cleaned.unwrap()["owner"], EXECUTION);
    assert_eq!(fake.world().kept(), before);
}
