//! Updates and their rollback.

use serde_json::{Value, json};

use super::{Cfn, plain};

fn after(name: &str, properties: Value) -> Value {
    json!({"Type": "Test::Plain::Thing", "DependsOn": name, "Properties": properties})
}

#[tokio::test]
async fn an_update_changes_replaces_makes_and_drops() {
    let cfn = Cfn::new();
    cfn.create(json!({
        "Changed": plain(json!({"Value": "1"})),
        "Replaced": plain(json!({"Kind": "1"})),
        "Dropped": plain(json!({})),
        "Same": plain(json!({"Value": "x"})),
        "Reader": plain(json!({"Value": {"Ref": "Replaced"}})),
    }))
    .await;
    let (changed, replaced) = (cfn.resource("Changed").await, cfn.resource("Replaced").await);
    cfn.world.forget_log();
    let status = cfn
        .update(json!({
            "Changed": plain(json!({"Value": "2"})),
            "Replaced": plain(json!({"Kind": "2"})),
            "Made": plain(json!({})),
            "Same": plain(json!({"Value": "x"})),
            "Reader": plain(json!({"Value": {"Ref": "Replaced"}})),
        }))
        .await;
    assert_eq!(status, "UPDATE_COMPLETE");
    let mut log = cfn.world.log();
    log.sort();
    assert_eq!(
        log,
        [
            "create Made",
            "create Replaced",
            "delete Dropped",
            "delete Replaced",
            "update Changed",
            "update Reader"
        ]
    );
    assert_eq!(cfn.resource("Changed").await["PhysicalResourceId"], changed["PhysicalResourceId"]);
    let new = cfn.resource("Replaced").await["PhysicalResourceId"].clone();
    assert_ne!(new, replaced["PhysicalResourceId"]);
    assert_eq!(cfn.world.things()["s-Reader"]["Value"], new);
    assert_eq!(cfn.world.ids().len(), 5);
    let events = cfn.events("s").await;
    let at =
        |text: &str| events.iter().position(|e| e == text).unwrap_or_else(|| panic!("{text}: {events:#?}"));
    let cleanup = at("s UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    assert!(
        at(
            "Replaced UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence \
            creating one."
        ) < at("Replaced UPDATE_IN_PROGRESS: Resource creation Initiated")
    );
    assert!(cleanup < at("Replaced DELETE_COMPLETE") && cleanup < at("Dropped DELETE_COMPLETE"));
    assert!(!events.iter().any(|e| e.starts_with("Same UPDATE")));
    assert_eq!(events.last().unwrap(), "s UPDATE_COMPLETE");
    let listed = cfn.call("ListStackResources", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(listed["StackResourceSummaries"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn without_changes_there_is_no_update() {
    let cfn = Cfn::new();
    let template = json!({
        "Parameters": {"P": {"Type": "String", "Default": "1"}, "Q": {"Type": "String", "Default": "1"}},
        "Resources": {"A": plain(json!({"Value": {"Ref": "P"}}))},
    });
    cfn.create_with(template.clone(), json!({"Parameters": [{"ParameterKey": "P", "ParameterValue": "2"}]}))
        .await;
    let keep = json!([{"ParameterKey": "P", "UsePreviousValue": "true"}]);
    let mut input = json!({"StackName": "s", "TemplateBody": template.to_string(), "Parameters": keep});
    assert_eq!(cfn.refused("UpdateStack", input.clone()).await, "No updates are to be performed.");
    // A parameter that is not given goes back to its default.
    input["Parameters"] = json!([]);
    cfn.call("UpdateStack", input).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(cfn.world.things()["s-A"]["Value"], "1");
    let input = json!({
        "StackName": "s", "UsePreviousTemplate": true,
        "Parameters": [{"ParameterKey": "P", "ParameterValue": "3"}],
    });
    cfn.call("UpdateStack", input).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(cfn.world.things()["s-A"]["Value"], "3");
}

#[tokio::test]
async fn outputs_and_tags_alone_are_a_change() {
    let cfn = Cfn::new();
    let mut template = json!({"Resources": {"A": plain(json!({}))}});
    cfn.create_with(template.clone(), json!({"Tags": [{"Key": "old", "Value": "1"}]})).await;
    template["Outputs"] = json!({"O": {"Value": "1"}});
    cfn.call("UpdateStack", json!({"StackName": "s", "TemplateBody": template.to_string()})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    assert_eq!(cfn.stack("s").await["Outputs"], json!([{"OutputKey": "O", "OutputValue": "1"}]));
    assert_eq!(cfn.stack("s").await["Tags"], json!([{"Key": "old", "Value": "1"}]));
    let tags = json!([{"Key": "new", "Value": "2"}]);
    cfn.call("UpdateStack", json!({"StackName": "s", "UsePreviousTemplate": true, "Tags": tags}))
        .await
        .unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
    let tags = cfn.world.tags(&cfn.world.ids()[0]);
    assert_eq!((tags["new"].as_str(), tags["old"].as_str()), (Some("2"), None));
}

#[tokio::test]
async fn a_failed_update_is_rolled_back_to_the_former_properties() {
    let cfn = Cfn::new();
    cfn.create(json!({
        "Changed": plain(json!({"Value": "1"})),
        "Replaced": plain(json!({"Kind": "1"})),
        "Dropped": plain(json!({"Name": "d"})),
    }))
    .await;
    let (before, ids) = (cfn.world.things(), cfn.world.ids());
    let status = cfn
        .update(json!({
            "Changed": plain(json!({"Value": "2"})),
            "Replaced": plain(json!({"Kind": "2"})),
            "Made": plain(json!({"Name": "m"})),
            "Bad": json!({"Type": "Test::Plain::Thing", "DependsOn": ["Changed", "Replaced", "Made"],
                          "Properties": {"Fail": "create"}}),
        }))
        .await;
    assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(cfn.world.things(), before);
    assert_eq!(cfn.world.ids(), ids);
    let events = cfn.events("s").await;
    let tail: Vec<&String> =
        events.iter().skip_while(|e| !e.starts_with("s UPDATE_ROLLBACK_IN_PROGRESS")).collect();
    assert_eq!(tail[0], "s UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Bad]. ");
    for text in [
        "Changed UPDATE_IN_PROGRESS",
        "Changed UPDATE_COMPLETE",
        "Replaced UPDATE_COMPLETE",
        "s UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "Made DELETE_COMPLETE",
        "Bad DELETE_COMPLETE",
        "s UPDATE_ROLLBACK_COMPLETE",
    ] {
        assert!(tail.iter().any(|e| *e == text), "{text}: {tail:#?}");
    }
    // And it is as good as before.
    assert_eq!(cfn.update(json!({"Changed": plain(json!({"Value": "3"}))})).await, "UPDATE_COMPLETE");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert_eq!(cfn.world.ids(), Vec::<String>::new());
}

#[tokio::test]
async fn an_update_that_fails_half_way_is_undone() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({"Value": "1"}))})).await;
    assert_eq!(
        cfn.update(json!({"A": plain(json!({"Value": "2", "Fail": "update"}))})).await,
        "UPDATE_ROLLBACK_COMPLETE"
    );
    assert_eq!(cfn.world.things()["s-A"], json!({"Value": "1"}));
    let events = cfn.events("s").await;
    assert!(
        events.contains(
            &"s UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to update: [A]. ".to_owned()
        ),
        "{events:#?}"
    );
}

#[tokio::test]
async fn a_named_resource_is_not_replaced_under_its_own_name() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({"Name": "n", "Kind": "1"}))})).await;
    let status = cfn.update(json!({"A": plain(json!({"Name": "n", "Kind": "2"}))})).await;
    assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
    let events = cfn.events("s").await;
    assert!(
        events.contains(
            &"A UPDATE_FAILED: CloudFormation cannot update a stack when a custom-named resource requires replacing. \
              Rename n and update the stack again."
                .to_owned()
        ),
        "{events:#?}"
    );
    assert_eq!(cfn.world.things()["n"]["Kind"], "1");
}

#[tokio::test]
async fn a_replacement_may_leave_the_replaced() {
    let cfn = Cfn::new();
    let with = |kind: &str| json!({"A": {"Type": "Test::Plain::Thing", "UpdateReplacePolicy": "Retain", "Properties": {"Kind": kind}}});
    cfn.create(with("1")).await;
    assert_eq!(cfn.update(with("2")).await, "UPDATE_COMPLETE");
    assert_eq!(cfn.world.ids().len(), 2);
    assert!(cfn.events("s").await.contains(&"A DELETE_SKIPPED".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_cleaned_up_does_not_fail_the_update() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({})), "B": plain(json!({"Fail": "delete"}))})).await;
    assert_eq!(cfn.update(json!({"A": plain(json!({}))})).await, "UPDATE_COMPLETE");
    assert_eq!(
        cfn.stack("s").await["StackStatusReason"],
        "Update successful. One or more resources could not be deleted."
    );
    let listed = cfn.call("ListStackResources", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(listed["StackResourceSummaries"].as_array().unwrap().len(), 1);
}

/// A stack in `UPDATE_ROLLBACK_FAILED`: what was to be restored was deleted by hand meanwhile.
async fn stuck() -> Cfn {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({"Value": "1"})), "B": plain(json!({"Name": "b", "Value": "1"}))}))
        .await;
    // B is left half way, and gone when it is to be brought back.
    cfn.world.hang_at(1, true);
    let template = json!({"Resources": {
        "A": plain(json!({"Value": "2"})),
        "B": after("A", json!({"Name": "b", "Value": "2", "Fail": "update"})),
    }});
    cfn.call("UpdateStack", json!({"StackName": "s", "TemplateBody": template.to_string()})).await.unwrap();
    while !cfn.world.hung() {
        tokio::task::yield_now().await;
    }
    cfn.world.remove("b");
    let cfn = cfn.killed().await;
    assert_eq!(cfn.settled("s").await, "UPDATE_ROLLBACK_FAILED");
    cfn
}

#[tokio::test]
async fn a_rollback_that_fails_can_be_continued() {
    let cfn = stuck().await;
    assert_eq!(
        cfn.stack("s").await["StackStatusReason"],
        "The following resource(s) failed to update: [B]. "
    );
    let message = cfn.refused("UpdateStack", json!({"StackName": "s", "UsePreviousTemplate": true})).await;
    assert!(message.ends_with("is in UPDATE_ROLLBACK_FAILED state and can not be updated."), "{message}");
    cfn.world.put("b", json!({}));
    cfn.call("ContinueUpdateRollback", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(cfn.world.things()["b"]["Value"], "1");
    assert_eq!(cfn.world.things()["s-A"]["Value"], "1");
}

#[tokio::test]
async fn a_rollback_that_fails_can_skip_what_is_gone() {
    let cfn = stuck().await;
    let message =
        cfn.refused("ContinueUpdateRollback", json!({"StackName": "s", "ResourcesToSkip": ["A"]})).await;
    assert_eq!(message, "ResourcesToSkip: A is not in the UPDATE_FAILED state; those that are: [B]");
    cfn.call("ContinueUpdateRollback", json!({"StackName": "s", "ResourcesToSkip": ["B"]})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn a_busy_stack_refuses_every_other_operation() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({"Value": "1"}))})).await;
    let template = json!({"Resources": {
        "A": plain(json!({"Value": "2"})),
        "B": after("A", json!({})),
        "C": after("B", json!({})),
    }});
    cfn.call("UpdateStack", json!({"StackName": "s", "TemplateBody": template.to_string()})).await.unwrap();
    let message = cfn.refused("UpdateStack", json!({"StackName": "s", "UsePreviousTemplate": true})).await;
    assert!(message.ends_with("is in UPDATE_IN_PROGRESS state and can not be updated."), "{message}");
    let message = cfn.refused("DeleteStack", json!({"StackName": "s"})).await;
    assert!(message.ends_with("cannot be deleted while in status UPDATE_IN_PROGRESS"), "{message}");
    assert_eq!(cfn.settled("s").await, "UPDATE_COMPLETE");
}

#[tokio::test]
async fn a_failed_update_can_be_left_and_rolled_back_later() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({"Value": "1"}))})).await;
    let template = json!({"Resources": {
        "A": plain(json!({"Value": "2"})),
        "B": after("A", json!({"Fail": "create"})),
    }});
    let input = json!({"StackName": "s", "TemplateBody": template.to_string(), "DisableRollback": true});
    cfn.call("UpdateStack", input).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_FAILED");
    assert_eq!(cfn.world.things()["s-A"]["Value"], "2");
    cfn.call("RollbackStack", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(cfn.world.things().len(), 1);
    assert_eq!(cfn.world.things()["s-A"]["Value"], "1");
}

#[tokio::test]
async fn exports_are_unique_and_kept_while_they_are_imported() {
    let cfn = Cfn::new();
    let exporting = json!({
        "Resources": {"A": plain(json!({}))},
        "Outputs": {"O": {"Value": "shared", "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-o"}}}},
    });
    cfn.create_with(exporting.clone(), json!({})).await;
    let importing = json!({"Resources": {"A": plain(json!({"Value": {"Fn::ImportValue": "s-o"}}))}});
    let input = json!({"StackName": "t", "TemplateBody": importing.to_string()});
    cfn.call("CreateStack", input).await.unwrap();
    assert_eq!(cfn.settled("t").await, "CREATE_COMPLETE");
    assert_eq!(cfn.world.things()["t-A"]["Value"], "shared");
    let exports = cfn.call("ListExports", json!({})).await.unwrap();
    assert_eq!(exports["Exports"][0]["Name"], "s-o");

    assert_eq!(cfn.delete().await, "DELETE_FAILED");
    assert_eq!(
        cfn.stack("s").await["StackStatusReason"],
        "Export s-o cannot be deleted as it is in use by t"
    );
    cfn.call("DeleteStack", json!({"StackName": "t"})).await.unwrap();
    assert_eq!(cfn.settled("t").await, "gone");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");

    let missing = json!({"Resources": {"A": plain(json!({"Value": {"Fn::ImportValue": "none"}}))}});
    assert_eq!(cfn.create_with(missing, json!({})).await, "ROLLBACK_COMPLETE");
    let events = cfn.events("s").await;
    assert!(events.contains(&"A CREATE_FAILED: No export named none found.".to_owned()), "{events:#?}");
}
