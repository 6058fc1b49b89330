"""Step Functions: what the state machine's definition and its follower rely on."""

import json

from botocore.exceptions import ClientError

from check import ROLE_IS_NEW
from report import Group, expect, patiently, until

GROUP = Group("State machines and executions")
claim = GROUP.claim

# What each state computes from its input, by the name that the input gives.
COMPUTED = {
    "wildcard": {"value.$": "$.none[*]"},
    "slice": {"value.$": "$.none[0:2]"},
    "format": {"value.$": "States.Format('{}', $.object)"},
    "number": {"value.$": "States.MathAdd($.real, 1)"},
    "text": {"value.$": "States.StringToJson('')"},
    "attempts": {"value.$": "$$.State.RetryCount"},
}


def definition(function):
    names = [{"Variable": "$.try", "StringEquals": name, "Next": name} for name in [*COMPUTED, "wait", "call"]]
    states = {name: {"Type": "Pass", "Parameters": compute, "End": True} for name, compute in COMPUTED.items()}
    states["choose"] = {"Type": "Choice", "Choices": names}
    states["wait"] = {"Type": "Wait", "Seconds": 600, "End": True}
    states["call"] = {
        "Type": "Task",
        "Resource": function,
        "Parameters": {"act": "raise"},
        "Catch": [{"ErrorEquals": ["ValueError"], "ResultPath": "$.caught", "Next": "caught"}],
        "End": True,
    }
    states["caught"] = {"Type": "Pass", "End": True}
    return json.dumps({"StartAt": "choose", "States": states})


class Subject:
    """A machine that trusts Step Functions for this account's machines only."""

    def __init__(self, check):
        self.check, self.client = check, check.states
        check.function("called")
        check.settled("called")
        machines = f"arn:{check.partition}:states:{check.region}:{check.account}:stateMachine:*"
        role = check.role(
            "machine",
            {"Service": "states.amazonaws.com"},
            [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": check.function_arn("called")}],
            {"ArnLike": {"aws:SourceArn": machines}},
        )
        self.machine = patiently(
            self.client.create_state_machine,
            ROLE_IS_NEW | {"AccessDeniedException"},
            name=f"{check.name}-machine",
            definition=definition(check.function_arn("called")),
            roleArn=role,
        )["stateMachineArn"]

    def start(self, name, **given):
        arguments = {"stateMachineArn": self.machine, "input": json.dumps({"try": name, **given})}
        return self.client.start_execution(**arguments)["executionArn"]

    def ended(self, execution):
        """How an execution ended."""

        def over():
            try:
                found = self.client.describe_execution(executionArn=execution)
            except self.client.exceptions.ExecutionDoesNotExist:
                return None
            return found if found["status"] != "RUNNING" else None

        return until(over) or {"status": "RUNNING"}

    def value(self, name, **given):
        """What a state computed; the error when it failed."""
        end = self.ended(self.start(name, **given))
        return json.loads(end["output"])["value"] if end["status"] == "SUCCEEDED" else end.get("error", end["status"])

    def history(self, execution):
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("A role may be bound to this account's machines by aws:SourceArn")
def trust(it):
    found = it.client.describe_state_machine(stateMachineArn=it.machine)
    expect(found["status"] == "ACTIVE", found)


@claim("An execution is described as soon as it was started, or ExecutionDoesNotExist for a moment")
def described(it):
    it.waiting = it.start("wait")
    try:
        it.client.describe_execution(executionArn=it.waiting)
    except ClientError as error:
        expect(error.response["Error"]["Code"] == "ExecutionDoesNotExist", error)


@claim("StartExecution with the same name and input is the same execution while that runs")
def names(it):
    arguments = {"stateMachineArn": it.machine, "name": "once", "input": json.dumps({"try": "wait"})}
    first = it.client.start_execution(**arguments)
    again = it.client.start_execution(**arguments)
    expect(again["executionArn"] == first["executionArn"], again)
    it.client.stop_execution(executionArn=first["executionArn"])


@claim("A stopped execution is ABORTED, with the error and cause that were given")
def stopped(it):
    it.client.stop_execution(executionArn=it.waiting, error="asked", cause="by the check")
    end = it.ended(it.waiting)
    expect((end["status"], end.get("error"), end.get("cause")) == ("ABORTED", "asked", "by the check"), end)


@claim("A wildcard over a member that is not there is []")
def wildcard(it):
    value = it.value("wildcard")
    expect(value == [], value)


@claim("A slice of a member that is not there is []")
def slices(it):
    value = it.value("slice")
    expect(value == [], value)


@claim("States.Format writes an object as Java does: {a=[1, b]}")
def formats(it):
    value = it.value("format", object={"a": [1, "b"]})
    expect(value == "{a=[1, b]}", value)


@claim("States.MathAdd rounds a number that is not whole, a half upwards")
def rounds(it):
    values = [it.value("number", real=real) for real in (1.5, 2.5, -1.5)]
    expect(values == [3, 4, 0], values)


@claim("States.StringToJson of an empty text is null")
def empty_text(it):
    value = it.value("text")
    expect(value is None, value)


@claim("The context object has no State.RetryCount in a state that cannot be retried: States.Runtime")
def attempts(it):
    value = it.value("attempts")
    expect(value == "States.Runtime", value)


@claim("A function's error is caught by its errorType, and its cause is the function's whole answer")
def caught(it):
    it.call = it.start("call")
    end = it.ended(it.call)
    expect(end["status"] == "SUCCEEDED", end)
    error = json.loads(end["output"])["caught"]
    expect(error["Error"] == "ValueError" and json.loads(error["Cause"])["errorMessage"] == "as asked", error)


@claim("The history has one event for each step, numbered from 1, each pointing at the one before")
def history(it):
    events = it.history(it.call)
    kinds = [event["type"] for event in events]
    expected = ["ExecutionStarted", "ChoiceStateEntered", "ChoiceStateExited", "TaskStateEntered", "LambdaFunctionScheduled"]
    expected += ["LambdaFunctionStarted", "LambdaFunctionFailed", "TaskStateExited", "PassStateEntered", "PassStateExited"]
    expect(kinds == [*expected, "ExecutionSucceeded"], kinds)
    numbers = [(event["id"], event["previousEventId"]) for event in events]
    # The first state points at no event, as ExecutionStarted does.
    expect(numbers[:2] == [(1, 0), (2, 0)], numbers)
    expect(all(before == number - 1 for number, before in numbers[2:]), numbers)
