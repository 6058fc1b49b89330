//! Typed values and the intrinsic functions they become.

use constructs::{Arn, Parameter, Piece, Predicate, Stack, Val, pseudo, text};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::evaluate;

fn json<T>(value: &Val<T>) -> Value {
    serde_json::to_value(value.node()).unwrap()
}

#[test]
fn literals_are_plain_json() {
    assert_eq!(json(&Val::<String>::from("x")), json!("x"));
    assert_eq!(json(&Val::<u32>::from(7)), json!(7));
    assert_eq!(json(&Val::<bool>::from(true)), json!(true));
    assert_eq!(
        json(&Val::from(vec![Val::<String>::from("a"), pseudo::region()])),
        json!(["a", {"Ref": "AWS::Region"}])
    );
}

#[test]
fn text_of_literals_alone_needs_no_function() {
    let value: Val<String> = text!["a", "", "b"];
    assert_eq!(json(&value), json!("ab"));
}

#[test]
fn text_of_one_value_is_that_value() {
    let value: Val<Arn> = text![pseudo::stack_id()];
    assert_eq!(json(&value), json!({"Ref": "AWS::StackId"}));
}

#[test]
fn text_within_text_becomes_one_substitution() {
    let host: Val<String> = text![pseudo::region(), ".", "example"];
    let value: Val<String> = text!["https://", &host, "/${path}"];
    assert_eq!(json(&value), json!({"Fn::Sub": "https://${AWS::Region}.example/${!path}"}));
}

#[test]
fn what_a_substitution_cannot_say_is_joined() {
    let id = pseudo::stack_id().split("/").select(2);
    let value: Val<String> = text!["prefix-", id];
    assert_eq!(
        json(&value),
        json!({"Fn::Join": ["", ["prefix-", {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}]]})
    );
}

#[test]
fn what_a_substitution_would_misread_is_joined() {
    for unclear in ["${", "a ${ b", "${}", "${!x}", "${a b}", "${${x}}", "${x"] {
        let value: Val<String> = text![unclear, pseudo::region()];
        assert_eq!(json(&value), json!({"Fn::Join": ["", [unclear, {"Ref": "AWS::Region"}]]}));
    }
}

#[test]
fn lists_are_joined() {
    let mut stack = Stack::new("");
    let list = stack.parameter("Sizes", &Parameter::<Vec<u32>>::new("").default([1, 2]));
    assert_eq!(json(&list.join(",")), json!({"Fn::Join": [",", {"Ref": "Sizes"}]}));
}

#[test]
fn conditions_choose_values() {
    let mut stack = Stack::new("");
    let name = stack.parameter("Name", &Parameter::<String>::new("").default(""));
    let given = stack.condition("Given", Predicate::is_given(&name));
    assert_eq!(json(&Val::<u32>::if_else(&given, 2, 1)), json!({"Fn::If": ["Given", 2, 1]}));
    assert_eq!(
        json(&Val::only_if(&given, &name)),
        json!({"Fn::If": ["Given", {"Ref": "Name"}, {"Ref": "AWS::NoValue"}]})
    );
}

#[test]
fn predicates_combine() {
    let mut stack = Stack::new("");
    let a = stack.parameter("A", &Parameter::<String>::new("").default(""));
    let b = stack.parameter("B", &Parameter::<Vec<String>>::new("").default([]));
    let both = Predicate::is_given(&a).and(Predicate::any_given(&b));
    let condition = stack.condition("Both", both.clone().or(both.negated()));
    stack.output("O", "", &Val::<String>::if_else(&condition, "x", "y"));
    stack.add("Group", constructs::logs::LogGroup { name: "g".into(), retention_in_days: 1.into() });

    let template: Value = serde_json::from_str(&stack.synth().unwrap().to_json()).unwrap();
    let given = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "A"}, ""]}]});
    let any = json!({"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "B"}]}, ""]}]});
    let both = json!({"Fn::And": [given, any]});
    assert_eq!(template["Conditions"]["Both"], json!({"Fn::Or": [both, {"Fn::Not": [both]}]}));
}

proptest! {
    /// Whatever the pieces, dollars and braces included, the text that CloudFormation makes of them is what was meant.
    #[test]
    fn text_means_what_it_says(pieces in prop::collection::vec(prop_oneof![
        "[a$!]{0,3}(\\$\\{[a!]{0,2}\\})?".prop_map(|text| (Piece::from(text.clone()), text)),
        Just((Piece::from(pseudo::region()), "<AWS::Region>".to_owned())),
        Just((
            Piece::from(pseudo::stack_id().split("/").select(2)),
            r#"<{"Fn::Select":[2,{"Fn::Split":["/",{"Ref":"AWS::StackId"}]}]}>"#.to_owned(),
        )),
    ], 0..6)) {
        let (pieces, meant): (Vec<Piece>, Vec<String>) = pieces.into_iter().unzip();
        let value = Val::<String>::concat(pieces);
        prop_assert_eq!(evaluate::text(&json(&value)), meant.concat());
    }
}
