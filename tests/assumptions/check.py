"""What a check makes in the account, all of it under one name, and how that is removed again."""

import io
import json
import os
import secrets
import signal
import subprocess
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from report import patiently, until

# What Lambda and Step Functions answer while a new role is not known to them yet.
ROLE_IS_NEW = {"InvalidParameterValueException", "AccessDeniedException", "AccessDenied"}

SOURCE = """
import json, os, sys, time
def handler(event, context):
    act = event.get("act") if isinstance(event, dict) else None
    if act == "raise":
        raise ValueError("as asked")
    if act == "exit":
        os._exit(3)
    if act == "sleep":
        time.sleep(60)
    if act == "fill":
        held = []
        while True:
            held.append(bytearray(16 << 20))
    if act == "print":
        print("x" * 6000)
    return {"size": os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]}
"""


def package(name, text):
    """A deployment package with one file."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, text)
    return data.getvalue()


class Check:
    """Clients, names, and what is made."""

    def __init__(self, region, profile, endpoint, name=None, architecture=None):
        self.session = boto3.Session(region_name=region, profile_name=profile)
        self.endpoint, self.is_aws = endpoint, endpoint is None
        self.profile, self.architecture = profile, architecture
        self.name = name or f"deployer-check-{secrets.token_hex(3)}"
        self.region = self.session.region_name
        self.lambda_, self.iam, self.states = self.client("lambda"), self.client("iam"), self.client("stepfunctions")
        self.logs, self.cloudformation = self.client("logs"), self.client("cloudformation")
        self.s3 = self.client("s3", s3={"addressing_style": "path"} if endpoint else None)
        identity = self.client("sts").get_caller_identity()
        self.account, self.who = identity["Account"], identity["Arn"]
        self.partition = self.who.split(":")[1]

    def client(self, service, s3=None, keys=None):
        """A client that leaves judging parameters to AWS."""
        # An invocation that is repeated would hide what the first was answered.
        retries = {"mode": "standard", "total_max_attempts": 1 if service == "lambda" else 5}
        config = Config(retries=retries, s3=s3, parameter_validation=False)
        return self.session.client(service, endpoint_url=self.endpoint, config=config, **(keys or {}))

    def as_role(self, name, **parameters):
        """Keys of a session of a role, once it can be assumed."""
        made = patiently(
            self.client("sts").assume_role, ROLE_IS_NEW, RoleArn=self.role_arn(name), RoleSessionName="check", **parameters
        )["Credentials"]
        return {
            "aws_access_key_id": made["AccessKeyId"],
            "aws_secret_access_key": made["SecretAccessKey"],
            "aws_session_token": made["SessionToken"],
        }

    def role_arn(self, name):
        return f"arn:{self.partition}:iam::{self.account}:role/{self.name}-{name}"

    def function_arn(self, name):
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}-{name}"

    def role(self, name, principal, statements, condition=None):
        """A role with one policy; its ARN."""
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        if condition:
            trust["Condition"] = condition
        document = {"Version": "2012-10-17", "Statement": [trust]}
        self.iam.create_role(RoleName=f"{self.name}-{name}", AssumeRolePolicyDocument=json.dumps(document))
        if statements:
            self.policy(name, "grants", statements)
        return self.role_arn(name)

    def policy(self, role, name, statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.iam.put_role_policy(RoleName=f"{self.name}-{role}", PolicyName=name, PolicyDocument=document)

    def function(self, name, **settings):
        """A Python function of 128 MB unless said otherwise; what CreateFunction answered."""
        if not getattr(self, "functions_role", None):
            self.functions_role = self.role("function", {"Service": "lambda.amazonaws.com"}, [])
        chosen = {
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "MemorySize": 128,
            "Timeout": 10,
            "Code": {"ZipFile": package("app.py", SOURCE)},
            "Role": self.functions_role,
        }
        return patiently(
            self.lambda_.create_function, ROLE_IS_NEW, FunctionName=f"{self.name}-{name}", **{**chosen, **settings}
        )

    def settled(self, name):
        """Waits until a function's last change is done; its configuration."""

        def look():
            found = self.lambda_.get_function_configuration(FunctionName=f"{self.name}-{name}")
            busy = found["State"] == "Pending" or found["LastUpdateStatus"] == "InProgress"
            return None if busy else found

        return until(look)

    def deployer(self, *arguments):
        """Runs the program on a stack of the check's name."""
        command = [os.environ["DEPLOYER"], *arguments, "--stack-name", self.name, "--region", self.region]
        command += ["--endpoint-url", self.endpoint] if self.endpoint else []
        command += ["--profile", self.profile] if self.profile else []
        # In a group of its own: Ctrl-C reaches it through us, and it has the time to put back what it changed.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            out, err = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=300)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        return process.returncode, out, err

    def clean(self):
        """Removes everything of this name, in an order in which nothing is in use any more; what could not be removed."""
        left = []
        for step in (self.machines_gone, self.stacks_gone, self.functions_gone, self.bucket_gone, self.roles_gone, self.logs_gone):
            try:
                left += step()
            except (ClientError, BotoCoreError) as error:
                left.append(f"{step.__name__}: {error}")
        return left

    def machines_gone(self):
        machines = self.ours(self.states, "list_state_machines", "stateMachines", "name")
        # That of the stack goes with the stack.
        machines = [machine["stateMachineArn"] for machine in machines if machine["name"].endswith("-machine")]
        return gone(self.states.delete_state_machine, [{"stateMachineArn": machine} for machine in machines])

    def stacks_gone(self):
        # Copies are not of this name; the stack knows which are its own.
        self.deployer("cleanup")
        status, _, said = self.deployer("destroy", "--yes")
        stacks = [stack["StackName"] for stack in self.ours(self.cloudformation, "describe_stacks", "Stacks", "StackName")]
        left = gone(self.cloudformation.delete_stack, [{"StackName": stack} for stack in stacks if stack != self.name])
        return left + ([f"the stack {self.name}: {said.strip()}"] if status else [])

    def functions_gone(self):
        functions = self.ours(self.lambda_, "list_functions", "Functions", "FunctionName")
        return gone(self.lambda_.delete_function, [{"FunctionName": function["FunctionName"]} for function in functions])

    def bucket_gone(self):
        buckets = [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]
        return gone(self.s3.delete_bucket, [{"Bucket": bucket} for bucket in buckets if bucket.startswith(self.name)])

    def roles_gone(self):
        left = []
        for role in [role["RoleName"] for role in self.ours(self.iam, "list_roles", "Roles", "RoleName")]:
            policies = self.iam.list_role_policies(RoleName=role)["PolicyNames"]
            left += gone(self.iam.delete_role_policy, [{"RoleName": role, "PolicyName": policy} for policy in policies])
            left += gone(self.iam.delete_role, [{"RoleName": role}])
        return left

    def logs_gone(self):
        pages = self.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/lambda/{self.name}")
        groups = [group["logGroupName"] for page in pages for group in page["logGroups"]]
        return gone(self.logs.delete_log_group, [{"logGroupName": group} for group in groups])

    def ours(self, client, operation, members, name):
        pages = client.get_paginator(operation).paginate()
        return [entry for page in pages for entry in page[members] if entry[name].startswith(self.name)]


def gone(delete, what):
    """Deletes one thing for each of these arguments, waiting while it is in use; what is left."""
    left = []
    for arguments in what:
        end = time.monotonic() + 120
        while True:
            try:
                delete(**arguments)
                break
            except ClientError as error:
                if error.response["Error"]["Code"] in ("ResourceNotFoundException", "NoSuchEntity", "NoSuchBucket"):
                    break
                if time.monotonic() > end:
                    left.append(f"{arguments}: {error}")
                    break
            time.sleep(2)
    return left
