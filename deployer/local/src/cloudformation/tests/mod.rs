//! CloudFormation on made-up resource types, so that failures, hangs and kills can be had at will; the real types are
//! in [`real`].

mod change_sets;
mod create;
mod drift;
mod kill;
mod made_elsewhere;
mod real;
mod recorded;
mod update;
mod world;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::world::World;
use super::CloudFormation;
use crate::{Aws, Caller, Result, Service, Settings};

/// CloudFormation over a state folder of its own.
pub struct Cfn {
    pub aws: Arc<Aws>,
    pub world: Arc<World>,
    folder: Arc<TempDir>,
}

impl Cfn {
    pub fn new() -> Self {
        Self::over(Arc::new(tempfile::tempdir().unwrap()), Arc::new(World::default()))
    }

    fn over(folder: Arc<TempDir>, world: Arc<World>) -> Self {
        let settings = Settings {
            account: crate::ACCOUNT.to_owned(),
            state: folder.path().to_owned(),
            region: "eu-west-1".to_owned(),
            url: "http://127.0.0.1:9".to_owned(),
            cpu_share: None,
        };
        let mut aws = Aws::open(settings).unwrap();
        Arc::get_mut(&mut aws).unwrap().cloudformation = CloudFormation::with(world::registry(&world));
        Self { aws, world, folder }
    }

    /// Ends the process as a kill would, at whatever it waits for, and starts another on the same folder.
    pub async fn killed(self) -> Self {
        let running = std::mem::take(&mut *self.aws.cloudformation.handles());
        for handle in running.into_values() {
            handle.abort();
            let _ = handle.await;
        }
        let Self { mut aws, world, folder } = self;
        for _ in 0..30_000 {
            match Arc::try_unwrap(aws) {
                Ok(aws) => {
                    drop(aws);
                    world.release();
                    let next = Self::over(folder, world);
                    next.aws.cloudformation.start(&next.aws).await;
                    return next;
                }
                Err(shared) => aws = shared,
            }
            tokio::task::yield_now().await;
        }
        panic!("something still holds the services");
    }

    pub async fn call(&self, operation: &str, input: Value) -> Result<Value> {
        self.aws.call(&Caller::Owner, Service::CloudFormation, operation, input).await
    }

    /// The message of the error that a call must end with.
    pub async fn refused(&self, operation: &str, input: Value) -> String {
        self.call(operation, input).await.unwrap_err().message
    }

    pub async fn stack(&self, name: &str) -> Value {
        self.call("DescribeStacks", json!({"StackName": name})).await.unwrap()["Stacks"][0].clone()
    }

    /// Waits until the stack is at rest; gives its status.
    pub async fn settled(&self, name: &str) -> String {
        for _ in 0..30_000 {
            match self.call("DescribeStacks", json!({"StackName": name})).await {
                Ok(answer) => {
                    let status = answer["Stacks"][0]["StackStatus"].as_str().unwrap().to_owned();
                    if !status.ends_with("_IN_PROGRESS") {
                        return status;
                    }
                }
                Err(_) => return "gone".to_owned(),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the stack {name} does not come to rest: {}", self.stack(name).await);
    }

    /// Creates the stack `s`; gives the status it comes to rest in.
    pub async fn create(&self, resources: Value) -> String {
        self.create_with(json!({ "Resources": resources }), json!({})).await
    }

    pub async fn create_with(&self, template: Value, mut input: Value) -> String {
        input["StackName"] = "s".into();
        input["TemplateBody"] = template.to_string().into();
        let answer = self.call("CreateStack", input).await.unwrap();
        self.settled(answer["StackId"].as_str().unwrap()).await
    }

    /// Updates the stack `s`; gives the status it comes to rest in.
    pub async fn update(&self, resources: Value) -> String {
        let template = json!({"Resources": resources}).to_string();
        self.call("UpdateStack", json!({"StackName": "s", "TemplateBody": template})).await.unwrap();
        self.settled("s").await
    }

    /// Deletes the stack `s`; gives the status it comes to rest in.
    pub async fn delete(&self) -> String {
        let id = self.stack("s").await["StackId"].as_str().unwrap().to_owned();
        self.call("DeleteStack", json!({"StackName": "s"})).await.unwrap();
        self.settled(&id).await
    }

    /// What was told of the stack `s` and its resources, oldest first: `NAME STATUS` or `NAME STATUS: REASON`.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let answer = self.call("DescribeStackEvents", json!({"StackName": name})).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let events = answer["StackEvents"].as_array().unwrap().iter().rev();
        events
            .map(|e| {
                let (name, status) = (text(&e["LogicalResourceId"]), text(&e["ResourceStatus"]));
                match e["ResourceStatusReason"].as_str() {
                    Some(reason) => format!("{name} {status}: {reason}"),
                    None => format!("{name} {status}"),
                }
            })
            .collect()
    }

    /// The stack's resources: logical id, status, physical id.
    pub async fn resource(&self, logical: &str) -> Value {
        let input = json!({"StackName": "s", "LogicalResourceId": logical});
        self.call("DescribeStackResource", input).await.unwrap()["StackResourceDetail"].clone()
    }
}

/// A thing of the made-up type with these properties.
pub fn thing(properties: Value) -> Value {
    json!({"Type": "AWS::IAM::Thing", "Properties": properties})
}

/// The same, without the capability that its type needs.
pub fn plain(properties: Value) -> Value {
    json!({"Type": "Test::Plain::Thing", "Properties": properties})
}
