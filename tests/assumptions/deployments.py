"""CloudFormation: what `up`, `preview` and `destroy` rely on."""

import json

from report import Group, expect, refused, until

GROUP = Group("Stacks and change sets")
claim = GROUP.claim


def template(resources, **sections):
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, **sections})


class Subject:
    """A stack with nothing but a log group."""

    def __init__(self, check):
        self.check, self.client = check, check.cloudformation
        self.stack = f"{check.name}-small"
        self.group = f"/aws/lambda/{check.name}-group"
        self.template = template({"group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": self.group}}})

    def change_set(self, name, kind, body, stack=None):
        """Makes a change set; what it came to."""
        where = {"StackName": stack or self.stack, "ChangeSetName": name}
        self.client.create_change_set(**where, ChangeSetType=kind, TemplateBody=body)

        def done():
            found = self.client.describe_change_set(**where)
            return found if found["Status"] in ("CREATE_COMPLETE", "FAILED") else None

        return until(done, 60) or {"Status": "it took more than a minute"}

    def status(self, stack=None):
        return self.client.describe_stacks(StackName=stack or self.stack)["Stacks"][0]["StackStatus"]


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("A change set for a stack that is not there leaves that in REVIEW_IN_PROGRESS, with nothing made")
def review(it):
    found = it.change_set("first", "CREATE", it.template)
    expect(found["Status"] == "CREATE_COMPLETE", found)
    expect(it.status() == "REVIEW_IN_PROGRESS", it.status())
    groups = it.check.logs.describe_log_groups(logGroupNamePrefix=it.group)["logGroups"]
    expect(not groups, groups)


@claim("Executing it makes the stack")
def executed(it):
    it.client.execute_change_set(StackName=it.stack, ChangeSetName="first")
    expect(until(lambda: it.status() == "CREATE_COMPLETE", 120), it.status())


@claim("A change set without changes is FAILED, and its reason says that there are none")
def no_changes(it):
    found = it.change_set("same", "UPDATE", it.template)
    expect(found["Status"] == "FAILED", found["Status"])
    reason = found["StatusReason"]
    expect("didn't contain changes" in reason or "No updates are to be performed" in reason, reason)


@claim("A change set that would make what exists already fails early, and DescribeEvents names the resource and the reason")
def early_validation(it):
    stack = f"{it.check.name}-taken"
    found = it.change_set("taken", "CREATE", it.template, stack)
    expect(found["Status"] == "FAILED" and "AWS::EarlyValidation" in found["StatusReason"], found)
    events = it.client.describe_events(ChangeSetName=found["ChangeSetId"])["OperationEvents"]
    reasons = [event.get("ValidationStatusReason", "") for event in events if event.get("LogicalResourceId") == "group"]
    expect(any("already exist" in reason for reason in reasons), events)


@claim("IAM resources without a capability are refused with InsufficientCapabilitiesException")
def capabilities(it):
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
    arguments = {"StackName": f"{it.check.name}-role", "TemplateBody": template({"role": role})}
    refused("InsufficientCapabilitiesException", it.client.create_stack, **arguments)


@claim("A stack whose creation fails is rolled back to ROLLBACK_COMPLETE, and its first failed event has the reason")
def rolled_back(it):
    stack = f"{it.check.name}-failing"
    # Not the name of something that exists, which is found before anything is made: a parent that is not there.
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": f"{it.check.name}-none", "Principal": "events.amazonaws.com"}
    body = template({"permission": {"Type": "AWS::Lambda::Permission", "Properties": permission}})
    it.client.create_stack(StackName=stack, TemplateBody=body)
    expect(until(lambda: it.status(stack) == "ROLLBACK_COMPLETE", 180), it.status(stack))
    events = it.client.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    expect(failed and failed[-1]["LogicalResourceId"] == "permission" and failed[-1]["ResourceStatusReason"], events)
