//! Policy documents: read once, then asked whether a statement speaks about a request and with which effect.

use serde_json::{Map, Value};

use crate::condition::Condition;
use crate::context::Context;
use crate::pattern::Pattern;

/// What a document is attached to, which decides what its statements must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A role: statements name resources.
    Identity,
    /// A role's trust: statements name principals.
    Trust,
    /// A resource: statements name principals and resources.
    Resource,
}

/// A policy document.
#[derive(Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    allow: bool,
    principals: Option<Principals>,
    actions: Names,
    resources: Option<Names>,
    conditions: Vec<Condition>,
}

/// Patterns and whether the statement means all others (`NotAction` and so on).
#[derive(Debug)]
struct Names {
    complement: bool,
    patterns: Vec<(String, Pattern)>,
}

/// Whom a statement names, whatever kind they are declared as: names of different kinds do not collide.
#[derive(Debug)]
struct Principals {
    complement: bool,
    names: Vec<String>,
}

/// What the documents say about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing.
    Silent,
    /// Allowed to everybody in the account who is allowed by their own policies as well.
    Delegated,
    /// Allowed.
    Allowed,
    /// Denied.
    Denied,
}

/// A request as policies see it.
pub struct Request<'a> {
    /// The action, `SERVICE:Operation`.
    pub action: &'a str,
    /// The resource's ARN.
    pub resource: &'a str,
    /// Who asks, as principal elements name them.
    pub principal: Principal<'a>,
    /// The condition keys and their values.
    pub context: &'a Context<'a>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Principal<'a> {
    /// Nobody known.
    Anonymous,
    /// A user, or a role's session, by all ARNs that mean it: the session's and its role's.
    Iam(&'a [&'a str]),
    /// A service.
    Service(&'a str),
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it and where, such as `Statement[1].Effect must be Allow or Deny, not "allow"`.
    pub fn parse(document: &Value, kind: Kind) -> Result<Self, String> {
        let object = document.as_object().ok_or("a policy document is a JSON object")?;
        known(object, &["Version", "Id", "Statement"], "")?;
        let version = match object.get("Version") {
            None => "2008-10-17",
            Some(Value::String(v)) if v == "2012-10-17" || v == "2008-10-17" => v,
            Some(other) => return Err(format!("Version must be 2012-10-17, not {other}")),
        };
        let variables = version == "2012-10-17";
        let list = match object.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => return Err("Statement must be a statement or a list of them".to_owned()),
        };
        let statements = list.iter().enumerate().map(|(i, statement)| {
            Statement::parse(statement, kind, variables).map_err(|e| format!("Statement[{i}]{e}"))
        });
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// What the document says about a request: a denial wins over everything.
    #[must_use]
    pub fn verdict(&self, request: &Request<'_>) -> Verdict {
        self.statements.iter().map(|s| s.verdict(request)).max().unwrap_or(Verdict::Silent)
    }
}

impl Statement {
    fn parse(statement: &Value, kind: Kind, variables: bool) -> Result<Self, String> {
        let object = statement.as_object().ok_or(" must be an object")?;
        let names =
            ["Action", "Condition", "Effect", "NotAction", "NotPrincipal", "NotResource", "Principal"];
        known(object, &[&names[..], &["Resource", "Sid"]].concat(), ".")?;
        let allow = match object.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => {
                return Err(format!(
                    ".Effect must be Allow or Deny, not {}",
                    object.get("Effect").unwrap_or(&Value::Null)
                ));
            }
        };
        let actions = Names::parse(object, "Action", "NotAction", false)?.ok_or(".Action is missing")?;
        for (action, _) in &actions.patterns {
            if action != "*" && !action.contains(':') {
                return Err(format!(".Action must be SERVICE:Action, not \"{action}\""));
            }
        }
        let resources = Names::parse(object, "Resource", "NotResource", variables)?;
        for (resource, _) in resources.iter().flat_map(|r| &r.patterns) {
            if !resource.starts_with("arn:") && !resource.starts_with('*') {
                return Err(format!(".Resource must be an ARN or \"*\", not \"{resource}\""));
            }
        }
        let principals = Principals::parse(object)?;
        match kind {
            Kind::Identity if resources.is_none() => return Err(".Resource is missing".to_owned()),
            Kind::Identity if principals.is_some() => {
                return Err(".Principal has no place in a role's policy".to_owned());
            }
            Kind::Trust if resources.is_some() => {
                return Err(".Resource has no place in a trust policy".to_owned());
            }
            Kind::Trust | Kind::Resource if principals.is_none() => {
                return Err(".Principal is missing".to_owned());
            }
            _ => {}
        }
        let conditions = Condition::parse_all(object.get("Condition"), variables)?;
        Ok(Self { allow, principals, actions, resources, conditions })
    }

    fn verdict(&self, request: &Request<'_>) -> Verdict {
        let action = request.action.to_ascii_lowercase();
        let applies = self.actions.contain(&action, request.context)
            && self.resources.as_ref().is_none_or(|r| r.contain(request.resource, request.context))
            && self.conditions.iter().all(|c| c.holds(request.context));
        if !applies {
            return Verdict::Silent;
        }
        let reach = match &self.principals {
            None => Reach::Direct,
            Some(names) => names.reach(&request.principal),
        };
        match (self.allow, reach) {
            (_, Reach::None) => Verdict::Silent,
            (false, _) => Verdict::Denied,
            (true, Reach::Account) => Verdict::Delegated,
            (true, Reach::Direct) => Verdict::Allowed,
        }
    }
}

/// How a principal element means someone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    None,
    /// As someone of the account.
    Account,
    /// By name, or as everybody.
    Direct,
}

impl Names {
    fn parse(
        object: &Map<String, Value>,
        name: &str,
        complement: &str,
        variables: bool,
    ) -> Result<Option<Self>, String> {
        let (key, value, is_complement) = match (object.get(name), object.get(complement)) {
            (Some(_), Some(_)) => return Err(format!(" has both {name} and {complement}")),
            (Some(value), None) => (name, value, false),
            (None, Some(value)) => (complement, value, true),
            (None, None) => return Ok(None),
        };
        let texts = texts(value).ok_or_else(|| format!(".{key} must be a string or a list of strings"))?;
        if texts.is_empty() {
            return Err(format!(".{key} is empty"));
        }
        let pattern = |text: String| {
            let folded = if name == "Action" { text.to_ascii_lowercase() } else { text.clone() };
            (text, Pattern::new(&folded, variables))
        };
        Ok(Some(Self { complement: is_complement, patterns: texts.into_iter().map(pattern).collect() }))
    }

    fn contain(&self, text: &str, context: &Context<'_>) -> bool {
        self.patterns.iter().any(|(_, pattern)| pattern.matches(text, context)) != self.complement
    }
}

/// Whether a principal's name is the account that an ARN belongs to: its number, or its root.
fn is_account(name: &str, arn: &str) -> bool {
    let account = arn.split(':').nth(4).unwrap_or_default();
    !account.is_empty()
        && (name == account
            || name
                .strip_suffix(":root")
                .and_then(|n| n.strip_suffix(account))
                .is_some_and(|prefix| prefix.starts_with("arn:") && prefix.ends_with(":iam::")))
}

impl Principals {
    fn parse(object: &Map<String, Value>) -> Result<Option<Self>, String> {
        let (key, value, complement) = match (object.get("Principal"), object.get("NotPrincipal")) {
            (Some(_), Some(_)) => return Err(" has both Principal and NotPrincipal".to_owned()),
            (Some(value), None) => ("Principal", value, false),
            (None, Some(value)) => ("NotPrincipal", value, true),
            (None, None) => return Ok(None),
        };
        let names = match value {
            Value::String(all) if all == "*" => vec![all.clone()],
            Value::Object(kinds) if !kinds.is_empty() => {
                let mut names = Vec::new();
                for (kind, value) in kinds {
                    if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) {
                        return Err(format!(
                            ".{key} must name AWS, Service, Federated or CanonicalUser, not \"{kind}\""
                        ));
                    }
                    let some = texts(value)
                        .ok_or_else(|| format!(".{key}.{kind} must be a string or a list of strings"))?;
                    names.extend(some);
                }
                names
            }
            other => return Err(format!(".{key} must be \"*\" or an object, not {other}")),
        };
        Ok(Some(Self { complement, names }))
    }

    fn reach(&self, principal: &Principal<'_>) -> Reach {
        let reach = |name: &str| match principal {
            _ if name == "*" => Reach::Direct,
            Principal::Iam(arns) if arns.contains(&name) => Reach::Direct,
            Principal::Iam(arns) if arns.iter().any(|arn| is_account(name, arn)) => Reach::Account,
            Principal::Service(service) if name == *service => Reach::Direct,
            _ => Reach::None,
        };
        let reaches = || self.names.iter().map(|name| reach(name));
        let direct = reaches().any(|r| r == Reach::Direct);
        match (self.complement, direct) {
            (true, _) if reaches().any(|r| r != Reach::None) => Reach::None,
            (true, _) | (false, true) => Reach::Direct,
            (false, false) if reaches().any(|r| r == Reach::Account) => Reach::Account,
            (false, false) => Reach::None,
        }
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn known(object: &Map<String, Value>, names: &[&str], dot: &str) -> Result<(), String> {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(format!("{dot}{key} is not an element of a policy; one of {} is", names.join(", "))),
        None => Ok(()),
    }
}
