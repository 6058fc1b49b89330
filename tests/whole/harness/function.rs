//! The function under test, as it was before and after.

use std::collections::BTreeMap;

use super::program::Said;
use super::world::World;

/// A function under test.
pub struct Function<'w> {
    pub(super) world: &'w World,
    /// Its name.
    pub name: String,
}

/// What a run must leave as it was.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    configuration: BTreeMap<String, String>,
    aliases: BTreeMap<String, (String, String)>,
    versions: BTreeMap<String, String>,
}

impl Function<'_> {
    /// Its ARN.
    pub fn arn(&self) -> String {
        self.world.arn(&self.name)
    }

    /// Waits until its last change is done.
    pub async fn settled(&self) {
        for _ in 0..200 {
            let c = self
                .world
                .lambda
                .get_function_configuration()
                .function_name(&self.name)
                .send()
                .await
                .unwrap();
            let pending = c.state().is_some_and(|s| s.as_str() == "Pending");
            if !pending && c.last_update_status().is_none_or(|s| s.as_str() != "InProgress") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("{} is not settled after 5 s", self.name);
    }

    /// Its memory size in MB.
    pub async fn memory(&self) -> i32 {
        let c =
            self.world.lambda.get_function_configuration().function_name(&self.name).send().await.unwrap();
        c.memory_size().unwrap()
    }

    /// Everything a run might change.
    pub async fn snapshot(&self) -> Snapshot {
        self.settled().await;
        let lambda = &self.world.lambda;
        let c = lambda.get_function_configuration().function_name(&self.name).send().await.unwrap();
        let configuration = [
            ("memory", format!("{:?}", c.memory_size())),
            ("description", format!("{:?}", c.description())),
            ("timeout", format!("{:?}", c.timeout())),
            ("handler", format!("{:?}", c.handler())),
            ("code", format!("{:?}", c.code_sha256())),
            ("environment", sorted(c.environment().and_then(|e| e.variables()))),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        let mut aliases = lambda.list_aliases().function_name(&self.name).into_paginator().items().send();
        let mut found = BTreeMap::new();
        while let Some(alias) = aliases.next().await {
            let alias = alias.unwrap();
            found.insert(
                alias.name().unwrap().to_owned(),
                (alias.function_version().unwrap().to_owned(), alias.description().unwrap_or("").to_owned()),
            );
        }
        let mut versions =
            lambda.list_versions_by_function().function_name(&self.name).into_paginator().items().send();
        let mut numbers = BTreeMap::new();
        while let Some(version) = versions.next().await {
            let version = version.unwrap();
            if version.version() != Some("$LATEST") {
                let what = format!("{:?} {:?}", version.memory_size(), version.description());
                numbers.insert(version.version().unwrap().to_owned(), what);
            }
        }
        Snapshot { configuration, aliases: found, versions: numbers }
    }

    /// Tunes it with `deployer tune NAME --json …`.
    pub fn tune(&self, flags: &[&str]) -> Said {
        let mut arguments = vec!["tune", &self.name, "--json"];
        arguments.extend(flags);
        self.world.deployer(&arguments)
    }
}

fn sorted(variables: Option<&std::collections::HashMap<String, String>>) -> String {
    format!("{:?}", variables.map(|v| v.iter().collect::<BTreeMap<_, _>>()))
}
