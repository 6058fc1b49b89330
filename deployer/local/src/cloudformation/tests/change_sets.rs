//! Change sets.

use serde_json::{Value, json};

use super::{Cfn, plain};

async fn propose(cfn: &Cfn, kind: &str, template: &Value, parameters: Value) -> Value {
    let input = json!({
        "StackName": "s", "ChangeSetName": "c", "ChangeSetType": kind,
        "TemplateBody": template.to_string(), "Parameters": parameters,
    });
    let answer = cfn.call("CreateChangeSet", input).await.unwrap();
    let input = json!({"ChangeSetName": answer["Id"], "IncludePropertyValues": true});
    cfn.call("DescribeChangeSet", input).await.unwrap()
}

#[tokio::test]
async fn a_stack_is_created_from_a_reviewed_change_set() {
    let cfn = Cfn::new();
    let template =
        json!({"Resources": {"A": plain(json!({"Value": "1"})), "B": plain(json!({"Value": {"Ref": "A"}}))}});
    let set = propose(&cfn, "CREATE", &template, json!([])).await;
    assert_eq!(
        (set["Status"].as_str(), set["ExecutionStatus"].as_str()),
        (Some("CREATE_COMPLETE"), Some("AVAILABLE"))
    );
    let changes = set["Changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    let change = &changes[1]["ResourceChange"];
    assert_eq!((change["Action"].as_str(), change["LogicalResourceId"].as_str()), (Some("Add"), Some("B")));
    assert_eq!(change["AfterContext"], r#"{"Properties":{"Value":"{{changeSet:KNOWN_AFTER_APPLY}}"}}"#);
    assert_eq!(cfn.stack("s").await["StackStatus"], "REVIEW_IN_PROGRESS");
    assert_eq!(cfn.world.log(), Vec::<String>::new());

    cfn.call("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "CREATE_COMPLETE");
    assert_eq!(cfn.stack("s").await["ChangeSetId"], set["ChangeSetId"]);
    let again = cfn.call("ExecuteChangeSet", json!({"ChangeSetName": set["ChangeSetId"]})).await.unwrap_err();
    assert_eq!(again.code, "InvalidChangeSetStatus");
    let listed = cfn.call("ListChangeSets", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(listed["Summaries"], json!([]));
    let message = cfn
        .refused(
            "CreateChangeSet",
            json!({"StackName": "s", "ChangeSetName": "d", "ChangeSetType": "CREATE", "TemplateBody": template.to_string()}),
        )
        .await;
    assert_eq!(message, "Stack [s] already exists and cannot be created again with the changeSet [d].");
}

#[tokio::test]
async fn a_stack_under_review_can_be_withdrawn() {
    let cfn = Cfn::new();
    let template = json!({"Resources": {"A": plain(json!({}))}});
    let set = propose(&cfn, "CREATE", &template, json!([])).await;
    cfn.call("DeleteStack", json!({"StackName": set["StackId"]})).await.unwrap();
    assert_eq!(cfn.settled(set["StackId"].as_str().unwrap()).await, "DELETE_COMPLETE");
    assert_eq!(cfn.settled("s").await, "gone");
    let error =
        cfn.call("DescribeChangeSet", json!({"ChangeSetName": set["ChangeSetId"]})).await.unwrap_err();
    assert_eq!((error.status, error.code.as_str()), (404, "ChangeSetNotFound"));
}

#[tokio::test]
async fn changes_are_told_with_their_causes_and_values() {
    let cfn = Cfn::new();
    let template = |kind: &str, value: &str| {
        json!({
            "Parameters": {"P": {"Type": "String"}},
            "Resources": {
                "Changed": plain(json!({"Value": {"Ref": "P"}, "Count": 3})),
                "Gone": plain(json!({})),
                "Reader": plain(json!({"Value": {"Fn::GetAtt": ["Replaced", "Arn"]}})),
                "Replaced": plain(json!({"Kind": kind, "Value": value})),
                "Same": plain(json!({"Value": {"Ref": "Changed"}})),
            },
        })
    };
    let parameter = |value: &str| json!([{"ParameterKey": "P", "ParameterValue": value}]);
    cfn.create_with(template("1", "v"), json!({"Parameters": parameter("one")})).await;
    let mut next = template("2", "v");
    next["Resources"].as_object_mut().unwrap().remove("Gone");
    next["Resources"]["New"] = plain(json!({}));
    let set = propose(&cfn, "UPDATE", &next, parameter("two")).await;
    let changes: std::collections::BTreeMap<&str, &Value> = set["Changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["ResourceChange"]["LogicalResourceId"].as_str().unwrap(), &c["ResourceChange"]))
        .collect();
    assert_eq!(changes.keys().copied().collect::<Vec<_>>(), ["Changed", "Gone", "New", "Reader", "Replaced"]);

    let changed = changes["Changed"];
    assert_eq!(
        (changed["Action"].as_str(), changed["Replacement"].as_str()),
        (Some("Modify"), Some("False"))
    );
    let target = json!({
        "Attribute": "Properties", "Name": "Value", "Path": "/Properties/Value", "RequiresRecreation": "Never",
        "AttributeChangeType": "Modify", "BeforeValue": "one", "AfterValue": "two",
    });
    assert_eq!(
        changed["Details"],
        json!([
            {"Target": target, "Evaluation": "Dynamic", "ChangeSource": "DirectModification"},
            {
                "Target": target, "Evaluation": "Static", "ChangeSource": "ParameterReference", "CausingEntity": "P",
            },
        ])
    );
    let context = |name: &str| serde_json::from_str::<Value>(changed[name].as_str().unwrap()).unwrap();
    assert_eq!(context("BeforeContext"), json!({"Properties": {"Count": 3, "Value": "one"}}));
    assert_eq!(context("AfterContext"), json!({"Properties": {"Count": 3, "Value": "two"}}));
    let replaced = changes["Replaced"];
    assert_eq!(
        (replaced["Replacement"].as_str(), replaced["PolicyAction"].as_str()),
        (Some("True"), Some("ReplaceAndDelete"))
    );
    assert_eq!(replaced["Details"][0]["ChangeSource"], "DirectModification");
    assert_eq!(replaced["Details"][0]["Target"]["RequiresRecreation"], "Always");
    let told: Vec<[Option<&str>; 3]> = changes["Reader"]["Details"]
        .as_array()
        .unwrap()
        .iter()
        .map(|detail| ["Evaluation", "ChangeSource", "CausingEntity"].map(|member| detail[member].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            [Some("Dynamic"), Some("DirectModification"), None],
            [Some("Static"), Some("ResourceAttribute"), Some("Replaced.Arn")]
        ]
    );
    assert_eq!(
        (changes["Gone"]["Action"].as_str(), changes["New"]["Action"].as_str()),
        (Some("Remove"), Some("Add"))
    );

    // Without asking for them there are no values.
    let plain = cfn.call("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await.unwrap();
    assert!(!plain.to_string().contains("Context") && !plain.to_string().contains("AfterValue"));

    // Other change sets are obsolete once one is executed, and gone when that succeeded.
    let input = json!({"StackName": "s", "ChangeSetName": "d", "TemplateBody": next.to_string(), "Parameters": parameter("2")});
    cfn.call("CreateChangeSet", input).await.unwrap();
    cfn.call("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    let error =
        cfn.call("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": "d"})).await.unwrap_err();
    assert_eq!(error.code, "ChangeSetNotFound");
}

#[tokio::test]
async fn a_change_set_without_changes_says_so() {
    let cfn = Cfn::new();
    let template =
        json!({"Resources": {"A": plain(json!({"Value": "1"}))}, "Outputs": {"O": {"Value": {"Ref": "A"}}}});
    cfn.create_with(template.clone(), json!({})).await;
    let set = propose(&cfn, "UPDATE", &template, json!([])).await;
    assert_eq!(
        (set["Status"].as_str(), set["ExecutionStatus"].as_str()),
        (Some("FAILED"), Some("UNAVAILABLE"))
    );
    assert_eq!(
        set["StatusReason"],
        "The submitted information didn't contain changes. Submit different information to create a change set."
    );
    let error =
        cfn.call("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await.unwrap_err();
    assert_eq!(error.code, "InvalidChangeSetStatus");
    assert!(error.message.ends_with("cannot be executed in its current status of [FAILED]"), "{error}");
    cfn.call("DeleteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await.unwrap();
    assert_eq!(
        cfn.call("DeleteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await,
        Ok(json!({}))
    );
    assert_eq!(cfn.stack("s").await["StackStatus"], "CREATE_COMPLETE");
}

#[tokio::test]
async fn policies_and_metadata_are_changes_of_their_own() {
    let cfn = Cfn::new();
    let mut template = json!({"Resources": {"A": plain(json!({}))}});
    cfn.create_with(template.clone(), json!({})).await;
    template["Resources"]["A"]["DeletionPolicy"] = "Retain".into();
    template["Resources"]["A"]["Metadata"] = json!({"for": {"Ref": "AWS::StackName"}});
    let set = propose(&cfn, "UPDATE", &template, json!([])).await;
    assert_eq!(set["Changes"][0]["ResourceChange"]["Scope"], json!(["DeletionPolicy", "Metadata"]));
    cfn.call("ExecuteChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(cfn.resource("A").await["Metadata"], r#"{"for":"s"}"#);
    cfn.delete().await;
    assert_eq!(cfn.world.ids().len(), 1);
}

#[tokio::test]
async fn a_type_cannot_be_changed() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({}))})).await;
    let template = json!({"Resources": {"A": {"Type": "AWS::IAM::Thing"}}}).to_string();
    let input = json!({"StackName": "s", "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"]});
    assert_eq!(
        cfn.refused("UpdateStack", input).await,
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [A]"
    );
}

#[tokio::test]
async fn on_stack_failure_is_kept() {
    let cfn = Cfn::new();
    let template = json!({"Resources": {"A": plain(json!({"Fail": "create"}))}}).to_string();
    let input = json!({
        "StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": template,
        "OnStackFailure": "DELETE",
    });
    let answer = cfn.call("CreateChangeSet", input).await.unwrap();
    cfn.call("ExecuteChangeSet", json!({"ChangeSetName": answer["Id"]})).await.unwrap();
    assert_eq!(cfn.settled(answer["StackId"].as_str().unwrap()).await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn nothing_that_exists_is_imported() {
    let cfn = Cfn::new();
    assert_eq!(cfn.create(json!({"Mine": plain(json!({"Name": "taken"}))})).await, "CREATE_COMPLETE");
    for (name, status) in [("taken", "FAILED"), ("free", "CREATE_COMPLETE")] {
        let template = json!({"Resources": {"Also": plain(json!({"Name": name}))}}).to_string();
        let input = json!({
            "StackName": format!("t-{name}"), "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": template,
            "ImportExistingResources": true,
        });
        let made = cfn.call("CreateChangeSet", input).await.unwrap();
        let set = cfn.call("DescribeChangeSet", json!({"ChangeSetName": made["Id"]})).await.unwrap();
        assert_eq!(set["Status"], status, "{set}");
    }
}

#[tokio::test]
async fn early_validation_fails_a_change_set_and_its_events_say_why() {
    let cfn = Cfn::new();
    assert_eq!(cfn.create(json!({"Mine": plain(json!({"Name": "taken"}))})).await, "CREATE_COMPLETE");
    let template = json!({"Resources": {
        "Also": plain(json!({"Name": "taken"})),
        "Bad": plain(json!({"Count": "many", "Colour": 1, "Value": {"Ref": "Good"}})),
        "Good": plain(json!({"Name": "free", "Count": "3"})),
        "Later": plain(json!({"Count": {"Fn::GetAtt": ["Good", "Value"]}, "List": {"Ref": "Good"}})),
    }});
    let mut input = json!({
        "StackName": "t", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": template.to_string(),
    });
    let made = cfn.call("CreateChangeSet", input.clone()).await.unwrap();
    let set = cfn.call("DescribeChangeSet", json!({"ChangeSetName": made["Id"]})).await.unwrap();
    assert_eq!(
        (set["Status"].as_str(), set["ExecutionStatus"].as_str(), set["StatusReason"].as_str()),
        (
            Some("FAILED"),
            Some("UNAVAILABLE"),
            Some(
                "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation, \
                 AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation errors, use the \
                 DescribeEvents API for detailed failure information."
            )
        )
    );
    let answer = cfn.call("DescribeEvents", json!({"ChangeSetName": made["Id"]})).await.unwrap();
    let told: Vec<[&str; 4]> = answer["OperationEvents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            assert_eq!(
                (&event["EventType"], &event["ValidationStatus"]),
                (&json!("VALIDATION_ERROR"), &json!("FAILED"))
            );
            ["LogicalResourceId", "ValidationName", "ValidationPath", "ValidationStatusReason"]
                .map(|member| event[member].as_str().unwrap())
        })
        .collect();
    let extra = "extraneous key [Colour] is not permitted";
    let typed = "expected type: Integer, found: String 'many'";
    let taken = "Resource of type 'Test::Plain::Thing' with identifier 'taken' already exists.";
    assert_eq!(
        told,
        [
            ["Also", "NAME_CONFLICT_VALIDATION", "/Resources/Also", taken],
            ["Bad", "PROPERTY_VALIDATION", "/Resources/Bad/Properties/Count", typed],
            ["Bad", "PROPERTY_VALIDATION", "/Resources/Bad/Properties", extra],
        ]
    );
    let error = cfn.call("ExecuteChangeSet", json!({"ChangeSetName": made["Id"]})).await.unwrap_err();
    assert_eq!(error.code, "InvalidChangeSetStatus");
    let bare = "One of ChangeSetName, OperationId or StackName must be specified";
    assert_eq!(cfn.refused("DescribeEvents", json!({"ChangeSetName": "c"})).await, bare);
    assert_eq!(cfn.refused("DescribeEvents", json!({})).await, bare);

    input["DisableValidation"] = true.into();
    input["ChangeSetName"] = "d".into();
    let made = cfn.call("CreateChangeSet", input).await.unwrap();
    let set = cfn.call("DescribeChangeSet", json!({"ChangeSetName": made["Id"]})).await.unwrap();
    assert_eq!(set["Status"], "CREATE_COMPLETE");
}

#[tokio::test]
async fn conditions_may_switch_everything_off() {
    let cfn = Cfn::new();
    let mut a = plain(json!({}));
    a["Condition"] = "On".into();
    let template = json!({
        "Parameters": {"Switch": {"Type": "String"}},
        "Conditions": {"On": {"Fn::Equals": [{"Ref": "Switch"}, "on"]}},
        "Resources": {"A": a},
    });
    let switch = |value: &str| json!([{"ParameterKey": "Switch", "ParameterValue": value}]);
    let set = propose(&cfn, "CREATE", &template, switch("off")).await;
    assert_eq!((&set["ExecutionStatus"], &set["Changes"]), (&json!("AVAILABLE"), &json!([])));
    cfn.call("ExecuteChangeSet", json!({"ChangeSetName": set["ChangeSetId"]})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "CREATE_COMPLETE");
    let told = cfn.events("s").await;
    assert_eq!(
        told,
        ["s REVIEW_IN_PROGRESS: User Initiated", "s CREATE_IN_PROGRESS: User Initiated", "s CREATE_COMPLETE"]
    );

    let update = |value| json!({"StackName": "s", "UsePreviousTemplate": true, "Parameters": switch(value)});
    assert_eq!(cfn.refused("UpdateStack", update("still off")).await, "No updates are to be performed.");
    cfn.call("UpdateStack", update("on")).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(cfn.world.ids().len(), 1);
    cfn.call("UpdateStack", update("off")).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(cfn.world.ids(), Vec::<String>::new());
}

#[tokio::test]
async fn an_export_that_is_not_there_is_missed_when_the_change_is_made() {
    let cfn = Cfn::new();
    let importing = json!({"Resources": {"A": plain(json!({"Value": {"Fn::ImportValue": "later"}}))}});
    let set = propose(&cfn, "CREATE", &importing, json!([])).await;
    assert_eq!((&set["Status"], &set["ExecutionStatus"]), (&json!("CREATE_COMPLETE"), &json!("AVAILABLE")));
    assert_eq!(
        set["StatusReason"],
        "[WARN] --include-property-values option can return incomplete ChangeSet data because: ChangeSet creation \
         failed for resource [A] because: No export named later"
    );
    let plainly = cfn.call("DescribeChangeSet", json!({"ChangeSetName": set["ChangeSetId"]})).await.unwrap();
    assert_eq!(plainly.get("StatusReason"), None);
    cfn.call("ExecuteChangeSet", json!({"ChangeSetName": set["ChangeSetId"]})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "ROLLBACK_COMPLETE");
    cfn.delete().await;

    // What another stack exports in the meantime counts.
    let set = propose(&cfn, "CREATE", &importing, json!([])).await;
    let exporting = json!({
        "Resources": {"B": plain(json!({}))},
        "Outputs": {"O": {"Value": "from the other", "Export": {"Name": "later"}}},
    });
    let input = json!({"StackName": "other", "TemplateBody": exporting.to_string()});
    cfn.call("CreateStack", input).await.unwrap();
    assert_eq!(cfn.settled("other").await, "CREATE_COMPLETE");
    cfn.call("ExecuteChangeSet", json!({"ChangeSetName": set["ChangeSetId"]})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "CREATE_COMPLETE");
    assert_eq!(cfn.world.things()["s-A"]["Value"], "from the other");
}

#[tokio::test]
async fn a_deleted_stack_gets_no_change_set() {
    let cfn = Cfn::new();
    let template = json!({"Resources": {"A": plain(json!({}))}});
    assert_eq!(cfn.create(template["Resources"].clone()).await, "CREATE_COMPLETE");
    let id = cfn.stack("s").await["StackId"].as_str().unwrap().to_owned();
    cfn.delete().await;
    let input = |kind: &str| {
        json!({
            "StackName": id, "ChangeSetName": "c", "ChangeSetType": kind, "TemplateBody": template.to_string(),
        })
    };
    assert_eq!(
        cfn.refused("CreateChangeSet", input("CREATE")).await,
        format!("Stack [{id}] already exists and cannot be created again with the changeSet [c].")
    );
    assert_eq!(
        cfn.refused("CreateChangeSet", input("UPDATE")).await,
        format!("Stack:{id} is in DELETE_COMPLETE state and can not be updated.")
    );
    assert_eq!(
        cfn.refused("CreateChangeSet", json!({"StackName": "s", "ChangeSetName": "c", "TemplateBody": "{}"}))
            .await,
        "Stack [s] does not exist"
    );
    assert_eq!(
        cfn.refused("DescribeChangeSet", json!({"ChangeSetName": "c"})).await,
        "StackName must be specified if ChangeSetName is not specified as an ARN."
    );
}
