"""What Lambda answers and reports about an invocation: what measuring relies on."""

import base64
import json
import math
import re

from check import package
from report import Group, expect, refused, until

GROUP = Group("Invocations and their reports")
claim = GROUP.claim

FIELD = r"\t{}: ([0-9.]+) ms"


class Subject:
    """Functions that are invoked."""

    def __init__(self, check):
        self.check, self.client = check, check.lambda_
        check.function("invoked", MemorySize=256, Timeout=3)
        check.function(
            "program", Runtime="provided.al2023", Handler="none", Code={"ZipFile": package("bootstrap", "\x7fELF of no processor")}
        )
        json_log = {"LogFormat": "JSON", "SystemLogLevel": "INFO", "ApplicationLogLevel": "INFO"}
        check.function("json", LoggingConfig=json_log)
        check.function("full")
        check.function("snap", SnapStart={"ApplyOn": "PublishedVersions"})
        for name in ("invoked", "program", "json", "full", "snap"):
            check.settled(name)

    def invoke(self, event, name="invoked", **settings):
        """The answer with its payload and log tail read."""
        answer = self.client.invoke(
            FunctionName=f"{self.check.name}-{name}", Payload=json.dumps(event).encode(), LogType="Tail", **settings
        )
        answer["Payload"] = json.loads(answer["Payload"].read() or b"null")
        answer["Tail"] = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        return answer

    def failing(self, act, name="invoked"):
        """Invokes it so that it fails."""
        answer = self.invoke({"act": act}, name)
        expect(answer.get("FunctionError") == "Unhandled", answer.get("FunctionError"))
        return answer


def milliseconds(tail, field):
    found = re.search(FIELD.format(field), tail)
    return float(found.group(1)) if found else None


def report_line(tail):
    found = re.search(r"REPORT RequestId: .*", tail)
    expect(found, f"no REPORT in {tail!r}")
    return found.group(0)


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("The log tail's REPORT line has Duration, Billed Duration, Memory Size and Max Memory Used between tabs")
def report_fields(it):
    it.cold = it.invoke({})
    line = report_line(it.cold["Tail"])
    for field in ("Duration", "Billed Duration"):
        expect(milliseconds(line, field) is not None, line)
    expect(re.search(r"\tMemory Size: 256 MB\tMax Memory Used: \d+ MB", line), line)


@claim("The log tail begins with START, and ends with REPORT")
def tail_frame(it):
    lines = it.cold["Tail"].strip().splitlines()
    expect(lines[0].startswith("START RequestId: ") and lines[-1].startswith("REPORT"), lines)


@claim("The first invocation has an Init Duration, which Billed Duration includes, rounded up together")
def init_is_billed(it):
    line = report_line(it.cold["Tail"])
    init, duration = milliseconds(line, "Init Duration"), milliseconds(line, "Duration")
    expect(init is not None, line)
    expect(milliseconds(line, "Billed Duration") == math.ceil(round(init + duration, 2)), line)


@claim("The next invocation in the same environment has no Init Duration")
def warm(it):
    line = report_line(it.invoke({})["Tail"])
    expect(milliseconds(line, "Init Duration") is None, line)


@claim("A changed memory size brings new environments: the next invocation is a cold start at that size")
def changes_retire(it):
    it.client.update_function_configuration(FunctionName=f"{it.check.name}-invoked", MemorySize=512)
    it.check.settled("invoked")
    answer = it.invoke({})
    expect(answer["Payload"] == {"size": "512"}, answer["Payload"])
    expect(milliseconds(report_line(answer["Tail"]), "Init Duration") is not None, answer["Tail"])


@claim("The log tail is the last 4 KB of the log, and REPORT is in it")
def long_tail(it):
    tail = it.invoke({"act": "print"})["Tail"]
    report_line(tail)
    expect(3900 <= len(tail) <= 4096, len(tail))


@claim("A raised error is Unhandled with its errorType and errorMessage")
def raised(it):
    payload = it.failing("raise")["Payload"]
    expect((payload["errorType"], payload["errorMessage"]) == ("ValueError", "as asked"), payload)


@claim("A process that ends without an answer is Runtime.ExitError")
def crashed(it):
    payload = it.failing("exit")["Payload"]
    expect(payload["errorType"] == "Runtime.ExitError", payload)


@claim("An invocation that takes too long is Sandbox.Timedout, and is billed for its whole time-out")
def timed_out(it):
    answer = it.failing("sleep")
    expect(answer["Payload"]["errorType"] == "Sandbox.Timedout", answer["Payload"])
    billed = milliseconds(report_line(answer["Tail"]), "Billed Duration")
    expect(billed is not None and 3000 <= billed < 5000, answer["Tail"])


@claim("Memory above the size ends the process with Runtime.OutOfMemory or Runtime.ExitError, and Max Memory Used is the size")
def out_of_memory(it):
    answer = it.failing("fill", "full")
    expect(answer["Payload"]["errorType"] in ("Runtime.OutOfMemory", "Runtime.ExitError"), answer["Payload"])
    expect("Max Memory Used: 128 MB" in report_line(answer["Tail"]), answer["Tail"])


@claim("Code that the processor cannot run is Runtime.InvalidEntrypoint at the first invocation, not before")
def no_program(it):
    answer = it.invoke({}, "program")
    expect(answer.get("FunctionError") == "Unhandled", answer.get("FunctionError"))
    expect(answer["Payload"]["errorType"] == "Runtime.InvalidEntrypoint", answer["Payload"])


@claim("An event that is no JSON is refused with InvalidRequestContentException")
def no_json(it):
    refused("InvalidRequestContentException", it.client.invoke, FunctionName=f"{it.check.name}-invoked", Payload=b"{")


@claim("JSON logs have the report as platform.report, with durationMs, billedDurationMs and memorySizeMB")
def json_report(it):
    reports = platform_reports(it.invoke({}, "json")["Tail"])
    expect(len(reports) == 1, reports)
    metrics = reports[0]["record"]["metrics"]
    expect({"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB"} <= metrics.keys(), metrics)


@claim("JSON logs have no report when SystemLogLevel is WARN")
def quiet_logs(it):
    level = {"LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": "INFO"}
    it.client.update_function_configuration(FunctionName=f"{it.check.name}-json", LoggingConfig=level)
    it.check.settled("json")
    expect(not platform_reports(it.invoke({}, "json")["Tail"]), "there is one")


def platform_reports(tail):
    found = []
    for line in tail.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("type") == "platform.report":
            found.append(entry)
    return found


@claim("Reserved concurrency 0 refuses every invocation: TooManyRequestsException for the function's reservation")
def reserved_zero(it):
    name = f"{it.check.name}-invoked"
    it.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    def throttled():
        try:
            it.invoke({})
        except it.client.exceptions.TooManyRequestsException as error:
            return error
        return None

    error = until(throttled, 30)
    expect(error, "it was invoked")
    reason = error.response.get("Reason")
    expect(reason == "ReservedFunctionConcurrentInvocationLimitExceeded", error.response)


@claim("A version with SnapStart is Pending while its snapshot is made, and not to be invoked: SnapStartNotReadyException")
def snap_start(it):
    it.snap = it.client.publish_version(FunctionName=f"{it.check.name}-snap")
    expect(it.snap["State"] == "Pending", it.snap["State"])
    invoke = {"FunctionName": f"{it.check.name}-snap", "Qualifier": it.snap["Version"]}
    error = refused("SnapStartNotReadyException", it.client.invoke, **invoke)
    expect(error.response["ResponseMetadata"]["HTTPStatusCode"] == 409, error)


@claim("It is Active within five minutes, and OptimizationStatus is On")
def snap_start_ready(it):
    ask = {"FunctionName": f"{it.check.name}-snap", "Qualifier": it.snap["Version"]}

    def ready():
        found = it.client.get_function_configuration(**ask)
        return None if found["State"] == "Pending" else found

    it.snap = until(ready, 300) or it.snap
    expect(it.snap["State"] == "Active", it.snap["State"])
    expect(it.snap["SnapStart"]["OptimizationStatus"] == "On", it.snap["SnapStart"])


@claim(
    "A restored environment reports Restore Duration and Billed Restore Duration, which Billed Duration includes, and no Init Duration",
    only_on_aws="the local endpoint makes no snapshots",
)
def restored(it):
    line = report_line(it.invoke({}, "snap", Qualifier=it.snap["Version"])["Tail"])
    restore, billed = milliseconds(line, "Billed Restore Duration"), milliseconds(line, "Billed Duration")
    expect(milliseconds(line, "Restore Duration") is not None and restore is not None, line)
    expect(milliseconds(line, "Init Duration") is None and billed >= restore, line)
