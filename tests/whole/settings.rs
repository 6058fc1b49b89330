//! Where calls go and as whom: profiles, endpoints, the settings file; and what is said when that does not work.

use crate::harness::{Said, UP, World, deployer};

const MARKS: [&str; 5] = ["K3Y-SECRET", "T0KEN-SECRET", "PAYL0AD", "ENV-SECRET", "WEIGHTED-PAYL0AD"];

/// A command without an endpoint of its own.
fn nowhere(arguments: &[&str]) -> std::process::Command {
    let mut command = deployer(arguments);
    command.current_dir(std::env::temp_dir());
    command
}

/// Nothing listens on port 1.
const DEAD: &str = "http://127.0.0.1:1";

#[test]
fn without_credentials_the_ways_to_get_some_are_said() {
    let mut command = nowhere(&["outputs"]);
    let said = Said::by(
        command
            .env("AWS_ENDPOINT_URL", DEAD)
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY"),
    );
    said.status(1).complains(&[
        "error: no AWS credentials: ",
        "while asking whose credentials these are",
        "hint: choose a profile with --profile or AWS_PROFILE, sign in with `aws sso login`",
    ]);
}

#[test]
fn a_profile_that_is_not_there_is_named() {
    let said = Said::by(nowhere(&["outputs", "--profile", "nobody"]).env("AWS_ENDPOINT_URL", DEAD));
    said.status(1).complains(&["error: there is no profile `nobody`", "hint: `aws configure` makes one"]);
}

#[test]
fn without_a_region_the_ways_to_name_one_are_said() {
    let mut command = nowhere(&["outputs"]);
    let said = Said::by(command.env_remove("AWS_REGION").env_remove("AWS_DEFAULT_REGION"));
    said.status(1).complains(&["error: no region is set", "--region eu-west-1"]);
    Said::by(&mut nowhere(&["outputs", "--region", "europe"]))
        .status(2)
        .complains(&["--region `europe`", "eu-west-1"]);
}

#[test]
fn an_endpoint_that_does_not_answer_is_said() {
    let said = Said::by(nowhere(&["up", "--yes"]).args(["--endpoint-url", DEAD]));
    said.status(1).complains(&[
        "error: no answer: ",
        "while asking whose credentials these are",
        "hint: check the network, the region's name, and --endpoint-url if it is set",
    ]);
}

#[tokio::test]
async fn credentials_that_have_expired_are_said_to_have() {
    let world = World::empty().await;
    let said = Said::by(
        world.released(&UP).env("AWS_ACCESS_KEY_ID", "ASIA0LOCAL0AAAAAAAAA").env("AWS_SESSION_TOKEN", "x"),
    );
    said.status(1).complains(&[
        "error: The security token included in the request is expired",
        "hint: the credentials have expired: get new ones, with `aws sso login` for example",
    ]);
    assert!(world.s3.list_buckets().send().await.unwrap().buckets().is_empty());
}

#[tokio::test]
async fn a_profile_that_is_asked_for_wins_over_keys_in_the_environment() {
    let world = World::empty().await;
    world.roles(&[("reader", &["s3:*"])]).await;
    let said = world.as_profile("reader", &["destroy", "--yes", "--json"]).status(1);
    assert!(said.stderr.contains("assumed-role/reader/"), "{said:?}");
}

#[tokio::test]
async fn each_service_can_have_an_endpoint_of_its_own() {
    let world = World::empty().await;
    let mut command = world.released(&UP);
    command.env("AWS_ENDPOINT_URL", DEAD);
    for service in ["CLOUDFORMATION", "LAMBDA", "S3", "SFN", "STS"] {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), &world.url);
    }
    let said = Said::by(&mut command).success();
    said.complains(&[&format!("account 000000000000 in us-east-1 at {}", world.url)]);
    // What is typed wins over all of them.
    Said::by(command.args(["--endpoint-url", DEAD])).status(1).complains(&["no answer"]);
}

#[tokio::test]
async fn the_settings_file_says_where_and_what() {
    let world = World::empty().await;
    let settings = format!(
        "endpoint-url = '{}'\nregion = 'us-east-1'\nstack-name = 'from-the-file'\npower-values = [128, 256]\n\
         tags = {{ team = 'web' }}\narchitecture = '{}'\n",
        world.url,
        std::env::consts::ARCH
    );
    std::fs::write(world.folder().join("deployer.toml"), settings).unwrap();
    let mut command = world.released(&["up", "--yes", "--json", "--log-retention-days", "14"]);
    let said = Said::by(command.env_remove("AWS_ENDPOINT_URL").env_remove("AWS_REGION")).success().json();
    assert_eq!(said["stack"], "from-the-file");
    assert_eq!(said["parameters"]["PowerValues"], "128,256");
    assert_eq!(said["parameters"]["logGroupRetentionInDays"], "14");
    let stacks = world.cloudformation.describe_stacks().stack_name("from-the-file").send().await.unwrap();
    assert_eq!(stacks.stacks()[0].tags()[0].value(), Some("web"));
}

#[tokio::test]
async fn what_is_asked_of_the_stack_reaches_its_resources_and_stays() {
    let world = World::empty().await;
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    world
        .aws(&["iam", "create-policy", "--policy-name", "boundary", "--policy-document", document])
        .success();
    let boundary = "arn:aws:iam::000000000000:policy/boundary";
    let flags = [
        ["--permissions-boundary", boundary],
        ["--security-group-ids", "sg-0123456789abcdef0"],
        ["--subnet-ids", "subnet-0123456789abcdef0,subnet-0123456789abcdef1"],
        ["--log-retention-days", "14"],
        ["--state-machine-name-prefix", "mine"],
        ["--tags", "team=web,env=test"],
    ];
    world.up(flags.as_flattened()).success();
    let check = || async {
        let functions = world.lambda.list_functions().send().await.unwrap();
        assert_eq!(functions.functions().len(), 6);
        for function in functions.functions() {
            let vpc = function.vpc_config().unwrap();
            assert_eq!((vpc.security_group_ids().len(), vpc.subnet_ids().len()), (1, 2), "{function:?}");
            let role = function.role().unwrap().rsplit('/').next().unwrap();
            let role = world.aws(&["iam", "get-role", "--role-name", role]).success().json();
            assert_eq!(role["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"], boundary);
            let tags =
                world.lambda.list_tags().resource(function.function_arn().unwrap()).send().await.unwrap();
            assert_eq!(tags.tags().unwrap()["team"], "web");
        }
        let groups = world.aws(&["logs", "describe-log-groups"]).success().json();
        assert!(
            groups["logGroups"].as_array().unwrap().iter().all(|g| g["retentionInDays"] == 14),
            "{groups}"
        );
        let machines = world.states.list_state_machines().send().await.unwrap();
        assert!(machines.state_machines()[0].name().starts_with("mine-"), "{machines:?}");
    };
    check().await;
    // What is not said again stays as it was.
    world.up(&["--total-execution-timeout", "100"]).success();
    check().await;
    let missing = "arn:aws:iam::000000000000:policy/missing";
    let said = world.up(&["--permissions-boundary", missing]).status(1);
    said.complains(&["hint: check --permissions-boundary: the policy must exist in this account"]);
    check().await;
}

#[tokio::test]
async fn what_only_makes_sense_as_a_flag_is_refused_in_the_file() {
    let world = World::empty().await;
    std::fs::write(world.folder().join("deployer.toml"), "attach = 'x'\n").unwrap();
    world.deployer(&["outputs"]).status(2).complains(&["`attach`", "it can only be given as --attach"]);
}

#[tokio::test]
async fn neither_secrets_nor_payloads_are_told_at_any_verbosity() {
    let world = World::empty().await;
    std::fs::write(world.folder().join("mine.zip"), crate::harness::samples_zip()).unwrap();
    let state = world.folder().join("own");
    let state = state.to_str().unwrap();
    let weighted = r#"[{"payload":"WEIGHTED-PAYL0AD","weight":1},{"payload":2,"weight":1}]"#;
    let tune = [
        "tune",
        "--code",
        "mine.zip",
        "--variable",
        "TOKEN=ENV-SECRET",
        "--num",
        "5",
        "--power-values",
        "128,192",
    ];
    let mut said = String::new();
    for loud in [&["-v"][..], &["-v", "--json"]] {
        for arguments in [
            [&["up", "--yes"][..], loud].concat(),
            [&tune[..], &["--handler", "echo", "--payload", r#"{"x":"PAYL0AD"}"#], loud].concat(),
            [&tune[..], &["--handler", "fail", "--payload", weighted, "--disable-payload-logs"], loud]
                .concat(),
            [&["preview", "--log-retention-days", "30"][..], loud].concat(),
            [&["destroy", "--yes"][..], loud].concat(),
        ] {
            let mut command = world.command(&arguments);
            command.args(["--local", "--state", state]);
            command.env("AWS_SECRET_ACCESS_KEY", "K3Y-SECRET").env("AWS_SESSION_TOKEN", "T0KEN-SECRET");
            let one = Said::by(&mut command);
            said += &format!("{arguments:?}\n{}{}", one.stdout, one.stderr);
        }
    }
    assert!(said.contains("CREATE_COMPLETE") && said.contains("SampleError"), "{said}");
    // The command lines above are ours.
    let told: Vec<&str> = said.lines().filter(|line| !line.starts_with('[')).collect();
    for mark in MARKS {
        assert!(!told.iter().any(|line| line.contains(mark)), "{mark} in:\n{}", told.join("\n"));
    }
}
