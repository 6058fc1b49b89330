"""The program itself: deploys its stack, tunes, is aborted, is denied something, and takes everything away."""

import json
import time

from botocore.exceptions import ClientError

from report import Group, Otherwise, expect, until

GROUP = Group("The program on this account")
claim = GROUP.claim

SIZES = "128,256,512"
# An aborted run is put back by a rule of EventBridge, which takes seconds; a pass that is under way ends first.
PATIENCE = 360


class Subject:
    """The stack and the function it tunes."""

    def __init__(self, check):
        self.check = check
        check.function("tuned", MemorySize=192, Description="as it was")
        self.name = f"{check.name}-tuned"
        self.before = self.snapshot()

    def snapshot(self):
        """What a run must leave as it was."""
        found = self.check.settled("tuned")
        versions = self.check.lambda_.list_versions_by_function(FunctionName=self.name)["Versions"]
        aliases = self.check.lambda_.list_aliases(FunctionName=self.name)["Aliases"]
        return {
            "settings": [found[key] for key in ("MemorySize", "Description", "Timeout", "CodeSha256")],
            "versions": [version["Version"] for version in versions],
            "aliases": [alias["Name"] for alias in aliases],
        }

    def run(self, *arguments, status=0):
        """Runs the program; its output and what it said."""
        ended, out, err = self.check.deployer(*arguments)
        expect(ended == status, f"it ended with {ended}: {err.strip() or out.strip()}")
        return out, err

    def machine(self):
        stack = self.check.cloudformation.describe_stacks(StackName=self.check.name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}["StateMachineARN"]

    def role_of(self, handler):
        """The name of a handler's role in the stack."""
        resources = self.check.cloudformation.describe_stack_resources(StackName=self.check.name)["StackResources"]
        roles = [r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::IAM::Role"]
        return next(role for role in roles if handler in role.lower())

    def start(self, **given):
        """Starts an execution past the program."""
        event = {"lambdaARN": self.check.function_arn("tuned"), "num": 5, "powerValues": [128, 256, 512], **given}
        return self.check.states.start_execution(stateMachineArn=self.machine(), input=json.dumps(event))["executionArn"]

    def as_before(self, seconds):
        expect(until(lambda: self.snapshot() == self.before, seconds), f"it was {self.before} and is {self.snapshot()}")


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("`deployer up` deploys the stack")
def up(it):
    architecture = ["--architecture", it.check.architecture] if it.check.architecture else []
    it.run("up", "--yes", "--power-values", SIZES, "--lambda-resource", it.check.function_arn("tuned"), *architecture)


@claim("`deployer preview` sees nothing to change then")
def preview(it):
    architecture = ["--architecture", it.check.architecture] if it.check.architecture else []
    it.run("preview", "--detailed-exitcode", *architecture)


@claim("`deployer tune` measures the function and says a size")
def tune(it):
    out, _ = it.run("tune", it.name, "--num", "5", "--json")
    it.result = json.loads(out)
    # The size the function has is measured beside those that were asked for, and may be the cheapest.
    expect(it.result["power"] in (128, 192, 256, 512), it.result)


@claim("The function is as it was, without an alias or a version more")
def restored(it):
    it.as_before(5)


@claim("A run with cold starts only counts environments that were initialized, and leaves nothing either")
def cold_starts(it):
    it.run("tune", it.name, "--num", "5", "--only-cold-starts", "--json")
    it.as_before(5)


@claim("A run that is stopped from outside is put back by the stack's rule")
def aborted(it):
    execution = it.start(payload={"act": "wait"}, sleepBetweenRunsMs=2000)
    if not until(lambda: it.snapshot() != it.before, 60):
        raise Otherwise("the run changed nothing within a minute")
    it.check.states.stop_execution(executionArn=execution)
    it.as_before(PATIENCE)


@claim("A run that is denied a permission fails, names it, and leaves the function as it was")
def denied(it):
    role = it.role_of("publisher")
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "lambda:PublishVersion", "Resource": "*"}]}
    where = {"RoleName": role, "PolicyName": f"{it.check.name}-denied"}
    it.check.iam.put_role_policy(**where, PolicyDocument=json.dumps(deny))
    try:
        # A policy takes some seconds to be in force.
        time.sleep(15 if it.check.is_aws else 0)
        ended, out, err = it.check.deployer("tune", it.name, "--num", "5", "--json")
        expect(ended == 1, f"it ended with {ended}: {out}")
        expect("lambda:PublishVersion" in err, err)
    finally:
        it.check.iam.delete_role_policy(**where)
    it.as_before(60)


@claim("CloudFormation holds the template's rule: copies without a role are refused")
def ruled(it):
    client = it.check.cloudformation
    stack = client.describe_stacks(StackName=it.check.name)["Stacks"][0]
    kept = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in stack["Parameters"] if p["ParameterKey"] != "copies"]
    parameters = [*kept, {"ParameterKey": "copies", "ParameterValue": "also"}]
    asked = {"StackName": it.check.name, "UsePreviousTemplate": True, "Capabilities": ["CAPABILITY_IAM"], "Parameters": parameters}
    try:
        client.update_stack(**asked)
    except ClientError as error:
        expect("copies need a role" in str(error), error)
    else:
        raise Otherwise("the update was taken")


@claim("With copies the function is measured without being touched: its RevisionId stays the same")
def copied(it):
    architecture = ["--architecture", it.check.architecture] if it.check.architecture else []
    it.run("up", "--yes", "--copies", "also", "--copyable-roles", it.check.role_arn("function"), *architecture)
    revision = it.check.settled("tuned")["RevisionId"]
    _, said = it.run("tune", it.name, "--num", "5", "--json")
    expect("measuring temporary copies" in said, said)
    expect(it.check.settled("tuned")["RevisionId"] == revision, it.check.settled("tuned"))
    it.as_before(5)


@claim("No copy is left after that")
def copies_gone(it):
    client = it.check.lambda_
    pages = client.get_paginator("list_functions").paginate()
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    copies = [name for name in names if name.startswith("deployer-tuning-")]
    tags = {name: client.get_function(FunctionName=name).get("Tags", {}) for name in copies}
    ours = [name for name in copies if tags[name].get("deployer:stack") == it.check.name]
    expect(not ours, ours)


@claim("`deployer destroy` takes the stack away, and nothing of the function")
def destroy(it):
    it.run("destroy", "--yes")
    stacks = it.check.ours(it.check.cloudformation, "describe_stacks", "Stacks", "StackName")
    expect(all(stack["StackName"] != it.check.name for stack in stacks), stacks)
    it.as_before(5)
