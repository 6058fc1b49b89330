//! The stack: parameters, conditions, resources and outputs under the ids they were given, checked as a whole.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::asset::Asset;
use crate::condition::Condition;
use crate::node::Node;
use crate::parameter::{Declaration, Parameter, ParameterType};
use crate::predicate::Predicate;
use crate::problem::{Problem, Problems};
use crate::resource::{Handle, Resource};
use crate::template::{ParameterInfo, Template};
use crate::value::Val;

/// A stack in the making.
#[derive(Debug, Clone)]
pub struct Stack {
    description: String,
    parameters: IndexMap<String, Declaration>,
    rules: IndexMap<String, Node>,
    conditions: IndexMap<String, Node>,
    resources: IndexMap<String, Node>,
    outputs: IndexMap<String, Node>,
    /// Resources that are there only under a condition.
    conditional: IndexMap<String, Condition>,
    /// What a resource waits for besides what it refers to.
    dependencies: IndexMap<String, Vec<String>>,
    assets: Vec<Asset>,
    problems: Vec<Problem>,
}

impl Stack {
    /// An empty stack with a sentence that says what it is for.
    pub fn new(description: impl Into<String>) -> Self {
        Stack {
            description: description.into(),
            parameters: IndexMap::new(),
            rules: IndexMap::new(),
            conditions: IndexMap::new(),
            resources: IndexMap::new(),
            outputs: IndexMap::new(),
            conditional: IndexMap::new(),
            dependencies: IndexMap::new(),
            assets: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a parameter and returns its value.
    pub fn parameter<T: ParameterType>(&mut self, id: &str, parameter: &Parameter<T>) -> Val<T> {
        self.claim(id, "parameter");
        self.problems.extend(parameter.problems(id));
        self.parameters.insert(id.to_owned(), parameter.declaration());
        Val::of(Node::Ref(id.to_owned()))
    }

    /// Adds a rule: where the first predicate holds, CloudFormation refuses parameters for which the second does not, and says
    /// this sentence. Rules know fewer functions than conditions: no `Fn::Join`, and so none of [`Predicate::any_given`].
    pub fn rule(&mut self, id: &str, holds: Predicate, assertion: Predicate, says: &str) {
        self.check_id(id, "rule");
        let assertion = Node::map([("Assert", assertion.0), ("AssertDescription", Node::text(says))]);
        let rule = Node::map([("RuleCondition", holds.0), ("Assertions", Node::List(vec![assertion]))]);
        if self.rules.insert(id.to_owned(), rule).is_some() {
            self.problems.push(Problem::new(format!("rule '{id}'"), "the id is used twice"));
        }
    }

    /// Adds a condition.
    pub fn condition(&mut self, id: &str, predicate: Predicate) -> Condition {
        self.check_id(id, "condition");
        if self.conditions.insert(id.to_owned(), predicate.0).is_some() {
            self.problems.push(Problem::new(format!("condition '{id}'"), "the id is used twice"));
        }
        Condition::named(id)
    }

    /// Adds a resource under exactly this logical id.
    pub fn add<R: Resource>(&mut self, id: &str, resource: R) -> Handle<R> {
        self.insert(id, resource, None)
    }

    /// Adds a resource that is there only where the condition holds. What refers to it must be under the same condition, or choose
    /// by it.
    pub fn add_if<R: Resource>(&mut self, condition: &Condition, id: &str, resource: R) -> Handle<R> {
        self.conditional.insert(id.to_owned(), condition.clone());
        self.insert(id, resource, Some(condition))
    }

    /// Has CloudFormation make `dependency` before `resource`, and delete it after (`DependsOn`). What a resource refers to it waits
    /// for anyway: this is for what it needs without naming it, such as a policy.
    pub fn depends_on<R, D>(&mut self, resource: &Handle<R>, dependency: &Handle<D>) {
        let dependencies = self.dependencies.entry(resource.id().to_owned()).or_default();
        if !dependencies.iter().any(|known| known == dependency.id()) {
            dependencies.push(dependency.id().to_owned());
        }
    }

    fn insert<R: Resource>(&mut self, id: &str, resource: R, condition: Option<&Condition>) -> Handle<R> {
        self.claim(id, "resource");
        let at = format!("resource '{id}'");
        self.problems.extend(resource.problems().into_iter().map(|message| Problem::new(&at, message)));
        let mut members = vec![("Type", Node::text(resource.resource_type()))];
        members.extend(condition.map(|condition| ("Condition", Node::text(condition.id()))));
        members.push(("Properties", resource.properties().into_node()));
        self.resources.insert(id.to_owned(), Node::map(members));
        Handle::named(id)
    }

    /// Adds an output: a value that the deployed stack tells under this name.
    pub fn output<T>(&mut self, id: &str, description: &str, value: &Val<T>) {
        self.tell(id, description, value, None);
    }

    /// Adds an output that is there only where the condition holds.
    pub fn output_if<T>(&mut self, condition: &Condition, id: &str, description: &str, value: &Val<T>) {
        self.tell(id, description, value, Some(condition));
    }

    fn tell<T>(&mut self, id: &str, description: &str, value: &Val<T>, condition: Option<&Condition>) {
        self.check_id(id, "output");
        let mut members = vec![("Description", Node::text(description))];
        members.extend(condition.map(|condition| ("Condition", Node::text(condition.id()))));
        members.push(("Value", value.node.clone()));
        if self.outputs.insert(id.to_owned(), Node::map(members)).is_some() {
            self.problems.push(Problem::new(format!("output '{id}'"), "the id is used twice"));
        }
    }

    /// Adds a file that must be in place before the stack is deployed.
    pub fn asset(&mut self, asset: &Asset) {
        let at = format!("asset '{}'", asset.file_name());
        self.problems.extend(asset.problems().into_iter().map(|message| Problem::new(&at, message)));
        if !self.assets.contains(asset) {
            self.assets.push(asset.clone());
        }
    }

    /// The template.
    ///
    /// The same stack gives the same bytes: everything keeps the order in which it was added.
    ///
    /// # Errors
    /// Everything that is wrong with the stack, together.
    pub fn synth(&self) -> Result<Template, Problems> {
        let mut problems = self.problems.clone();
        self.check_sizes(&mut problems);
        let used = self.check_references(&mut problems);
        for id in self.parameters.keys().filter(|id| !used.values.contains(id.as_str())) {
            problems.push(Problem::new(format!("parameter '{id}'"), "nothing uses it"));
        }
        for id in self.conditions.keys().filter(|id| !used.conditions.contains(id.as_str())) {
            problems.push(Problem::new(format!("condition '{id}'"), "nothing uses it"));
        }
        problems.extend(self.cycle());
        if problems.is_empty() { Ok(self.template()) } else { Err(Problems(problems)) }
    }

    fn claim(&mut self, id: &str, what: &str) {
        self.check_id(id, what);
        if self.parameters.contains_key(id) || self.resources.contains_key(id) {
            let message = "the id is used twice; parameters and resources share their ids";
            self.problems.push(Problem::new(format!("{what} '{id}'"), message));
        }
    }

    fn check_id(&mut self, id: &str, what: &str) {
        // CloudFormation's limit for logical ids, in characters.
        const LONGEST: usize = 255;
        if id.is_empty() || id.len() > LONGEST || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
            let message =
                format!("an id has 1 to {LONGEST} letters and digits (A-Z, a-z, 0-9) and nothing else");
            self.problems.push(Problem::new(format!("{what} '{id}'"), message));
        }
    }

    /// CloudFormation's quotas for one template.
    fn check_sizes(&self, problems: &mut Vec<Problem>) {
        let counts = [
            ("parameters", self.parameters.len(), 200),
            ("resources", self.resources.len(), 500),
            ("outputs", self.outputs.len(), 200),
        ];
        for (what, count, most) in counts {
            if count > most {
                let message = format!("there are {count} {what}; CloudFormation takes at most {most}");
                problems.push(Problem::new("stack", message));
            }
        }
        if self.resources.is_empty() {
            problems.push(Problem::new("stack", "there are no resources; CloudFormation wants at least one"));
        }
    }

    /// Everything with its place in words: rules, conditions, resources, outputs.
    fn parts(&self) -> impl Iterator<Item = (String, &Node)> {
        let rules = self.rules.iter().map(|(id, node)| (format!("rule '{id}'"), node));
        let conditions = self.conditions.iter().map(|(id, node)| (format!("condition '{id}'"), node));
        let resources = self.resources.iter().map(|(id, node)| (format!("resource '{id}'"), node));
        let outputs = self.outputs.iter().map(|(id, node)| (format!("output '{id}'"), node));
        rules.chain(conditions).chain(resources).chain(outputs)
    }

    fn check_references(&self, problems: &mut Vec<Problem>) -> Used {
        let mut used = Used::default();
        for (at, part) in self.parts() {
            part.walk(&mut |node| {
                let unknown = match node {
                    Node::Ref(id) => {
                        used.values.insert(id.clone());
                        (!self.is_value(id))
                            .then(|| format!("'{id}', which is neither parameter nor resource"))
                    }
                    Node::GetAtt(id, _) => {
                        (!self.resources.contains_key(id)).then(|| format!("'{id}', which is no resource"))
                    }
                    Node::If(id, ..) => {
                        used.conditions.insert(id.clone());
                        (!self.conditions.contains_key(id)).then(|| format!("'{id}', which is no condition"))
                    }
                    _ => None,
                };
                problems.extend(unknown.map(|what| Problem::new(&at, format!("it refers to {what}"))));
            });
            let mut holding = Vec::new();
            if let Some(condition) = condition_of(part) {
                used.conditions.insert(condition.to_owned());
                if !self.conditions.contains_key(condition) {
                    let message = format!("it refers to '{condition}', which is no condition");
                    problems.push(Problem::new(&at, message));
                }
                holding.push(condition);
            }
            self.check_presence(&at, part, &mut holding, problems);
        }
        for (id, dependencies) in &self.dependencies {
            let unknown = |id: &&String| !self.resources.contains_key(*id);
            if unknown(&id) {
                let message = format!("depends_on was called for '{id}', which is no resource of this stack");
                problems.push(Problem::new("stack", message));
            }
            problems.extend(dependencies.iter().filter(unknown).map(|dependency| {
                let message = format!("it depends on '{dependency}', which is no resource");
                Problem::new(format!("resource '{id}'"), message)
            }));
        }
        let conditions =
            self.conditions.iter().map(|(id, predicate)| (format!("condition '{id}'"), predicate));
        let rules = self.rules.iter().map(|(id, rule)| (format!("rule '{id}'"), rule));
        for (at, predicate) in conditions.chain(rules) {
            for resource in needed_by(predicate).iter().filter(|id| self.resources.contains_key(*id)) {
                let message = format!("it depends on the resource '{resource}'; only parameters can decide");
                problems.push(Problem::new(&at, message));
            }
        }
        used
    }

    /// Whether what a part refers to is there whenever the part is. `holding` are the conditions known to hold.
    fn check_presence<'a>(
        &self,
        at: &str,
        node: &'a Node,
        holding: &mut Vec<&'a str>,
        problems: &mut Vec<Problem>,
    ) {
        match node {
            Node::Ref(id) | Node::GetAtt(id, _) => {
                let missing = self.conditional.get(id).filter(|needed| !holding.contains(&needed.id()));
                problems.extend(missing.map(|needed| {
                    let message =
                        format!("it refers to '{id}', which is there only where '{}' holds", needed.id());
                    Problem::new(at, message)
                }));
            }
            Node::If(condition, then, otherwise) => {
                holding.push(condition);
                self.check_presence(at, then, holding, problems);
                holding.pop();
                self.check_presence(at, otherwise, holding, problems);
            }
            Node::List(items) | Node::Concat(items) => {
                items.iter().for_each(|item| self.check_presence(at, item, holding, problems));
            }
            Node::Map(members) => {
                members.values().for_each(|member| self.check_presence(at, member, holding, problems));
            }
            Node::Join(_, inner) | Node::Select(_, inner) | Node::Split(_, inner) => {
                self.check_presence(at, inner, holding, problems);
            }
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::NoValue => {}
        }
    }

    fn is_value(&self, id: &str) -> bool {
        id.starts_with("AWS::") || self.parameters.contains_key(id) || self.resources.contains_key(id)
    }

    /// What a resource waits for: what it refers to and what it was told to depend on.
    fn needs_of(&self, id: &str, node: &Node) -> BTreeSet<String> {
        let mut needs = needed_by(node);
        needs.extend(self.dependencies.get(id).into_iter().flatten().cloned());
        needs
    }

    /// Resources that wait for each other, if there are any.
    fn cycle(&self) -> Option<Problem> {
        let needs: BTreeMap<&str, BTreeSet<String>> =
            self.resources.iter().map(|(id, node)| (id.as_str(), self.needs_of(id, node))).collect();
        let mut finished = BTreeSet::new();
        for id in self.resources.keys() {
            let mut way = Vec::new();
            if let Some(cycle) = follow(id, &needs, &mut way, &mut finished) {
                let message = format!("resources wait for each other: {}", cycle.join(" → "));
                return Some(Problem::new("stack", message));
            }
        }
        None
    }

    /// A resource as the template has it, with what it depends on.
    fn resource(&self, id: &str, node: &Node) -> Node {
        let mut node = node.clone();
        if let (Some(dependencies), Node::Map(members)) = (self.dependencies.get(id), &mut node) {
            let dependencies = dependencies.iter().map(Node::text).collect();
            members.shift_insert(1, "DependsOn".to_owned(), Node::List(dependencies));
        }
        node
    }

    fn template(&self) -> Template {
        let mut sections = vec![
            ("AWSTemplateFormatVersion", Node::text("2010-09-09")),
            ("Description", Node::text(self.description.as_str())),
        ];
        let parameters = self.parameters.iter().map(|(id, declared)| (id.clone(), declared.node.clone()));
        let all = [
            ("Parameters", parameters.collect()),
            ("Rules", self.rules.clone()),
            ("Conditions", self.conditions.clone()),
            (
                "Resources",
                self.resources.iter().map(|(id, node)| (id.clone(), self.resource(id, node))).collect(),
            ),
            ("Outputs", self.outputs.clone()),
        ];
        sections.extend(
            all.into_iter()
                .filter(|(_, members)| !members.is_empty())
                .map(|(name, members)| (name, Node::Map(members))),
        );
        let parameters = self.parameters.iter().map(|(name, declared)| ParameterInfo {
            name: name.clone(),
            kind: declared.kind,
            description: declared.description.clone(),
            default: declared.default.clone(),
        });
        Template { root: Node::map(sections), parameters: parameters.collect(), assets: self.assets.clone() }
    }
}

/// The condition under which a resource or an output is there.
fn condition_of(part: &Node) -> Option<&str> {
    let Node::Map(members) = part else { return None };
    match members.get("Condition") {
        Some(Node::Text(condition)) => Some(condition),
        _ => None,
    }
}

#[derive(Default)]
struct Used {
    values: BTreeSet<String>,
    conditions: BTreeSet<String>,
}

fn needed_by(node: &Node) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    node.walk(&mut |node| {
        if let Node::Ref(id) | Node::GetAtt(id, _) = node {
            ids.insert(id.clone());
        }
    });
    ids
}

/// Goes depth first along what `id` needs; the way back to itself, if there is one.
fn follow(
    id: &str,
    needs: &BTreeMap<&str, BTreeSet<String>>,
    way: &mut Vec<String>,
    finished: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|before| before == id) {
        let mut cycle = way.split_off(start);
        cycle.push(id.to_owned());
        return Some(cycle);
    }
    if finished.contains(id) {
        return None;
    }
    way.push(id.to_owned());
    let found = needs.get(id).and_then(|ids| ids.iter().find_map(|next| follow(next, needs, way, finished)));
    way.pop();
    finished.insert(id.to_owned());
    found
}
