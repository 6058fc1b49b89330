# What an endpoint holds, as JSON on stdout: for the question what is left.
import json

import boto3


def names(service, call, members, name):
    pages = boto3.client(service).get_paginator(call).paginate()
    return sorted(found[name] for page in pages for found in page[members])


print(json.dumps({
    "stacks": names("cloudformation", "describe_stacks", "Stacks", "StackName"),
    "functions": names("lambda", "list_functions", "Functions", "FunctionName"),
    "roles": names("iam", "list_roles", "Roles", "RoleName"),
    "groups": names("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "machines": names("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "rules": names("events", "list_rules", "Rules", "Name"),
    "buckets": [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]],
}))
