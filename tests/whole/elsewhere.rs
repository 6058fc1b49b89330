//! Functions of another account, measured through a role of that account.

use crate::harness::{Function, Running, World};

const THEIRS: &str = "210987654321";
const ASSUMABLE: &str = "arn:aws:iam::210987654321:role/*";
/// A stack that may take on roles of the other account.
const STACK: [&str; 4] = ["--power-values", "128,512", "--assumable-roles", ASSUMABLE];

/// The other account with the role that `synth role` writes; and the role's ARN.
async fn other_account(world: &World) -> (World, String) {
    let theirs = world.account(THEIRS).await;
    let template = world.deployer(&["synth", "role", "--trusts", "000000000000"]).success().json();
    assert_eq!(theirs.deploy("tuned-from-elsewhere", &template).await, "CREATE_COMPLETE");
    let shown =
        theirs.cloudformation.describe_stacks().stack_name("tuned-from-elsewhere").send().await.unwrap();
    let outputs = shown.stacks()[0].outputs().iter();
    let role = outputs.clone().find(|output| output.output_key() == Some("RoleARN")).unwrap();
    let role = role.output_value().unwrap().to_owned();
    assert!(role.starts_with("arn:aws:iam::210987654321:role/"), "{role}");
    (theirs, role)
}

/// Tunes a function of the other account by its ARN.
fn arguments<'a>(arn: &'a str, role: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["tune", arn, "--assume-role", role, "--json"], more].concat()
}

async fn sample(theirs: &World) -> Function<'_> {
    theirs.sample("theirs", "echo").await
}

#[tokio::test]
async fn a_function_of_another_account_is_measured_and_left_as_it_was() {
    let world = World::with(&STACK).await;
    let (theirs, role) = other_account(&world).await;
    let function = sample(&theirs).await;
    let before = function.snapshot().await;
    let arn = function.arn();
    let kept = world.folder().join("kept.json");
    let kept = kept.to_str().unwrap();
    let result = world.deployer(&arguments(&arn, &role, &["--num", "5", "--json-file", kept])).success();
    assert!([128, 256, 512].contains(&result.json()["power"].as_u64().unwrap()), "{}", result.stdout);
    assert_eq!(function.snapshot().await, before);
    assert_eq!(result.json()["account"], THEIRS);

    // A function of the same name in this account is another one.
    let namesake = world.sample("theirs", "echo").await;
    let of_namesake = namesake.snapshot().await;
    world
        .deployer(&["apply", kept, "--yes"])
        .status(1)
        .complains(&["theirs in the account 210987654321", "--profile"]);
    assert_eq!(namesake.snapshot().await, of_namesake);

    // The best size is applied there too.
    let result = world
        .deployer(&arguments(&arn, &role, &["--num", "5", "--power-values", "512", "--auto-optimize"]))
        .success()
        .json();
    assert_eq!(result["applied"]["memorySize"], 512, "{result}");
    assert_eq!(function.memory().await, 512);

    // By hand there is nothing left to do.
    world.deployer(&["cleanup", &arn, "--assume-role", &role]).success();
    world
        .deployer(&["cleanup", "theirs", "--assume-role", &role])
        .status(2)
        .complains(&["named by its ARN", "theirs"]);
}

#[tokio::test]
async fn a_function_of_another_account_is_copied_into_this_one() {
    let sample_role = "arn:aws:iam::000000000000:role/sample";
    let world = World::with(&[&STACK[..], &["--copies", "only", "--copy-role", sample_role]].concat()).await;
    let (theirs, role) = other_account(&world).await;
    let function = sample(&theirs).await;
    let before = function.snapshot().await;
    let arn = function.arn();
    let said = world
        .deployer(&arguments(&arn, &role, &["--num", "5", "--power-values", "128,512"]))
        .success()
        .complains(&["measuring temporary copies of theirs"]);
    assert!([128, 512].contains(&said.json()["power"].as_u64().unwrap()), "{}", said.stdout);
    assert_eq!(function.snapshot().await, before);
    assert!(
        theirs.lambda.list_functions().send().await.unwrap().functions().len() == 1,
        "no copy is made there"
    );
}

#[tokio::test]
async fn what_stands_in_the_way_of_another_account_is_named() {
    let world =
        World::with(&["--power-values", "128,512", "--assumable-roles", &format!("{ASSUMABLE}tuned*")]).await;
    let (theirs, role) = other_account(&world).await;
    let function = sample(&theirs).await;
    let before = function.snapshot().await;
    let arn = function.arn();
    world.deployer(&arguments(&arn, "arn:aws:iam::210987654321:role/another", &[])).status(1).complains(&[
        "not allowed to call AssumeRole",
        "--assumable-roles",
        "trusts this account",
    ]);
    world
        .deployer(&arguments(&arn, "arn:aws:iam::000000000000:role/tuned", &[]))
        .status(2)
        .complains(&["roleARN is a role of the account 000000000000, and the function is in 210987654321"]);
    world
        .deployer(&["tune", "theirs", "--assume-role", &role, "--num", "5"])
        .status(2)
        .complains(&["named by its ARN"]);
    world.deployer(&["synth", "role", "--trusts", "12"]).status(2).complains(&["trusts", "12 digits"]);
    assert_eq!(function.snapshot().await, before);
}

#[tokio::test]
async fn a_stopped_run_puts_the_function_of_another_account_back() {
    let world = World::with(&STACK).await;
    let (theirs, role) = other_account(&world).await;
    let function = theirs.sample("theirs", "io").await;
    let before = function.snapshot().await;
    let arn = function.arn();
    let slow = r#"{"milliseconds": 2000}"#;
    let mut running =
        Running::start(&mut world.command(&arguments(&arn, &role, &["--num", "50", "--payload", slow])));
    running.hear("measuring");
    running.signal("INT");
    let said = running.end();
    assert_eq!(said.status, Some(130), "{}", said.stderr);
    said.complains(&["cleanup arn:aws:lambda:us-east-1:210987654321:function:theirs --assume-role"]);
    for _ in 0..600 {
        let alias = theirs.lambda.get_alias().function_name("theirs").name("deployer-tuning").send().await;
        if alias.is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(function.snapshot().await, before);
}
