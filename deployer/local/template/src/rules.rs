//! `Rules`: what must be true of the parameters' values together before anything is made.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Template;
use crate::eval::{Nothing, Pseudo, Scope, scalar};
use crate::function::Function;
use crate::parameters::Declaration;
use crate::references::{Conditions, Reference, references};

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `RuleCondition`: where it is false, the rule asserts nothing.
    pub condition: Option<Value>,
    /// `Assertions`, each with its description.
    pub assertions: Vec<(Value, Option<String>)>,
}

impl Rule {
    /// Reads a rule. Its functions may refer to parameters and pseudo parameters only.
    ///
    /// # Errors
    /// The message of AWS's `ValidationError`.
    pub fn parse(
        name: &str,
        body: &Value,
        parameters: &BTreeMap<String, Declaration>,
    ) -> Result<Self, String> {
        let at = format!("Template format error: [/Rules/{name}]");
        let known = |members: &Map<String, Value>, known: [&str; 2]| match members
            .keys()
            .find(|member| !known.contains(&member.as_str()))
        {
            Some(member) => Err(format!("{at} Invalid rule property '{member}'")),
            None => Ok(()),
        };
        let Value::Object(body) = body else {
            return Err(format!("{at} Every Rules member must be an object."));
        };
        known(body, ["RuleCondition", "Assertions"])?;
        let condition = body.get("RuleCondition").cloned();
        let Some(Value::Array(all)) = body.get("Assertions") else {
            return Err(format!("{at} Every Rules member must contain a list of Assertions."));
        };
        let mut assertions = Vec::new();
        for assertion in all {
            let Value::Object(members) = assertion else {
                return Err(format!("{at} Every Assertions member must be an object."));
            };
            known(members, ["Assert", "AssertDescription"])?;
            let Some(assert) = members.get("Assert") else {
                return Err(format!("{at} Every Assertions member must contain an Assert."));
            };
            let description = match members.get("AssertDescription") {
                None => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(_) => return Err(format!("{at} AssertDescription must be a string.")),
            };
            assertions.push((assert.clone(), description));
        }
        for test in condition.iter().chain(assertions.iter().map(|(assert, _)| assert)) {
            Test::of(test)?.check(parameters).map_err(|message| format!("{at} {message}"))?;
        }
        Ok(Self { condition, assertions })
    }
}

/// Checks the values of the parameters against the rules.
///
/// # Errors
/// The first assertion that does not hold, with its description.
pub fn check(
    template: &Template,
    parameters: &BTreeMap<String, String>,
    pseudo: &Pseudo,
) -> Result<(), String> {
    let conditions = Conditions::new();
    let scope = Scope { template, parameters, conditions: &conditions, pseudo, lookup: &Nothing };
    for (name, rule) in &template.rules {
        if let Some(condition) = &rule.condition
            && !Test::of(condition)?.holds(&scope)?
        {
            continue;
        }
        for (assert, description) in &rule.assertions {
            if !Test::of(assert)?.holds(&scope)? {
                let what = description.clone().unwrap_or_else(|| assert.to_string());
                return Err(format!("Template error: the parameters do not satisfy the rule {name}: {what}"));
            }
        }
    }
    Ok(())
}

/// A function of rules that is true or false.
enum Test<'v> {
    All(Vec<Test<'v>>),
    Any(Vec<Test<'v>>),
    Not(Box<Test<'v>>),
    Equals(&'v Value, &'v Value),
    /// The second is one of the first.
    Contains(&'v Value, &'v Value),
    /// Each of the first is the second.
    EachEquals(&'v Value, &'v Value),
    /// Each of the first is one of the second.
    EachIn(&'v Value, &'v Value),
}

const FUNCTIONS: &str =
    "Fn::And, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Equals, Fn::Not, Fn::Or, Ref";

impl<'v> Test<'v> {
    fn of(value: &'v Value) -> Result<Self, String> {
        let members = value.as_object().filter(|members| members.len() == 1);
        let Some((name, argument)) = members.and_then(|members| members.iter().next()) else {
            return Err(format!(
                "Template format error: {value} is neither true nor false; use one of {FUNCTIONS}"
            ));
        };
        let pair = || match argument.as_array().map(Vec::as_slice) {
            Some([first, second]) => Ok((first, second)),
            _ => Err(format!("Template error: every {name} object requires a list of 2 parameters.")),
        };
        match name.as_str() {
            "Fn::Contains" => pair().map(|(all, one)| Self::Contains(all, one)),
            "Fn::EachMemberEquals" => pair().map(|(all, one)| Self::EachEquals(all, one)),
            "Fn::EachMemberIn" => pair().map(|(all, those)| Self::EachIn(all, those)),
            "Fn::RefAll" | "Fn::ValueOf" | "Fn::ValueOfAll" => Err(format!(
                "Template format error: {name} is not known to the local endpoint, which has no VPCs and hosted zones; \
                 use one of {FUNCTIONS}"
            )),
            _ => match Function::of(value)? {
                Some(Function::And(all)) => {
                    Ok(Self::All(all.iter().map(Self::of).collect::<Result<_, _>>()?))
                }
                Some(Function::Or(all)) => Ok(Self::Any(all.iter().map(Self::of).collect::<Result<_, _>>()?)),
                Some(Function::Not(one)) => Ok(Self::Not(Box::new(Self::of(one)?))),
                Some(Function::Equals(left, right)) => Ok(Self::Equals(left, right)),
                _ => Err(format!("Template format error: Rules know no {name}; use one of {FUNCTIONS}")),
            },
        }
    }

    /// Values are texts, lists, and references to parameters.
    fn check(&self, parameters: &BTreeMap<String, Declaration>) -> Result<(), String> {
        const PSEUDO: [&str; 4] = ["AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::URLSuffix"];
        let (left, right) = match self {
            Self::All(all) | Self::Any(all) => return all.iter().try_for_each(|test| test.check(parameters)),
            Self::Not(one) => return one.check(parameters),
            Self::Equals(left, right)
            | Self::Contains(left, right)
            | Self::EachEquals(left, right)
            | Self::EachIn(left, right) => (left, right),
        };
        for value in [left, right] {
            if let Some(function) = Function::of(value)?.filter(|f| !matches!(f, Function::Ref(_))) {
                return Err(format!("a value of a rule is a text, a list or a Ref, not {function:?}"));
            }
            for reference in references(value, None)? {
                match reference {
                    Reference::Name(name) if parameters.contains_key(name) || PSEUDO.contains(&name) => {}
                    other => {
                        return Err(format!(
                            "Unresolved dependencies [{}]. Cannot reference resources in the Rules block of the template",
                            other.name()
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn holds(&self, scope: &Scope<'_>) -> Result<bool, String> {
        let texts = |value| Ok::<_, String>(texts(scope.value(value)?));
        Ok(match self {
            // Each is evaluated, so that what is wrong with any of them is told.
            Self::All(all) => {
                all.iter().try_fold(true, |so_far, test| Ok::<_, String>(test.holds(scope)? && so_far))?
            }
            Self::Any(all) => {
                all.iter().try_fold(false, |so_far, test| Ok::<_, String>(test.holds(scope)? || so_far))?
            }
            Self::Not(one) => !one.holds(scope)?,
            Self::Equals(left, right) => texts(left)? == texts(right)?,
            Self::Contains(all, one) => {
                let all = texts(all)?;
                texts(one)?.iter().all(|text| all.contains(text))
            }
            Self::EachEquals(all, one) => {
                let one = texts(one)?;
                texts(all)?.iter().all(|text| one.iter().eq([text]))
            }
            Self::EachIn(all, those) => {
                let those = texts(those)?;
                texts(all)?.iter().all(|text| those.contains(text))
            }
        })
    }
}

/// A value as the list of its texts; a text alone is a list of one.
fn texts(value: Option<Value>) -> Vec<String> {
    let text = |value: &Value| scalar(value).unwrap_or_else(|| value.to_string());
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        Some(one) => vec![text(&one)],
    }
}
