//! `tests/account`, which tries what this project assumes about AWS: on the endpoint all of it holds, and nothing is left.

use std::process::Command;

use crate::harness::{Running, Said, World, isolated};

/// The script with arguments, on a world's endpoint.
fn account(world: &World, arguments: &str) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/account");
    let program = world.released(&[]).get_program().to_owned();
    // Its lines are read from the error output as they come.
    let mut command = isolated("sh");
    command.args(["-c", &format!("exec {script} {arguments} 1>&2")]);
    command.env("AWS_ENDPOINT_URL", &world.url).env("DEPLOYER", program).current_dir(world.folder());
    command
}

/// Begins a check that asks nothing.
fn checked(world: &World) -> Running {
    Running::start(&mut account(world, &format!("--yes --architecture {}", std::env::consts::ARCH)))
}

/// What there is in the account besides what the harness made.
async fn left(world: &World) -> Vec<String> {
    let mut names = Vec::new();
    let functions = world.lambda.list_functions().send().await.unwrap();
    names.extend(functions.functions().iter().map(|f| f.function_name().unwrap().to_owned()));
    let machines = world.states.list_state_machines().send().await.unwrap();
    names.extend(machines.state_machines().iter().map(|m| m.name().to_owned()));
    let stacks = world.cloudformation.describe_stacks().send().await.unwrap();
    names.extend(stacks.stacks().iter().map(|s| s.stack_name().unwrap().to_owned()));
    let buckets = world.s3.list_buckets().send().await.unwrap();
    names.extend(buckets.buckets().iter().map(|b| b.name().unwrap().to_owned()));
    let roles = world.aws(&["iam", "list-roles"]).success().json();
    names.extend(
        roles["Roles"].as_array().unwrap().iter().map(|r| r["RoleName"].as_str().unwrap().to_owned()),
    );
    let groups = world.aws(&["logs", "describe-log-groups"]).success().json();
    let groups = groups["logGroups"].as_array().unwrap().iter();
    names.extend(groups.map(|g| g["logGroupName"].as_str().unwrap().to_owned()));
    names.retain(|name| name.contains("deployer-check"));
    names
}

#[tokio::test]
async fn every_assumption_about_aws_holds_on_the_endpoint_and_nothing_is_left() {
    let world = World::empty().await;
    let said = checked(&world).end();
    let results: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with(' ')).collect();
    let is_true = results.iter().filter(|line| line.starts_with("     true  ")).count();
    assert!(is_true > 60, "{}", said.stderr);
    // What the endpoint cannot tell is named, and nothing else is without an answer.
    let counts = format!("\n{is_true} true, 0 FALSE, 0 unknown, 1 not tried\n");
    let said =
        said.success().complains(&[&counts, "not tried  A restored environment reports Restore Duration"]);
    assert!(!said.stderr.contains("not removed"), "{}", said.stderr);
    assert_eq!(left(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_interrupted_check_of_an_account_removes_what_it_made() {
    let world = World::empty().await;
    let mut check = checked(&world);
    check.hear("`deployer preview` sees nothing to change");
    assert_ne!(left(&world).await, Vec::<String>::new());
    check.signal("INT");
    check.end().status(130).complains(&["interrupted", "Removing everything"]);
    assert_eq!(left(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_killed_check_of_an_account_is_removed_by_its_name() {
    let world = World::empty().await;
    let mut check = checked(&world);
    check.hear("A restored environment");
    check.signal("KILL");
    let said = check.end();
    let name = said.stderr.split("The name of this check is ").nth(1).unwrap().split('.').next().unwrap();
    assert_ne!(left(&world).await, Vec::<String>::new());
    Said::by(&mut account(&world, &format!("--clean {name}"))).success();
    assert_eq!(left(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn only_a_check_can_be_cleaned_away() {
    let world = World::new().await;
    world.sample("deployer-check-orders", "io").await;
    for name in ["deployer-power-tuning", "deployer-check-", "d", "''", "deployer-check-0f3a9c.*"] {
        Said::by(&mut account(&world, &format!("--clean {name}")))
            .status(2)
            .complains(&["is not the name of a check: they look like deployer-check-0f3a9c"]);
    }
    assert_eq!(left(&world).await, ["deployer-check-orders"]);
    assert_eq!(world.status("deployer-power-tuning").await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_check_of_an_account_says_what_it_costs_and_asks_first() {
    let world = World::empty().await;
    let said = Said::by(account(&world, "").stdin(std::fs::File::open("/dev/null").unwrap()));
    said.status(1).complains(&["in the account\n000000000000", "cents   altogether", "Type yes to begin"]);
    assert_eq!(left(&world).await, Vec::<String>::new());
}
