//! Creation and deletion.

use serde_json::json;

use super::{Cfn, plain, thing};

#[tokio::test]
async fn a_stack_is_created_in_the_order_of_its_references() {
    let cfn = Cfn::new();
    let template = json!({
        "Description": "things",
        "Parameters": {"Word": {"Type": "String", "Default": "hello"}},
        "Resources": {
            "A": plain(json!({"Value": {"Fn::GetAtt": ["B", "Arn"]}})),
            "B": plain(json!({"Value": {"Fn::Sub": "${Word}-${C}-${AWS::Region}"}})),
            "C": plain(json!({"Name": "see", "Count": "12"})),
        },
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["A", "Arn"]}, "Description": "of A"}},
    });
    assert_eq!(
        cfn.create_with(template, json!({"Tags": [{"Key": "k", "Value": "v"}]})).await,
        "CREATE_COMPLETE"
    );
    assert_eq!(cfn.world.log(), ["create C", "create B", "create A"]);
    let things = cfn.world.things();
    assert_eq!(things["see"], json!({"Name": "see", "Count": 12}));
    assert_eq!(things["s-B"]["Value"], "hello-see-eu-west-1");
    assert_eq!(cfn.world.tags("see")["k"], "v");
    assert_eq!(cfn.world.tags("see")["aws:cloudformation:logical-id"], "C");

    let stack = cfn.stack("s").await;
    assert_eq!(stack["Description"], "things");
    assert_eq!(stack["Parameters"], json!([{"ParameterKey": "Word", "ParameterValue": "hello"}]));
    let a = cfn.resource("A").await["PhysicalResourceId"].as_str().unwrap().to_owned();
    assert_eq!(
        stack["Outputs"],
        json!([{"OutputKey": "Arn", "OutputValue": format!("arn:thing/{a}"), "Description": "of A"}])
    );
    let id = stack["StackId"].as_str().unwrap();
    assert!(id.starts_with("arn:aws:cloudformation:eu-west-1:000000000000:stack/s/"), "{id}");
    assert_eq!(
        cfn.events("s").await,
        [
            "s CREATE_IN_PROGRESS: User Initiated",
            "C CREATE_IN_PROGRESS",
            "C CREATE_IN_PROGRESS: Resource creation Initiated",
            "C CREATE_COMPLETE",
            "B CREATE_IN_PROGRESS",
            "B CREATE_IN_PROGRESS: Resource creation Initiated",
            "B CREATE_COMPLETE",
            "A CREATE_IN_PROGRESS",
            "A CREATE_IN_PROGRESS: Resource creation Initiated",
            "A CREATE_COMPLETE",
            "s CREATE_COMPLETE",
        ]
    );
}

#[tokio::test]
async fn what_does_not_depend_on_each_other_is_made_at_the_same_time() {
    let cfn = Cfn::new();
    let mut resources = json!({});
    for name in ["A", "B", "C", "D"] {
        resources[name] = plain(json!({}));
    }
    assert_eq!(cfn.create(resources).await, "CREATE_COMPLETE");
    assert_eq!(cfn.world.most_busy(), 4);
}

#[tokio::test]
async fn a_failed_creation_is_rolled_back() {
    let cfn = Cfn::new();
    let resources = json!({
        "A": plain(json!({"Name": "a"})),
        "B": {"Type": "Test::Plain::Thing", "DependsOn": "A", "Properties": {"Name": "b", "Fail": "create"}},
        "C": {"Type": "Test::Plain::Thing", "DependsOn": "B"},
    });
    assert_eq!(cfn.create(resources).await, "ROLLBACK_COMPLETE");
    assert_eq!(cfn.world.things().len(), 0);
    let events = cfn.events("s").await;
    let failed = events.iter().find(|e| e.starts_with("B CREATE_FAILED")).unwrap();
    assert!(
        failed.starts_with(
            "B CREATE_FAILED: Resource handler returned message: \"create refused\" (RequestToken: "
        ) && failed.ends_with(", HandlerErrorCode: InvalidRequest)"),
        "{failed}"
    );
    assert!(
        events.contains(
            &"s ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [B]. Rollback requested by user."
                .to_owned()
        ),
        "{events:#?}"
    );
    assert!(!events.iter().any(|e| e.starts_with("C ")), "{events:#?}");
    let order: Vec<&String> = events.iter().filter(|e| e.ends_with("DELETE_COMPLETE")).collect();
    assert_eq!(order, ["B DELETE_COMPLETE", "A DELETE_COMPLETE"]);

    // It can be deleted, and then made anew; in between it can neither be updated nor created.
    let message = cfn.refused("UpdateStack", json!({"StackName": "s", "TemplateBody": "{}"})).await;
    assert!(message.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."), "{message}");
    let template = json!({"Resources": {"A": plain(json!({}))}}).to_string();
    let message = cfn.refused("CreateStack", json!({"StackName": "s", "TemplateBody": template})).await;
    assert_eq!(message, "Stack [s] already exists");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert_eq!(cfn.create(json!({"A": plain(json!({}))})).await, "CREATE_COMPLETE");
}

#[tokio::test]
async fn a_sibling_that_was_being_made_is_cancelled_and_deleted() {
    let cfn = Cfn::new();
    let resources = json!({
        "A": plain(json!({"Count": "twelve"})),
        "A2": plain(json!({"Fail": "create"})),
        "B": plain(json!({"Name": "b"})),
        "C": plain(json!({"Name": "c"})),
    });
    assert_eq!(cfn.create(resources).await, "ROLLBACK_COMPLETE");
    let events = cfn.events("s").await;
    assert!(events.contains(&"B CREATE_FAILED: Resource creation cancelled".to_owned()), "{events:#?}");
    assert!(
        events.contains(
            &"A CREATE_FAILED: Properties validation failed for resource A with message:\n#/Count: expected type: \
              Integer, found: String 'twelve'"
                .to_owned()
        ),
        "{events:#?}"
    );
    assert_eq!(cfn.world.ids(), Vec::<String>::new());
}

#[tokio::test]
async fn properties_that_a_type_does_not_have_or_needs_fail_it() {
    let cfn = Cfn::new();
    let resources = json!({"A": plain(json!({"Wrong": 1, "Tags": [{"Key": "k"}]}))});
    assert_eq!(cfn.create(resources).await, "ROLLBACK_COMPLETE");
    let events = cfn.events("s").await;
    let failed = events.iter().find(|e| e.contains("CREATE_FAILED")).unwrap();
    assert_eq!(
        failed,
        "A CREATE_FAILED: Properties validation failed for resource A with message:\n#: 2 schema violations \
         found\n#/Tags/0: required key [Value] not found\n#: extraneous key [Wrong] is not permitted"
    );
}

#[tokio::test]
async fn what_exists_already_is_not_taken_over_and_not_deleted() {
    let cfn = Cfn::new();
    cfn.world.put("mine", json!({"Value": "untouched"}));
    assert_eq!(cfn.create(json!({"A": plain(json!({"Name": "mine"}))})).await, "ROLLBACK_COMPLETE");
    assert_eq!(cfn.world.things()["mine"], json!({"Value": "untouched"}));
    let events = cfn.events("s").await;
    assert!(
        events
            .iter()
            .any(|e| e.contains("with identifier 'mine' already exists.") && e.contains("AlreadyExists)")),
        "{events:#?}"
    );
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert_eq!(cfn.world.ids(), ["mine"]);
}

#[tokio::test]
async fn a_failure_is_left_or_deleted_when_asked_for() {
    let cfn = Cfn::new();
    let template = json!({"Resources": {
        "A": plain(json!({"Name": "a"})),
        "B": {"Type": "Test::Plain::Thing", "DependsOn": "A", "Properties": {"Fail": "create"}},
    }});
    assert_eq!(cfn.create_with(template.clone(), json!({"OnFailure": "DO_NOTHING"})).await, "CREATE_FAILED");
    assert_eq!(cfn.world.ids().len(), 2);
    cfn.call("RollbackStack", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(cfn.settled("s").await, "ROLLBACK_COMPLETE");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert_eq!(cfn.create_with(template, json!({"OnFailure": "DELETE"})).await, "DELETE_COMPLETE");
    assert_eq!(cfn.world.ids(), Vec::<String>::new());
}

#[tokio::test]
async fn policies_decide_what_deletion_leaves() {
    let cfn = Cfn::new();
    let kept = |policy: &str, fail: &str| json!({"Type": "Test::Plain::Thing", "DeletionPolicy": policy, "Properties": {"Name": policy, "Fail": fail}});
    let resources =
        json!({"A": kept("Retain", ""), "B": kept("RetainExceptOnCreate", ""), "C": kept("Delete", "")});
    assert_eq!(cfn.create(resources).await, "CREATE_COMPLETE");
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    assert_eq!(cfn.world.ids(), ["Retain", "RetainExceptOnCreate"]);

    let cfn = Cfn::new();
    let mut last = kept("Delete", "create");
    last["DependsOn"] = json!(["A", "B"]);
    let resources = json!({"A": kept("Retain", ""), "B": kept("RetainExceptOnCreate", ""), "C": last});
    assert_eq!(cfn.create(resources).await, "ROLLBACK_COMPLETE");
    assert_eq!(cfn.world.ids(), ["Retain"]);
}

#[tokio::test]
async fn a_deletion_that_fails_can_be_repeated_retaining_or_forced() {
    for (again, left) in [
        (json!({"StackName": "s", "RetainResources": ["B"]}), 1),
        (json!({"StackName": "s", "DeletionMode": "FORCE_DELETE_STACK"}), 1),
    ] {
        let cfn = Cfn::new();
        let resources = json!({
            "A": plain(json!({})),
            "B": {"Type": "Test::Plain::Thing", "DependsOn": "A", "Properties": {"Fail": "delete"}},
            "C": plain(json!({})),
        });
        cfn.create(resources).await;
        let message = cfn.refused("DeleteStack", again.clone()).await;
        assert!(message.contains("is only allowed in the DELETE_FAILED state"), "{message}");
        assert_eq!(cfn.delete().await, "DELETE_FAILED");
        // A could not be deleted before B; C could.
        assert_eq!(cfn.world.ids().len(), 2);
        let reason = cfn.stack("s").await["StackStatusReason"].clone();
        assert_eq!(reason, "The following resource(s) failed to delete: [B]. ");
        let id = cfn.stack("s").await["StackId"].as_str().unwrap().to_owned();
        cfn.call("DeleteStack", again).await.unwrap();
        assert_eq!(cfn.settled(&id).await, "DELETE_COMPLETE");
        assert_eq!(cfn.world.ids().len(), left);
        assert!(cfn.events(&id).await.contains(&"B DELETE_SKIPPED".to_owned()));
    }
}

#[tokio::test]
async fn a_stack_is_deleted_while_it_is_being_created() {
    let cfn = Cfn::new();
    let resources = json!({
        "A": plain(json!({})),
        "B": {"Type": "Test::Plain::Thing", "DependsOn": "A"},
        "C": {"Type": "Test::Plain::Thing", "DependsOn": "B"},
    });
    let template = json!({ "Resources": resources }).to_string();
    let answer = cfn.call("CreateStack", json!({"StackName": "s", "TemplateBody": template})).await.unwrap();
    cfn.call("DeleteStack", json!({"StackName": "s"})).await.unwrap();
    assert_eq!(cfn.settled(answer["StackId"].as_str().unwrap()).await, "DELETE_COMPLETE");
    assert_eq!(cfn.world.ids(), Vec::<String>::new());
    assert!(!cfn.world.log().contains(&"create C".to_owned()));
}

#[tokio::test]
async fn a_protected_stack_is_not_deleted() {
    let cfn = Cfn::new();
    cfn.create(json!({"A": plain(json!({}))})).await;
    let protect = |on: bool| json!({"StackName": "s", "EnableTerminationProtection": on});
    cfn.call("UpdateTerminationProtection", protect(true)).await.unwrap();
    assert_eq!(
        cfn.refused("DeleteStack", json!({"StackName": "s"})).await,
        "Stack [s] cannot be deleted while TerminationProtection is enabled"
    );
    cfn.call("UpdateTerminationProtection", protect(false)).await.unwrap();
    assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
}

#[tokio::test]
async fn capabilities_must_be_acknowledged() {
    let cfn = Cfn::new();
    for (properties, needed) in
        [(json!({}), "CAPABILITY_IAM"), (json!({"Name": "x"}), "CAPABILITY_NAMED_IAM")]
    {
        let template = json!({"Resources": {"A": thing(properties)}}).to_string();
        let mut input = json!({"StackName": "s", "TemplateBody": template});
        let error = cfn.call("CreateStack", input.clone()).await.unwrap_err();
        assert_eq!(error.code, "InsufficientCapabilitiesException");
        assert_eq!(error.message, format!("Requires capabilities : [{needed}]"));
        let answer = cfn.call("ValidateTemplate", input.clone()).await.unwrap();
        assert_eq!(answer["Capabilities"], json!([needed]));
        assert_eq!(
            answer["CapabilitiesReason"],
            "The following resource(s) require capabilities: [AWS::IAM::Thing]"
        );
        input["Capabilities"] = json!([needed]);
        let answer = cfn.call("CreateStack", input).await.unwrap();
        assert_eq!(cfn.settled(answer["StackId"].as_str().unwrap()).await, "CREATE_COMPLETE");
        assert_eq!(cfn.delete().await, "DELETE_COMPLETE");
    }
}

#[tokio::test]
async fn what_a_stack_cannot_be_given_is_refused_by_name() {
    let cfn = Cfn::new();
    let template = json!({"Resources": {"A": plain(json!({}))}}).to_string();
    cfn.create(json!({"A": plain(json!({}))})).await;
    for (member, value) in [
        ("NotificationARNs", json!(["arn:aws:sns:us-east-1:000000000000:topic"])),
        ("RetainExceptOnCreate", json!(true)),
        ("RollbackConfiguration", json!({"MonitoringTimeInMinutes": "5"})),
        ("StackPolicyBody", json!("{}")),
        ("TimeoutInMinutes", json!("5")),
    ] {
        for (operation, stack) in [("CreateStack", "t"), ("UpdateStack", "s"), ("CreateChangeSet", "s")] {
            let input =
                json!({"StackName": stack, "ChangeSetName": "c", "TemplateBody": template, member: value});
            let message = cfn.refused(operation, input).await;
            assert_eq!(message, format!("'{member}' is not known to the local endpoint: leave it out"));
        }
    }
    let empty = json!({"StackName": "t", "TemplateBody": template, "NotificationARNs": "", "RollbackConfiguration": {}});
    cfn.call("CreateStack", empty).await.unwrap();
    assert_eq!(cfn.settled("t").await, "CREATE_COMPLETE");
    let error = cfn.call("SetStackPolicy", json!({"StackName": "t"})).await.unwrap_err();
    assert_eq!(error.code, "InvalidAction");
}

#[tokio::test]
async fn what_is_not_there_is_told_in_awss_words() {
    let cfn = Cfn::new();
    let input =
        json!({"StackName": "x", "TemplateBody": "{}", "LogicalResourceId": "A", "ChangeSetName": "c"});
    for (operation, message) in [
        ("DescribeStacks", "Stack with id x does not exist"),
        ("DescribeStackEvents", "Stack [x] does not exist"),
        ("DescribeStackResources", "Stack with id x does not exist"),
        ("DescribeStackResource", "Stack 'x' does not exist"),
        ("ListStackResources", "Stack with id x does not exist"),
        ("UpdateStack", "Stack [x] does not exist"),
        ("CreateChangeSet", "Stack [x] does not exist"),
        ("DescribeChangeSet", "Stack [x] does not exist"),
    ] {
        let error = cfn.call(operation, input.clone()).await.unwrap_err();
        assert_eq!(
            (error.status, error.code.as_str(), error.message.as_str()),
            (400, "ValidationError", message)
        );
    }
    assert_eq!(cfn.call("DeleteStack", json!({"StackName": "x"})).await, Ok(json!({})));
    let error = cfn.call("DetectStackSetDrift", input).await.unwrap_err();
    assert_eq!(error.code, "InvalidAction");
}

#[tokio::test]
async fn events_and_stacks_come_in_pages() {
    let cfn = Cfn::new();
    let mut resources = json!({});
    for i in 0..60 {
        resources[format!("R{i}")] = plain(json!({}));
    }
    assert_eq!(cfn.create(resources).await, "CREATE_COMPLETE");
    let mut token = json!(null);
    let mut ids = std::collections::BTreeSet::new();
    let mut pages = 0;
    loop {
        let mut input = json!({"StackName": "s"});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let answer = cfn.call("DescribeStackEvents", input).await.unwrap();
        let events = answer["StackEvents"].as_array().unwrap();
        assert!(events.len() <= 100);
        ids.extend(events.iter().map(|e| e["EventId"].as_str().unwrap().to_owned()));
        pages += 1;
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((ids.len(), pages), (60 * 3 + 2, 2));
    let error = cfn.refused("DescribeStackEvents", json!({"StackName": "s", "NextToken": "x"})).await;
    assert_eq!(error, "Invalid NextToken: 'x'");
}
