"""What CloudWatch tells of functions: what `deployer scan` relies on."""

import datetime
import json
import time

from botocore.exceptions import ClientError

from report import Group, expect, refused, until

GROUP = Group("Metrics")
claim = GROUP.claim

# AWS's metrics come minutes after what they count.
PATIENCE = 420


class Subject:
    """A function that was invoked three times, once in vain."""

    def __init__(self, check):
        self.check, self.client = check, check.client("cloudwatch")
        check.function("counted")
        check.settled("counted")
        self.began = datetime.datetime.now(datetime.timezone.utc)
        for act in ("none", "raise", "none"):
            check.lambda_.invoke(FunctionName=f"{check.name}-counted", Payload=json.dumps({"act": act}).encode())

    def query(self, metric, statistic, id="q", period=3600):
        dimensions = [{"Name": "FunctionName", "Value": f"{self.check.name}-counted"}]
        metric = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions}
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}

    def window(self, days=0):
        """From a whole hour before the invocations on, so many days ago."""
        hour = self.began.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(days=days)
        return {"StartTime": hour, "EndTime": datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=1)}

    def values(self, metric, statistic, days=0, period=3600 * 24):
        queries = [self.query(metric, statistic, period=period)]
        answer = self.client.get_metric_data(MetricDataQueries=queries, **self.window(days))
        return answer["MetricDataResults"][0]["Values"]


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("Minutes later CloudWatch has counted a function's invocations")
def invocations(it):
    def counted():
        found = it.values("Invocations", "Sum")
        if sum(found) < 3 and it.check.is_aws:
            # Each look is billed.
            time.sleep(10)
        return found if sum(found) >= 3 else None

    found = until(counted, PATIENCE)
    expect(found == [3.0], found)


@claim("Errors counts 0 or 1 for each invocation")
def errors(it):
    seen = [it.values("Errors", statistic) for statistic in ("Sum", "SampleCount")]
    expect(seen == [[1.0], [3.0]], seen)


@claim("A period of 30 days and an hour gives one point, percentiles included")
def one_period(it):
    period = (30 * 24 + 2) * 3600
    seen = [it.values("Invocations", "Sum", 30, period), it.values("Duration", "p99", 30, period)]
    expect(seen[0] == [3.0] and len(seen[1]) == 1, seen)


@claim("The 99th percentile of durations lies between their average and their maximum")
def percentile(it):
    low, p99, high = (it.values("Duration", statistic) for statistic in ("Average", "p99", "Maximum"))
    # The endpoint counts durations in bins of a hundredth.
    expect(low[0] * 0.99 <= p99[0] <= high[0], (low, p99, high))


@claim("500 figures are one call's, 501 are refused with ValidationError")
def five_hundred(it):
    def ask(count):
        queries = [it.query("Errors", "Sum", id=f"q{number}") for number in range(count)]
        return it.client.get_metric_data(MetricDataQueries=queries, **it.window())

    expect(len(ask(500)["MetricDataResults"]) == 500, "fewer results")
    refused("ValidationError", ask, count=501)


@claim("Ids that are equal, or begin with a capital, are refused with ValidationError")
def ids(it):
    for queries in ([it.query("Errors", "Sum")] * 2, [it.query("Errors", "Sum", id="Q")]):
        refused("ValidationError", it.client.get_metric_data, MetricDataQueries=queries, **it.window())


@claim("A figure of a function that there is not is Complete, without points")
def nobody(it):
    query = it.query("Errors", "Sum")
    query["MetricStat"]["Metric"]["Dimensions"][0]["Value"] += "-not"
    result = it.client.get_metric_data(MetricDataQueries=[query], **it.window())["MetricDataResults"][0]
    expect((result["StatusCode"], result["Values"]) == ("Complete", []), result)


@claim("GetMetricData is denied as AccessDenied, naming cloudwatch:GetMetricData")
def denied(it):
    it.check.role("unmeasured", {"AWS": it.check.account}, [])
    client = it.check.client("cloudwatch", keys=it.check.as_role("unmeasured"))
    try:
        client.get_metric_data(MetricDataQueries=[it.query("Errors", "Sum")], **it.window())
    except ClientError as error:
        expect(error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), error)
        expect("cloudwatch:GetMetricData" in str(error), error)
    else:
        expect(False, "it was answered")
