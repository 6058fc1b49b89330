//! The template language.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use template::eval::{Lookup, Pseudo, Scope, conditions};
use template::graph::graph;
use template::parameters::{Given, resolve};
use template::{Template, Types, parse, rules};

/// One type with two attributes.
struct Things;

impl Types for Things {
    fn known(&self, kind: &str) -> bool {
        kind == "Test::Plain::Thing"
    }
    fn attribute(&self, _kind: &str, attribute: &str) -> bool {
        ["Arn", "Value"].contains(&attribute)
    }
    fn capability(&self, _kind: &str, _properties: &Value) -> Option<&'static str> {
        None
    }
}

fn read(template: &Value) -> Result<Template, String> {
    parse::parse(&template.to_string(), &Things)
}

struct Fixed;

impl Lookup for Fixed {
    fn reference(&self, resource: &str) -> Result<Value, String> {
        Ok(format!("id-of-{resource}").into())
    }
    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value, String> {
        Ok(format!("{attribute}-of-{resource}").into())
    }
    fn import(&self, name: &str) -> Result<Value, String> {
        Ok(format!("import-of-{name}").into())
    }
}

/// Evaluates a value as the property `Value` of a resource, with parameters, mappings and conditions around it.
fn evaluate(value: &Value) -> Result<Option<Value>, String> {
    let template = json!({
        "Parameters": {
            "Text": {"Type": "String", "Default": "text"},
            "Number": {"Type": "Number", "Default": 7},
            "List": {"Type": "CommaDelimitedList", "Default": "a, b,c"},
            "Empty": {"Type": "CommaDelimitedList", "Default": ""},
        },
        "Mappings": {"Map": {"eu-west-1": {"one": "1", "many": ["x", "y"]}}},
        "Conditions": {
            "Yes": {"Fn::Equals": [{"Ref": "Text"}, "text"]},
            "No": {"Fn::Not": [{"Condition": "Yes"}]},
            "Number": {"Fn::Equals": [{"Ref": "Number"}, 7]},
            "All": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "Number"}]},
            "Any": {"Fn::Or": [{"Condition": "No"}, {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}]},
        },
        "Resources": {
            "A": {"Type": "Test::Plain::Thing", "Properties": {"Value": value}},
            "B": {"Type": "Test::Plain::Thing"},
        },
    });
    let template = read(&template)?;
    let parameters = resolve(&template.parameters, &BTreeMap::new(), &BTreeMap::new())?;
    let pseudo = Pseudo {
        account: "000000000000".into(),
        region: "eu-west-1".into(),
        stack_id: "arn:stack".into(),
        stack_name: "name".into(),
        notification_arns: vec!["arn:topic".into()],
    };
    let conditions = conditions(&template, &parameters, &pseudo)?;
    let scope = Scope {
        template: &template,
        parameters: &parameters,
        conditions: &conditions,
        pseudo: &pseudo,
        lookup: &Fixed,
    };
    let properties = scope.value(&template.resources["A"].properties)?.unwrap();
    Ok(properties.get("Value").cloned())
}

#[test]
fn functions_give_what_aws_gives() {
    for (value, result) in [
        (json!({"Ref": "Text"}), json!("text")),
        (json!({"Ref": "Number"}), json!("7")),
        (json!({"Ref": "List"}), json!(["a", "b", "c"])),
        (json!({"Ref": "Empty"}), json!([])),
        (json!({"Ref": "B"}), json!("id-of-B")),
        (json!({"Ref": "AWS::AccountId"}), json!("000000000000")),
        (json!({"Ref": "AWS::Region"}), json!("eu-west-1")),
        (json!({"Ref": "AWS::StackId"}), json!("arn:stack")),
        (json!({"Ref": "AWS::StackName"}), json!("name")),
        (json!({"Ref": "AWS::Partition"}), json!("aws")),
        (json!({"Ref": "AWS::URLSuffix"}), json!("amazonaws.com")),
        (json!({"Ref": "AWS::NotificationARNs"}), json!(["arn:topic"])),
        (json!({"Fn::GetAtt": ["B", "Arn"]}), json!("Arn-of-B")),
        (json!({"Fn::GetAtt": "B.Arn"}), json!("Arn-of-B")),
        (
            json!({"Fn::Sub": "${Text} ${B} ${B.Arn} ${!Text} ${AWS::Region} $ {x} ${"}),
            json!("text id-of-B Arn-of-B ${Text} eu-west-1 $ {x} ${"),
        ),
        (json!({"Fn::Sub": ["${Own}-${Text}-${Number}", {"Own": {"Ref": "B"}}]}), json!("id-of-B-text-7")),
        (json!({"Fn::Join": ["-", ["a", {"Ref": "Text"}, 3]]}), json!("a-text-3")),
        (json!({"Fn::Join": [",", {"Ref": "List"}]}), json!("a,b,c")),
        (json!({"Fn::Select": [1, {"Ref": "List"}]}), json!("b")),
        (json!({"Fn::Select": ["0", ["x", {"Ref": "AWS::NoValue"}]]}), json!("x")),
        (json!({"Fn::Split": [":", "a:b"]}), json!(["a", "b"])),
        (json!({"Fn::Select": [2, {"Fn::Split": ["-", {"Fn::Sub": "a-b-${Text}"}]}]}), json!("text")),
        (json!({"Fn::FindInMap": ["Map", {"Ref": "AWS::Region"}, "one"]}), json!("1")),
        (json!({"Fn::FindInMap": ["Map", "eu-west-1", "many"]}), json!(["x", "y"])),
        (json!({"Fn::Base64": "hello"}), json!("aGVsbG8=")),
        (json!({"Fn::ImportValue": {"Fn::Sub": "${Text}-x"}}), json!("import-of-text-x")),
        (json!({"Fn::GetAZs": ""}), json!(["eu-west-1a", "eu-west-1b", "eu-west-1c"])),
        (json!({"Fn::If": ["Yes", "then", "else"]}), json!("then")),
        (json!({"Fn::If": ["No", "then", {"Ref": "Text"}]}), json!("text")),
        (json!({"Fn::If": ["All", 1, 2]}), json!(1)),
        (json!({"Fn::If": ["Any", 1, 2]}), json!(1)),
        (
            json!([1, {"Fn::If": ["Yes", {"Ref": "AWS::NoValue"}, 2]}, {"a": {"Ref": "AWS::NoValue"}}]),
            json!([1, {}]),
        ),
        (
            json!({"Condition": {"StringEquals": {"a": "b"}}}),
            json!({"Condition": {"StringEquals": {"a": "b"}}}),
        ),
    ] {
        assert_eq!(evaluate(&value), Ok(Some(result)), "{value}");
    }
    assert_eq!(evaluate(&json!({"Ref": "AWS::NoValue"})), Ok(None));
}

#[test]
fn wrong_functions_are_refused_in_awss_words() {
    for (value, message) in [
        (json!({"Ref": 1}), "Every Ref must be a string"),
        (json!({"Ref": "X"}), "Unresolved resource dependencies [X] in the Resources block of the template"),
        (json!({"Ref": "AWS::Nothing"}), "Unresolved resource dependencies [AWS::Nothing]"),
        (json!({"Fn::GetAtt": ["X", "Arn"]}), "instance of Fn::GetAtt references undefined resource X"),
        (json!({"Fn::GetAtt": ["B", "X"]}), "resource B does not support attribute type X in Fn::GetAtt"),
        (json!({"Fn::GetAtt": ["B"]}), "every Fn::GetAtt object requires two non-empty parameters"),
        (json!({"Fn::Sub": "${X}"}), "Unresolved resource dependencies [X]"),
        (json!({"Fn::Sub": "${B.X}"}), "resource B does not support attribute type X"),
        (json!({"Fn::Sub": "${a b}"}), "variable names in Fn::Sub syntax must contain only alphanumeric"),
        (json!({"Fn::Sub": 1}), "Fn::Sub intrinsic functions don't specify expected arguments"),
        (json!({"Fn::Sub": "${List}"}), "the variable List of Fn::Sub is not a string"),
        (json!({"Fn::Join": ["-", "a"]}), "every Fn::Join object requires two parameters"),
        (json!({"Fn::Join": ["-", {"Ref": "Text"}]}), "Fn::Join needs a list"),
        (
            json!({"Fn::Select": [9, {"Ref": "List"}]}),
            "Fn::Select cannot select nonexistent value at index 9",
        ),
        (json!({"Fn::Select": [1]}), "Fn::Select requires a list argument with two elements"),
        (json!({"Fn::Split": ["", "a"]}), "every Fn::Split object requires two parameters"),
        (json!({"Fn::FindInMap": ["X", "a", "b"]}), "Mapping named 'X' is not present"),
        (json!({"Fn::FindInMap": ["Map", "a", "b"]}), "Unable to get mapping for Map::a::b"),
        (json!({"Fn::If": ["X", 1, 2]}), "Unresolved condition dependency X in the Resources block"),
        (json!({"Fn::If": ["Yes", 1]}), "Fn::If requires a list argument with three elements"),
        (json!({"Fn::Equals": ["a", "a"]}), "can be used in the Conditions block only"),
        (
            json!({"Fn::Nothing": 1}),
            "Encountered unsupported function: Fn::Nothing Supported functions are: [",
        ),
        (json!({"Fn::Join": ["", []], "x": 1}), "Fn::Join must be the only member of its object"),
        (json!("{{resolve:ssm:name}}"), "dynamic reference"),
        (json!({"Ref": "A"}), "Circular dependency between resources: [A]"),
        (json!([null]), "[/Resources/A/Properties/Value/0] 'null' values are not allowed in templates"),
    ] {
        let error = evaluate(&value).unwrap_err();
        assert!(error.contains(message), "{value}: {error}");
    }
}

#[test]
fn wrong_templates_are_refused_in_awss_words() {
    let a = json!({"Type": "Test::Plain::Thing"});
    let with = |name: &str, value: Value| {
        let mut template = json!({ "Resources": {"A": a} });
        template[name] = value;
        template
    };
    let resource = |name: &str, value: Value| {
        let mut template = with("Description", "".into());
        template["Resources"]["A"][name] = value;
        template
    };
    for (template, message) in [
        (json!([]), "Template format error: unsupported structure."),
        (json!({}), "Template format error: At least one Resources member must be defined."),
        (json!({"Resources": {}}), "Template format error: At least one Resources member must be defined."),
        (with("Resource", json!({})), "Invalid template property or properties [Resource]"),
        (with("Transform", json!("x")), "Template format error: the section Transform is not known"),
        (with("AWSTemplateFormatVersion", json!("2011-01-01")), "2011-01-01 is not a supported value"),
        (with("Description", json!(1)), "Template format error: 'Description' must be a string."),
        (with("Parameters", json!([])), "[/Parameters] 'Parameters' must be an object."),
        (with("Parameters", json!({"a-b": {}})), "Parameter name a-b is non alphanumeric."),
        (with("Parameters", json!({"P": {}})), "Every Parameters object must contain a Type member."),
        (with("Parameters", json!({"P": {"Type": "Text"}})), "Unrecognized parameter type: Text"),
        (
            with("Parameters", json!({"P": {"Type": "AWS::SSM::Parameter::Value<Number>"}})),
            "Unrecognized parameter type: AWS::SSM::Parameter::Value<Number>",
        ),
        (with("Rules", json!({"R": {"Assertions": [{}]}})), "must contain an Assert."),
        (with("Rules", json!({"R": {"Assert": []}})), "[/Rules/R] Invalid rule property 'Assert'"),
        (with("Rules", json!({"R": {"Assertions": [{"Assert": "x"}]}})), "is neither true nor false"),
        (
            with("Rules", json!({"R": {"Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "A"}, "x"]}}]}})),
            "Unresolved dependencies [A]. Cannot reference resources in the Rules block",
        ),
        (
            with(
                "Rules",
                json!({"R": {"Assertions": [{"Assert": {"Fn::Contains": [{"Fn::RefAll": "X"}, "x"]}}]}}),
            ),
            "unsupported function: Fn::RefAll",
        ),
        (
            with("Rules", json!({"R": {"Assertions": [{"Assert": {"Fn::ValueOf": ["P", "VpcId"]}}]}})),
            "Fn::ValueOf is not known to the local endpoint",
        ),
        (
            with("Parameters", json!({"P": {"Type": "String", "Min": 1}})),
            "Invalid template parameter property 'Min'",
        ),
        (
            with("Parameters", json!({"P": {"Type": "Number", "Default": "x"}})),
            "Parameter 'P' must be a number.",
        ),
        (
            with("Mappings", json!({"M": {"a": {"b": {}}}})),
            "Every Mappings attribute must be a String or a List.",
        ),
        (with("Conditions", json!({"C": "x"})), "Conditions can only be boolean operations"),
        (
            with("Conditions", json!({"C": {"Fn::Equals": [{"Ref": "A"}, "x"]}})),
            "Unresolved dependencies [A]",
        ),
        (
            with("Conditions", json!({"C": {"Condition": "D"}})),
            "Unresolved condition dependency D in the Conditions",
        ),
        (
            with("Conditions", json!({"C": {"Fn::Not": [1, 2]}})),
            "every Fn::Not object requires one boolean parameter",
        ),
        (with("Conditions", json!({"C": {"Fn::And": [1]}})), "a list of at least 2 and at most 10"),
        (with("Outputs", json!({"O": {}})), "Every Outputs member must contain a Value object"),
        (with("Outputs", json!({"O": {"Value": {"Ref": "X"}}})), "dependencies [X] in the Outputs block"),
        (with("Outputs", json!({"O": {"Value": "", "Condition": "C"}})), "dependency C in the Outputs block"),
        (with("Outputs", json!({"O": {"Value": "", "Name": "x"}})), "Invalid output property 'Name'"),
        (
            json!({"Resources": {"A": {}}}),
            "[/Resources/A] Every Resources object must contain a Type member.",
        ),
        (json!({"Resources": {"A-1": a}}), "Resource name A-1 is non alphanumeric."),
        (
            json!({"Resources": {"A": {"Type": "T::B"}, "B": {"Type": "T::A"}}}),
            "Unrecognized resource types: [T::A, T::B]",
        ),
        (resource("Propertys", json!({})), "Invalid template resource property 'Propertys'"),
        (resource("DependsOn", json!("X")), "Unresolved resource dependencies [X] in the Resources block"),
        (resource("DependsOn", json!(1)), "DependsOn must be a string or list of strings."),
        (resource("DependsOn", json!("A")), "Circular dependency between resources: [A]"),
        (resource("Condition", json!("C")), "Unresolved condition dependency C in the Resources block"),
        (resource("DeletionPolicy", json!("Snapshot")), "does not support deletion policy Snapshot"),
        (resource("DeletionPolicy", json!("Keep")), "Unrecognized DeletionPolicy Keep for resource A"),
        (resource("UpdatePolicy", json!({})), "UpdatePolicy is not known to the local endpoint"),
    ] {
        let error = read(&template).unwrap_err();
        assert!(error.contains(message), "{template}: {error}");
    }
    let error = parse::parse("{\n  \"Resources\": {,}\n}", &Things).unwrap_err();
    assert_eq!(error, "Template format error: JSON not well-formed. (line 2, column 17)");
}

#[test]
fn a_cycle_names_its_resources() {
    let refers = |to: &str| json!({"Type": "Test::Plain::Thing", "Properties": {"Value": {"Fn::Sub": format!("${{{to}}}")}}});
    let template = json!({"Resources": {"A": refers("B"), "B": refers("C"), "C": refers("A"), "D": {"Type": "Test::Plain::Thing"}}});
    assert_eq!(read(&template).unwrap_err(), "Circular dependency between resources: [A, B, C]");
}

#[test]
fn conditions_made_of_each_other_are_refused() {
    let template = json!({
        "Conditions": {"C": {"Fn::Not": [{"Condition": "D"}]}, "D": {"Fn::Not": [{"Condition": "C"}]}},
        "Resources": {"A": {"Type": "Test::Plain::Thing"}},
    });
    let error = conditions(&read(&template).unwrap(), &BTreeMap::new(), &Pseudo::default()).unwrap_err();
    assert!(error.contains("circular condition dependency"), "{error}");
}

/// Whether values satisfy one assertion, with a parameter `P` and a list `L` of `a` and `b`.
fn rule(rule: &Value, p: &str) -> Result<(), String> {
    let template = read(&json!({
        "Parameters": {
            "P": {"Type": "String"},
            "L": {"Type": "CommaDelimitedList", "Default": "a,b"},
        },
        "Rules": {"R": rule},
        "Resources": {"A": {"Type": "Test::Plain::Thing"}},
    }))?;
    let given = BTreeMap::from([("P".to_owned(), Given::Value(p.to_owned()))]);
    let values = resolve(&template.parameters, &given, &BTreeMap::new())?;
    let pseudo = Pseudo { region: "eu-west-1".to_owned(), ..Pseudo::default() };
    rules::check(&template, &values, &pseudo)
}

#[test]
fn rules_hold_values_against_each_other() {
    for (assert, p, holds) in [
        (json!({"Fn::Contains": [["1", "2"], {"Ref": "P"}]}), "2", true),
        (json!({"Fn::Contains": [["1", "2"], {"Ref": "P"}]}), "3", false),
        (json!({"Fn::Contains": [{"Ref": "L"}, {"Ref": "P"}]}), "b", true),
        (json!({"Fn::Not": [{"Fn::Contains": [["1"], {"Ref": "P"}]}]}), "1", false),
        (json!({"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "P"}]}), "eu-west-1", true),
        (json!({"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "P"}]}), "us-east-1", false),
        (json!({"Fn::EachMemberIn": [{"Ref": "L"}, ["a", "b", "c"]]}), "", true),
        (json!({"Fn::EachMemberIn": [{"Ref": "L"}, ["a", "c"]]}), "", false),
        (json!({"Fn::EachMemberEquals": [["x", "x"], {"Ref": "P"}]}), "x", true),
        (json!({"Fn::EachMemberEquals": [{"Ref": "L"}, {"Ref": "P"}]}), "a", false),
        (json!({"Fn::And": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": [{"Ref": "P"}, "x"]}]}), "y", false),
        (json!({"Fn::Or": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": [{"Ref": "P"}, "x"]}]}), "y", true),
    ] {
        let body = json!({"Assertions": [{"Assert": assert, "AssertDescription": "say why"}]});
        let found = rule(&body, p);
        assert_eq!(found.is_ok(), holds, "{assert} for {p}: {found:?}");
        if let Err(message) = found {
            assert!(message.ends_with("the rule R: say why"), "{message}");
        }
        // A rule whose condition is false asserts nothing.
        let condition = json!({"Fn::Equals": ["a", "b"]});
        assert_eq!(rule(&json!({"RuleCondition": condition, "Assertions": [{"Assert": assert}]}), p), Ok(()));
    }
}

#[test]
fn a_parameter_may_name_one_of_the_parameter_store() {
    let template = read(&json!({
        "Parameters": {
            "One": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/one", "AllowedPattern": "/.*"},
            "Many": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/a,b"},
            "Name": {"Type": "AWS::SSM::Parameter::Name", "Default": "/name"},
        },
        "Resources": {"A": {"Type": "Test::Plain::Thing"}},
    }))
    .unwrap();
    let of = |name: &str| {
        let declared = &template.parameters[name];
        (declared.names_stored(), declared.is_stored(), declared.value("x,y"))
    };
    assert_eq!(of("One"), (true, true, json!("x,y")));
    assert_eq!(of("Many"), (true, true, json!(["x", "y"])));
    assert_eq!(of("Name"), (true, false, json!("x,y")));
}

fn parameter(declaration: Value, value: Option<&str>) -> Result<String, String> {
    let template =
        json!({"Parameters": {"P": declaration}, "Resources": {"A": {"Type": "Test::Plain::Thing"}}});
    let template = read(&template)?;
    let given = value.map(|v| ("P".to_owned(), Given::Value(v.to_owned()))).into_iter().collect();
    Ok(resolve(&template.parameters, &given, &BTreeMap::new())?["P"].clone())
}

#[test]
fn parameters_are_held_to_their_constraints() {
    for (declaration, value, result) in [
        (json!({"Type": "String"}), Some("x"), Ok("x")),
        (json!({"Type": "String", "Default": "d"}), None, Ok("d")),
        (json!({"Type": "String"}), None, Err("Parameters: [P] must have values")),
        (json!({"Type": "Number", "Default": 5, "MinValue": 1}), None, Ok("5")),
        (json!({"Type": "Number"}), Some("x"), Err("Parameter 'P' must be a number.")),
        (
            json!({"Type": "Number", "MinValue": 10}),
            Some("9"),
            Err("Parameter 'P' must be a number not less than 10"),
        ),
        (
            json!({"Type": "Number", "MaxValue": "900"}),
            Some("901"),
            Err("Parameter 'P' must be a number not greater than 900"),
        ),
        (
            json!({"Type": "String", "AllowedValues": ["a", "b"]}),
            Some("c"),
            Err("Parameter 'P' must be one of AllowedValues"),
        ),
        (
            json!({"Type": "String", "AllowedPattern": "[a-z]+"}),
            Some("ab1"),
            Err("Parameter 'P' must match pattern [a-z]+"),
        ),
        (
            json!({"Type": "String", "AllowedPattern": "a|b"}),
            Some("ax"),
            Err("Parameter 'P' must match pattern a|b"),
        ),
        (
            json!({"Type": "String", "MinLength": 3}),
            Some("ab"),
            Err("Parameter 'P' must contain at least 3 characters"),
        ),
        (
            json!({"Type": "String", "MaxLength": 1}),
            Some("ab"),
            Err("Parameter 'P' must contain at most 1 characters"),
        ),
        (
            json!({"Type": "String", "MaxLength": 1, "ConstraintDescription": "one letter"}),
            Some("ab"),
            Err("Parameter P failed to satisfy constraint: one letter"),
        ),
        (json!({"Type": "List<Number>"}), Some("1,2, 3"), Ok("1,2, 3")),
        (json!({"Type": "List<Number>"}), Some("1,x"), Err("Parameter 'P' must be a number.")),
        (
            json!({"Type": "CommaDelimitedList", "AllowedValues": ["a"]}),
            Some("a,b"),
            Err("Parameter 'P' must be one of AllowedValues"),
        ),
    ] {
        let expected = result.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(parameter(declaration.clone(), value), expected, "{declaration}");
    }
    let given = BTreeMap::from([("Q".to_owned(), Given::Value(String::new()))]);
    assert_eq!(
        resolve(&BTreeMap::new(), &given, &BTreeMap::new()).unwrap_err(),
        "Parameters: [Q] do not exist in the template"
    );
}

#[test]
fn yaml_means_the_same_as_json() {
    let yaml = r#"
AWSTemplateFormatVersion: 2010-09-09
Description: >
  folded
Parameters:
  P: {Type: Number, Default: 3}
Conditions:
  C: !Equals [!Ref P, 3]
  D: !Not [!Condition C]
Resources:
  A:
    Type: Test::Plain::Thing
    DependsOn: [B]
    Properties:
      Name: !Sub "${AWS::StackName}-a"
      Count: 007
      Value: !If
        - C
        - !GetAtt B.Arn
        - !Join ["", ["yes", 'true', "1"]]
  B: {Type: "Test::Plain::Thing", Properties: {Count: 7, Value: !Ref AWS::Region}}
"#;
    let json = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "folded\n",
        "Parameters": {"P": {"Type": "Number", "Default": 3}},
        "Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, 3]}, "D": {"Fn::Not": [{"Condition": "C"}]}},
        "Resources": {
            "A": {"Type": "Test::Plain::Thing", "DependsOn": ["B"], "Properties": {
                "Name": {"Fn::Sub": "${AWS::StackName}-a"},
                "Count": "007",
                "Value": {"Fn::If": ["C", {"Fn::GetAtt": ["B", "Arn"]}, {"Fn::Join": ["", ["yes", "true", "1"]]}]},
            }},
            "B": {"Type": "Test::Plain::Thing", "Properties": {"Count": 7, "Value": {"Ref": "AWS::Region"}}},
        },
    });
    let (yaml, json) = (parse::parse(yaml, &Things).unwrap(), read(&json).unwrap());
    assert_eq!(format!("{yaml:?}"), format!("{json:?}"));
    for (text, message) in [
        ("Resources: [", "YAML not well-formed. (line "),
        ("Resources: &a {A: *a}", "aliases are not supported"),
        ("A: 1\nA: 2", "the key 'A' is there twice"),
        ("", "unsupported structure"),
        ("--- {}\n--- {}", "a template is one document"),
    ] {
        let error = parse::parse(text, &Things).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn depth_ends_in_an_error() {
    for text in [format!("A: {}", "[".repeat(100_000)), format!("{{\"A\": {}", "[".repeat(100_000))] {
        assert!(parse::parse(&text, &Things).is_err());
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!("A")),
        Just(json!("P")),
        Just(json!("${A.Arn}-${P}")),
        Just(json!("C")),
        any::<i8>().prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let names = prop::sample::select(vec![
            "Ref",
            "Fn::GetAtt",
            "Fn::Sub",
            "Fn::Join",
            "Fn::Select",
            "Fn::Split",
            "Fn::If",
            "Fn::FindInMap",
            "Fn::Equals",
            "Fn::And",
            "Fn::Not",
            "Fn::Base64",
            "Condition",
            "Type",
            "Properties",
            "Value",
            "Default",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((names, inner), 0..3).prop_map(|members| Value::Object(
                members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn any_template_is_read_or_refused(
        (a, b, c) in (value(), value(), value()),
        section in prop::sample::select(vec!["Parameters", "Mappings", "Conditions", "Outputs", "Metadata"]),
    ) {
        let template = json!({
            "Resources": {"A": {"Type": "Test::Plain::Thing", "Properties": {"Value": a}}},
            section: {"P": b, "C": c},
        });
        let Ok(template) = read(&template) else { return Ok(()) };
        let pseudo = Pseudo::default();
        let parameters = resolve(&template.parameters, &BTreeMap::new(), &BTreeMap::new()).unwrap_or_default();
        let Ok(conditions) = conditions(&template, &parameters, &pseudo) else { return Ok(()) };
        let _ = graph(&template, &conditions);
        let scope = Scope {
            template: &template, parameters: &parameters, conditions: &conditions, pseudo: &pseudo, lookup: &Fixed,
        };
        let _ = scope.value(&template.resources["A"].properties);
    }

    #[test]
    fn any_text_is_read_or_refused(text in r#"[A-Z:{}\[\]"'!&*|> \n-]{0,60}"#) {
        let _ = parse::parse(&text, &Things);
    }
}
