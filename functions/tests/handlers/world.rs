//! A small model of AWS around one function: what the handlers can see and change of it, and nothing more.
//!
//! It keeps the rules the handlers depend on: revision ids, published versions that are only new when there was a
//! change, aliases that protect versions from deletion, updates that take a while, pages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

pub const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:target";
const PAGE: usize = 2;

/// What came over the wire, taken apart.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation, such as `CreateAlias`.
    pub operation: String,
    /// The alias's or object's name.
    pub name: String,
    pub qualifier: Option<String>,
    pub marker: Option<String>,
    pub body: Vec<u8>,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"Type": "User", "message": message, "Message": message, "__type": code});
        Self {
            status,
            headers: vec![("x-amzn-errortype", code.to_owned())],
            body: body.to_string().into_bytes(),
        }
    }

    fn missing(what: &str) -> Self {
        Self::error(404, "ResourceNotFoundException", &format!("not found: {what}"))
    }

    fn outdated() -> Self {
        Self::error(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id",
        )
    }

    fn conflict(message: &str) -> Self {
        Self::error(409, "ResourceConflictException", message)
    }
}

/// What an invocation of the tuned function, or of a processor, is answered with.
#[derive(Debug, Clone)]
pub enum Invoked {
    /// An answer after this many ms.
    Answer { log: String, payload: Value, failed: bool, after_ms: u64 },
}

impl Invoked {
    pub fn took(duration: f64) -> Self {
        Self::Answer { log: report(duration), payload: json!({"ok": true}), failed: false, after_ms: 0 }
    }

    pub fn raised(error_type: &str, message: &str) -> Self {
        let payload = json!({"errorType": error_type, "errorMessage": message, "stackTrace": ["frame 1"]});
        Self::Answer { log: report(5.0), payload, failed: true, after_ms: 0 }
    }
}

pub fn report(duration: f64) -> String {
    format!(
        "START RequestId: r Version: 1\nEND RequestId: r\nREPORT RequestId: r\tDuration: {duration:.2} ms\tBilled Duration: {} ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB\t\n",
        duration.ceil()
    )
}

/// One invocation as the function's side saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub function: String,
    pub qualifier: Option<String>,
    pub payload: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub memory: i64,
    pub description: String,
    /// For this many readings it is still being prepared.
    pub pending: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    pub version: String,
    pub description: String,
    pub weights: BTreeMap<String, f64>,
    revision: u64,
}

/// Everything about the function that a run must leave as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub memory: i64,
    pub timeout: i64,
    pub description: String,
    pub code: String,
    pub versions: BTreeMap<u64, (i64, String)>,
    pub aliases: BTreeMap<String, (String, String, String)>,
}

#[derive(Debug, Clone)]
pub struct World {
    pub memory: i64,
    pub timeout: i64,
    pub description: String,
    pub code: String,
    pub versions: BTreeMap<u64, Version>,
    pub aliases: BTreeMap<String, Alias>,
    pub executions: BTreeMap<String, (String, String)>,
    pub objects: BTreeMap<String, String>,
    /// After an update, this many readings say that it is in progress.
    pub update_takes: u32,
    /// New versions are still being prepared for this many readings.
    pub pending_for: u32,
    /// Whether an update that changes nothing also lets the next publication be a new version, as on AWS.
    pub any_update_counts: bool,
    /// Whether a change of an alias also changes the function's revision.
    pub aliases_count: bool,
    /// A further setting of the function.
    pub settings: Option<(&'static str, Value)>,
    /// The largest memory size that the account may use.
    pub largest: i64,
    /// The last update has failed, without anybody having looked.
    pub failed: bool,
    /// What invocations are answered with, in order; afterwards all with the same.
    pub script: VecDeque<Invoked>,
    pub seen: Vec<Seen>,
    pub denied: BTreeSet<String>,
    pub architecture: String,
    /// The configuration as last published, to know whether there was a change.
    pub published_as: Option<(i64, i64, String, String)>,
    pub changed_since: bool,
    pub revision: u64,
    pub alias_revision: u64,
    pub next_version: u64,
    pub in_progress: u32,
}

impl Default for World {
    fn default() -> Self {
        let mut world = Self {
            memory: 256,
            timeout: 3,
            description: "the user's".to_owned(),
            code: "c0de".to_owned(),
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            executions: BTreeMap::new(),
            objects: BTreeMap::new(),
            update_takes: 1,
            pending_for: 0,
            any_update_counts: true,
            aliases_count: false,
            settings: None,
            largest: 10_240,
            failed: false,
            script: VecDeque::new(),
            seen: Vec::new(),
            denied: BTreeSet::new(),
            architecture: "x86_64".to_owned(),
            published_as: None,
            changed_since: true,
            revision: 1,
            alias_revision: 1,
            next_version: 1,
            in_progress: 0,
        };
        // A function with a history: two versions and an alias that splits its traffic between them.
        world.publish("first");
        world.memory = 512;
        world.touch();
        world.publish("second");
        world.memory = 256;
        world.touch();
        let weights = BTreeMap::from([("2".to_owned(), 0.1)]);
        world.aliases.insert(
            "live".to_owned(),
            Alias { version: "1".into(), description: "production".into(), weights, revision: 0 },
        );
        world
    }
}

impl World {
    pub fn kept(&self) -> Kept {
        Kept {
            memory: self.memory,
            timeout: self.timeout,
            description: self.description.clone(),
            code: self.code.clone(),
            versions: self.versions.iter().map(|(n, v)| (*n, (v.memory, v.description.clone()))).collect(),
            aliases: self
                .aliases
                .iter()
                .map(|(n, a)| {
                    (n.clone(), (a.version.clone(), a.description.clone(), format!("{:?}", a.weights)))
                })
                .collect(),
        }
    }

    /// Somebody changes a setting of the function.
    pub fn edit(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        self.touch();
    }

    fn touch(&mut self) {
        self.revision += 1;
        self.changed_since = true;
    }

    pub fn publish(&mut self, description: &str) -> u64 {
        let now = (self.memory, self.timeout, self.description.clone(), self.code.clone());
        let changed = if self.any_update_counts {
            self.changed_since
        } else {
            self.published_as.as_ref() != Some(&now)
        };
        let last = self.versions.keys().next_back().copied();
        if let (false, Some(last)) = (changed, last)
            && last + 1 == self.next_version
        {
            return last;
        }
        let number = self.next_version;
        self.next_version += 1;
        let description = if description.is_empty() { &self.description } else { description };
        let version =
            Version { memory: self.memory, description: description.to_owned(), pending: self.pending_for };
        self.versions.insert(number, version);
        self.published_as = Some(now);
        self.changed_since = false;
        number
    }

    fn next_alias_revision(&mut self) -> u64 {
        self.revision += u64::from(self.aliases_count);
        self.alias_revision += 1;
        self.alias_revision
    }

    pub fn add_alias(&mut self, name: &str, version: &str, description: &str) {
        let revision = self.next_alias_revision();
        let alias = Alias {
            version: version.to_owned(),
            description: description.to_owned(),
            weights: BTreeMap::new(),
            revision,
        };
        self.aliases.insert(name.to_owned(), alias);
    }

    pub fn answer(&mut self, call: &Call) -> Reply {
        if self.denied.contains(&call.operation) {
            let message = format!("User is not authorized to perform: {}", call.operation);
            return Reply::error(403, "AccessDeniedException", &message);
        }
        match call.operation.as_str() {
            "GetFunction" => {
                let mut reply = self.get_configuration(call);
                if reply.status == 200 {
                    let configuration: Value = serde_json::from_slice(&reply.body).unwrap();
                    let mut answer = json!({"Configuration": configuration});
                    if let Some((name, value)) = &self.settings {
                        let part = match *name {
                            "ReservedConcurrentExecutions" => "Concurrency",
                            _ => "Configuration",
                        };
                        answer[part][*name] = value.clone();
                    }
                    reply = Reply::ok(answer);
                }
                reply
            }
            "UpdateFunctionConfiguration" => self.update_configuration(call),
            "PublishVersion" => self.publish_version(call),
            "ListVersionsByFunction" => {
                let mut all = vec![self.configuration("$LATEST", self.memory, &self.description)];
                all.extend(
                    self.versions
                        .iter()
                        .map(|(n, v)| self.configuration(&n.to_string(), v.memory, &v.description)),
                );
                page("Versions", all, call)
            }
            "DeleteFunction" => self.delete_version(call),
            "ListAliases" => {
                page("Aliases", self.aliases.iter().map(|(n, a)| alias_json(n, a)).collect(), call)
            }
            "GetAlias" => self
                .aliases
                .get(&call.name)
                .map_or_else(|| Reply::missing(&call.name), |a| Reply::ok(alias_json(&call.name, a))),
            "CreateAlias" => self.create_alias(call),
            "UpdateAlias" => self.update_alias(call),
            "DeleteAlias" => {
                self.aliases.remove(&call.name);
                Reply { status: 204, headers: Vec::new(), body: Vec::new() }
            }
            "DescribeExecution" => {
                let arn = call.json()["executionArn"].as_str().unwrap_or_default().to_owned();
                match self.executions.get(&arn) {
                    None => Reply::error(400, "ExecutionDoesNotExist", &arn),
                    Some((status, input)) => Reply::ok(json!({
                        "executionArn": arn, "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:machine",
                        "status": status, "input": input, "startDate": 1.0,
                    })),
                }
            }
            "GetObject" => match self.objects.get(&call.name) {
                Some(content) => {
                    Reply { status: 200, headers: Vec::new(), body: content.clone().into_bytes() }
                }
                None => Reply {
                    status: 404,
                    headers: Vec::new(),
                    body: b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>".to_vec(),
                },
            },
            other => Reply::error(400, "UnknownOperation", other),
        }
    }

    fn configuration(&self, version: &str, memory: i64, description: &str) -> Value {
        let last_update = match version {
            "$LATEST" if self.failed => "Failed",
            "$LATEST" if self.in_progress > 0 => "InProgress",
            _ => "Successful",
        };
        json!({
            "FunctionName": "target", "FunctionArn": format!("{ARN}:{version}"), "Version": version,
            "MemorySize": memory, "Timeout": self.timeout, "Description": description, "CodeSha256": self.code,
            "Architectures": [self.architecture], "RevisionId": format!("r{}", self.revision), "State": "Active",
            "LastUpdateStatus": last_update,
        })
    }

    fn get_configuration(&mut self, call: &Call) -> Reply {
        let Some(qualifier) = call.qualifier.as_deref().filter(|q| *q != "$LATEST") else {
            if self.in_progress > 0 {
                self.in_progress -= 1;
                if self.in_progress == 0 {
                    self.revision += 1;
                }
            }
            return Reply::ok(self.configuration("$LATEST", self.memory, &self.description));
        };
        let version = self.aliases.get(qualifier).map_or(qualifier.to_owned(), |alias| alias.version.clone());
        let Some((number, found)) =
            version.parse().ok().and_then(|number: u64| Some((number, self.versions.get_mut(&number)?)))
        else {
            return Reply::missing(qualifier);
        };
        let pending = found.pending > 0;
        found.pending = found.pending.saturating_sub(1);
        let found = found.clone();
        let mut configuration = self.configuration(&number.to_string(), found.memory, &found.description);
        if pending {
            configuration["State"] = json!("Pending");
        }
        Reply::ok(configuration)
    }

    fn update_configuration(&mut self, call: &Call) -> Reply {
        let body = call.json();
        if self.in_progress > 0 {
            return Reply::conflict(
                "The operation cannot be performed at this time. An update is in progress",
            );
        }
        if body["RevisionId"].as_str().is_some_and(|given| given != format!("r{}", self.revision)) {
            return Reply::outdated();
        }
        let memory = body["MemorySize"].as_i64().unwrap_or(self.memory);
        if !(128..=self.largest).contains(&memory) {
            return Reply::error(
                400,
                "InvalidParameterValueException",
                "'MemorySize' value failed to satisfy constraint",
            );
        }
        self.memory = memory;
        if let Some(description) = body["Description"].as_str() {
            self.description = description.to_owned();
        }
        self.touch();
        self.in_progress = self.update_takes;
        self.failed = false;
        Reply::ok(self.configuration("$LATEST", self.memory, &self.description))
    }

    fn publish_version(&mut self, call: &Call) -> Reply {
        let body = call.json();
        if self.in_progress > 0 {
            return Reply::conflict(
                "The operation cannot be performed at this time. An update is in progress",
            );
        }
        if body["RevisionId"].as_str().is_some_and(|given| given != format!("r{}", self.revision)) {
            return Reply::outdated();
        }
        if body["CodeSha256"].as_str().is_some_and(|given| given != self.code) {
            return Reply::error(
                400,
                "InvalidParameterValueException",
                "CodeSHA256 is different from current CodeSHA256 in $LATEST",
            );
        }
        let number = self.publish(body["Description"].as_str().unwrap_or_default());
        self.revision += 1;
        let version = &self.versions[&number];
        let mut configuration = self.configuration(&number.to_string(), version.memory, &version.description);
        if version.pending > 0 {
            configuration["State"] = json!("Pending");
        }
        Reply { status: 201, ..Reply::ok(configuration) }
    }

    fn delete_version(&mut self, call: &Call) -> Reply {
        let Some(number) = call.qualifier.as_deref().and_then(|q| q.parse::<u64>().ok()) else {
            panic!("the function itself was to be deleted: {call:?}");
        };
        let version = number.to_string();
        let holds = |alias: &Alias| alias.version == version || alias.weights.contains_key(&version);
        if self.aliases.values().any(holds) {
            return Reply::conflict("Cannot delete version referenced by an alias");
        }
        match self.versions.remove(&number) {
            Some(_) => Reply { status: 204, headers: Vec::new(), body: Vec::new() },
            None => Reply::missing(&version),
        }
    }

    fn create_alias(&mut self, call: &Call) -> Reply {
        let body = call.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("Name"), text("FunctionVersion"));
        if self.aliases.contains_key(&name) {
            return Reply::conflict(&format!("Alias already exists: {name}"));
        }
        if version != "$LATEST"
            && !version.parse().is_ok_and(|number: u64| self.versions.contains_key(&number))
        {
            return Reply::missing(&version);
        }
        assert!(text("Description").len() <= 256, "too long a description: {}", text("Description"));
        self.add_alias(&name, &version, &text("Description"));
        Reply { status: 201, ..Reply::ok(alias_json(&name, &self.aliases[&name])) }
    }

    fn update_alias(&mut self, call: &Call) -> Reply {
        let body = call.json();
        let Some(alias) = self.aliases.get_mut(&call.name) else { return Reply::missing(&call.name) };
        if body["RevisionId"].as_str().is_some_and(|given| given != format!("a{}", alias.revision)) {
            return Reply::outdated();
        }
        if let Some(version) = body["FunctionVersion"].as_str() {
            if version != "$LATEST"
                && !version.parse().is_ok_and(|number: u64| self.versions.contains_key(&number))
            {
                return Reply::missing(version);
            }
            alias.version = version.to_owned();
        }
        if let Some(description) = body["Description"].as_str() {
            assert!(description.len() <= 256, "too long a description: {description}");
            alias.description = description.to_owned();
        }
        let revision = self.next_alias_revision();
        let alias = self.aliases.get_mut(&call.name).unwrap();
        alias.revision = revision;
        Reply::ok(alias_json(&call.name, alias))
    }
}

fn alias_json(name: &str, alias: &Alias) -> Value {
    let mut json = json!({
        "AliasArn": format!("{ARN}:{name}"), "Name": name, "FunctionVersion": alias.version,
        "Description": alias.description, "RevisionId": format!("a{}", alias.revision),
    });
    if !alias.weights.is_empty() {
        json["RoutingConfig"] = json!({"AdditionalVersionWeights": alias.weights});
    }
    json
}

fn page(list: &str, all: Vec<Value>, call: &Call) -> Reply {
    let start: usize = call.marker.as_deref().and_then(|marker| marker.parse().ok()).unwrap_or(0);
    let rest = all.get(start..).unwrap_or_default();
    let mut body = json!({ list: rest.iter().take(PAGE).collect::<Vec<_>>() });
    if rest.len() > PAGE {
        body["NextMarker"] = json!((start + PAGE).to_string());
    }
    Reply::ok(body)
}
