//! Faults on purpose: SPEC.md, section Faults.

use std::time::{Duration, Instant};

use local_aws::faults::{Fault, Kind};
use local_aws::lambda::Invocation;
use local_aws::{Caller, Service};
use serde_json::{Value, json};

use super::client::{Call, Local};
use crate::support::package;

/// An endpoint with a function `f` and a role that may do anything, in whose session calls are made.
struct World {
    local: Local,
    key: String,
}

const ROLE: &str = "arn:aws:iam::000000000000:role/r";
const ALIASES: &str = "/2015-03-31/functions/f/aliases";
const CONFIGURATION: &str = "/2015-03-31/functions/f/configuration";

impl World {
    async fn new() -> Self {
        let local = Local::start().await;
        let world = Self { key: String::new(), local };
        let allow = |principal: Value, action: &str| {
            let statement = json!([{"Effect": "Allow", "Principal": principal, "Action": action}]);
            json!({"Version": "2012-10-17", "Statement": statement}).to_string()
        };
        let services = json!({"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]});
        let role = json!({"RoleName": "r", "AssumeRolePolicyDocument": allow(services, "sts:AssumeRole")});
        world.owner(Service::Iam, "CreateRole", role).await;
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let policy = json!({"RoleName": "r", "PolicyName": "p", "PolicyDocument": all.to_string()});
        world.owner(Service::Iam, "PutRolePolicy", policy).await;
        let function = json!({
            "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE, "Timeout": 60,
            "Description": "before", "Code": {"ZipFile": package()}, "Tags": {"deployer:apparatus": "true"},
        });
        world.owner(Service::Lambda, "CreateFunction", function).await;
        world.settled("f").await;
        let aws = world.local.endpoint.aws();
        let key = aws.iam.session(aws, ROLE, "the-publisher").unwrap().access_key_id;
        Self { key, ..world }
    }

    async fn owner(&self, service: Service, operation: &str, input: Value) -> Value {
        let aws = self.local.endpoint.aws();
        let answer = aws.call(&Caller::Owner, service, operation, input).await;
        answer.unwrap_or_else(|e| panic!("{operation}: {e}"))
    }

    async fn lambda(&self, operation: &str, input: Value) -> Value {
        self.owner(Service::Lambda, operation, input).await
    }

    async fn settled(&self, name: &str) -> Value {
        for _ in 0..1000 {
            let shown = self.lambda("GetFunctionConfiguration", json!({"FunctionName": name})).await;
            if shown["State"] == "Active" && shown["LastUpdateStatus"] == "Successful" {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{name} did not settle");
    }

    /// A call in the role's session.
    fn session(&self, service: &str, method: &str, path: &str) -> Call {
        self.local.unsigned(method, path).key(&self.key, service)
    }

    fn create_alias(&self, name: &str) -> Call {
        let alias = json!({"Name": name, "FunctionVersion": "$LATEST"});
        self.session("lambda", "POST", ALIASES).body(alias.to_string())
    }

    fn list_aliases(&self) -> Call {
        self.session("lambda", "GET", ALIASES)
    }

    fn describe(&self) -> Call {
        let call =
            self.session("states", "POST", "/").header("x-amz-target", "AWSStepFunctions.DescribeExecution");
        call.header("content-type", "application/x-amz-json-1.0").body("{}")
    }

    async fn aliases(&self) -> Vec<String> {
        let listed = self.lambda("ListAliases", json!({"FunctionName": "f"})).await;
        listed["Aliases"].as_array().unwrap().iter().map(|a| a["Name"].as_str().unwrap().to_owned()).collect()
    }

    fn plan(&self, operation: &str, kind: Kind) {
        self.local.endpoint.aws().faults.plan(vec![Fault::at("publisher", operation, 1, kind)]);
    }

    fn made(&self) -> Vec<(String, Option<Kind>, Option<u16>)> {
        let made = self.local.endpoint.aws().faults.made();
        made.into_iter().map(|call| (call.operation, call.fault, call.status)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_plan_nothing_is_counted() {
    let world = World::new().await;
    let faults = &world.local.endpoint.aws().faults;
    world.list_aliases().send().await.ok();
    assert!(faults.made().is_empty());
    faults.plan(Vec::new());
    world.list_aliases().send().await.ok();
    assert_eq!(faults.end().len(), 1);
    world.list_aliases().send().await.ok();
    assert!(faults.made().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_calls_of_sessions_count() {
    let world = World::new().await;
    world.plan("ListAliases", Kind::ServerError);
    world.local.call("lambda", "GET", ALIASES).send().await.ok();
    assert!(world.aliases().await.is_empty(), "in the process, as the owner");
    assert!(world.made().is_empty());
    assert_eq!(world.list_aliases().send().await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_counted_call_is_recorded() {
    let world = World::new().await;
    world.plan("CreateAlias", Kind::LostAnswer);
    world.list_aliases().send().await.ok();
    assert!(world.create_alias("a").got_no_answer().await);
    assert_eq!(world.create_alias("a").send().await.status, 409);
    let expected = [
        ("ListAliases".to_owned(), None, Some(200)),
        ("CreateAlias".to_owned(), Some(Kind::LostAnswer), None),
        ("CreateAlias".to_owned(), None, Some(409)),
    ];
    assert_eq!(world.made(), expected);
    assert_eq!(world.local.endpoint.aws().faults.end()[0].caller, "the-publisher");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_take_each_service_s_form_and_have_no_effect() {
    let world = World::new().await;
    for (kind, status, code) in [
        (Kind::Throttle, 429, "TooManyRequestsException"),
        (Kind::ServerError, 500, "ServiceException"),
        (Kind::Conflict, 409, "ResourceConflictException"),
        (Kind::Denied, 403, "AccessDeniedException"),
    ] {
        world.plan("CreateAlias", kind);
        let reply = world.create_alias("a").send().await;
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, Some(code)));
        assert!(world.aliases().await.is_empty(), "{kind:?}");
    }
    for (kind, status, code) in [
        (Kind::Throttle, 400, "ThrottlingException"),
        (Kind::Denied, 400, "AccessDeniedException"),
        (Kind::NotYetKnown, 400, "ExecutionDoesNotExist"),
    ] {
        world.plan("DescribeExecution", kind);
        let reply = world.describe().send().await;
        assert_eq!((reply.status, reply.json()["__type"].as_str()), (status, Some(code)));
    }
    for (kind, error) in [(Kind::Throttle, (503, "SlowDown")), (Kind::Denied, (403, "AccessDenied"))] {
        world.plan("PutBucket", kind);
        let (status, code) = world.session("s3", "PUT", "/bucket").send().await.error();
        assert_eq!((status, code.as_str()), error);
        assert_eq!(world.local.s3("HEAD", "/bucket", "").await.status, 404);
    }
    world.plan("GetCallerIdentity", Kind::Throttle);
    let call = world.session("sts", "POST", "/").body("Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(call.send().await.error(), (400, "Throttling".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_has_its_effect_and_a_lost_request_has_none() {
    let world = World::new().await;
    world.plan("CreateAlias", Kind::LostRequest);
    assert!(world.create_alias("a").got_no_answer().await);
    assert!(world.aliases().await.is_empty());
    world.plan("CreateAlias", Kind::LostAnswer);
    assert!(world.create_alias("a").got_no_answer().await);
    assert_eq!(world.aliases().await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_s_time_is_up_or_its_process_ends() {
    let world = World::new().await;
    let aws = world.local.endpoint.aws();
    for (kind, expected) in
        [(Kind::CallerTimeOut, "Sandbox.Timedout"), (Kind::CallerCrash, "Runtime.ExitError")]
    {
        world.create_alias("a").send().await.ok();
        aws.faults.plan(vec![Fault::at("f", "DeleteAlias", 1, kind)]);
        let invocation = Invocation {
            function: "f".to_owned(),
            payload: json!({"mode": "delete-alias", "name": "a"}).to_string().into(),
            ..Invocation::default()
        };
        let invoked = aws.lambda.invoke(aws, &Caller::Owner, invocation.clone()).await.unwrap();
        let error: Value = serde_json::from_slice(&invoked.payload).unwrap();
        assert_eq!(error["errorType"], expected, "{error}");
        assert!(world.aliases().await.is_empty(), "{kind:?} comes after the effect");
        aws.faults.end();
        let invoked = aws.lambda.invoke(aws, &Caller::Owner, invocation).await.unwrap();
        let answer: Value = serde_json::from_slice(&invoked.payload).unwrap();
        assert_eq!(answer, "HTTP/1.1 204 No Content", "the next environment is a sound one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_end_at_a_call() {
    let world = World::new().await;
    let definition = json!({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1000, "End": true}}});
    let machine = json!({"name": "m", "definition": definition.to_string(), "roleArn": ROLE});
    let machine =
        world.owner(Service::States, "CreateStateMachine", machine).await["stateMachineArn"].clone();
    for (kind, status, last) in [
        (Kind::ExecutionStopped, "ABORTED", "ExecutionAborted"),
        (Kind::ExecutionTimedOut, "TIMED_OUT", "ExecutionTimedOut"),
    ] {
        let started =
            world.owner(Service::States, "StartExecution", json!({"stateMachineArn": machine})).await;
        world.plan("ListAliases", kind);
        world.list_aliases().send().await.ok();
        let execution = json!({"executionArn": started["executionArn"]});
        let described = world.owner(Service::States, "DescribeExecution", execution.clone()).await;
        assert_eq!(described["status"], status);
        let history = world.owner(Service::States, "GetExecutionHistory", execution).await;
        assert_eq!(history["events"].as_array().unwrap().last().unwrap()["type"], last);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_may_lag_behind() {
    let world = World::new().await;
    world.plan("CreateAlias", Kind::StaleReads);
    world.create_alias("a").send().await.ok();
    assert_eq!(world.list_aliases().send().await.json()["Aliases"], json!([]));
    assert_eq!(world.session("lambda", "GET", &format!("{ALIASES}/a")).send().await.status, 404);
    assert_eq!(world.create_alias("a").send().await.status, 409, "writes see what is there");
    assert_eq!(world.aliases().await, ["a"], "the owner does");
    for _ in 0..1000 {
        if world.list_aliases().send().await.json()["Aliases"] != json!([]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the alias does not show up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_may_take_its_time() {
    let world = World::new().await;
    world.plan("UpdateFunctionConfiguration", Kind::Pending);
    let began = Instant::now();
    let call = world.session("lambda", "PUT", CONFIGURATION).body(r#"{"MemorySize":512}"#);
    assert_eq!(call.send().await.ok().json()["LastUpdateStatus"], "InProgress");
    let settled = world.settled("f").await;
    assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
    assert_eq!(settled["MemorySize"], 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_may_be_reported_as_failed() {
    let world = World::new().await;
    world.plan("UpdateFunctionConfiguration", Kind::UpdateFails);
    let update = |body| world.session("lambda", "PUT", CONFIGURATION).body(body).send();
    update(r#"{"MemorySize":512}"#).await.ok();
    let mut seen = Value::Null;
    for _ in 0..1000 {
        seen = world.lambda("GetFunctionConfiguration", json!({"FunctionName": "f"})).await;
        if seen["LastUpdateStatus"] != "InProgress" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((&seen["MemorySize"], &seen["LastUpdateStatus"]), (&json!(512), &json!("Failed")));
    update(r#"{"MemorySize":512}"#).await.ok();
    assert_eq!(world.settled("f").await["LastUpdateStatus"], "Successful");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_changes_the_function_first() {
    let world = World::new().await;
    for kind in [Kind::EditMemory, Kind::EditSettings, Kind::EditVersions] {
        world.plan("GetFunctionConfiguration", kind);
        let seen = world.session("lambda", "GET", CONFIGURATION).send().await.ok().json();
        match kind {
            Kind::EditMemory => assert_eq!(seen["MemorySize"], 333),
            Kind::EditSettings => assert_eq!(seen["Description"], "edited by somebody else"),
            _ => assert_eq!(world.aliases().await, ["somebody"]),
        }
    }
}
