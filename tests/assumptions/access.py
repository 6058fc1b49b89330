"""Who may do what: the rules that least privilege and the Cleaner rely on."""

import time

from botocore.exceptions import ClientError

from report import Group, expect, patiently, refused, until

GROUP = Group("Permissions, roles and buckets")
claim = GROUP.claim


class Subject:
    """A function with two versions, a bucket, and roles that may do little."""

    def __init__(self, check):
        self.check = check
        check.function("guarded")
        check.settled("guarded")
        self.name = f"{check.name}-guarded"
        self.version = check.lambda_.publish_version(FunctionName=self.name)["Version"]
        function, account = check.function_arn("guarded"), {"AWS": f"arn:{check.partition}:iam::{check.account}:root"}
        self.bucket = f"{check.name}-{check.account}"
        where = {} if check.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": check.region}}
        self.where = where
        check.s3.create_bucket(Bucket=self.bucket, **where)
        objects = f"arn:{check.partition}:s3:::{self.bucket}"
        self.allowed = {
            "versions": [{"Effect": "Allow", "Action": "lambda:DeleteFunction", "Resource": f"{function}:*"}],
            "plain": [{"Effect": "Allow", "Action": ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"], "Resource": function}],
            "reader": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{objects}/*"}],
            "lister": [
                {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{objects}/*"},
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": objects},
            ],
        }
        for name, statements in self.allowed.items():
            check.role(name, account, statements)
        check.role("external", account, [], {"StringEquals": {"sts:ExternalId": "agreed"}})
        self.keys = {name: check.as_role(name) for name in self.allowed}
        # Policies take a while to be in force: the one put last is waited for.
        lister = self.s3("lister")
        until(lambda: code_of(lister.get_object, Bucket=self.bucket, Key="none") == "NoSuchKey", 90)

    def lambda_(self, role):
        return self.check.client("lambda", keys=self.keys[role])

    def s3(self, role):
        style = None if self.check.is_aws else {"addressing_style": "path"}
        return self.check.client("s3", s3=style, keys=self.keys[role])


def code_of(call, **arguments):
    """The error code a call is answered with; None when it succeeds."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("lambda:DeleteFunction on the ARN with a qualifier does not delete the function")
def versions_only(it):
    refused("AccessDeniedException", it.lambda_("versions").delete_function, FunctionName=it.name)


@claim("It deletes a version of it")
def a_version(it):
    patiently(
        it.lambda_("versions").delete_function, {"AccessDeniedException"}, FunctionName=it.name, Qualifier=it.version
    )


@claim("A grant on the function's own ARN lets it be invoked, but not at a qualifier")
def qualified_calls(it):
    client = it.lambda_("plain")
    patiently(client.invoke, {"AccessDeniedException"}, FunctionName=it.name, Payload=b"{}")
    refused("AccessDeniedException", client.invoke, FunctionName=it.name, Qualifier="$LATEST", Payload=b"{}")


@claim("Without permission nobody learns whether a function exists")
def silence(it):
    name = f"{it.check.name}-none"
    refused("AccessDeniedException", it.lambda_("plain").get_function_configuration, FunctionName=name)


@claim("A trust policy's sts:ExternalId is asked for: AccessDenied without it")
def external_id(it):
    assume = it.check.client("sts").assume_role
    arguments = {"RoleArn": it.check.role_arn("external"), "RoleSessionName": "check"}
    patiently(assume, {"AccessDenied"}, **arguments, ExternalId="agreed")
    refused("AccessDenied", assume, **arguments, ExternalId="other")
    refused("AccessDenied", assume, **arguments)


@claim("An object that is not there is NoSuchKey for who may list the bucket, AccessDenied (403) for others")
def missing_keys(it):
    refused("NoSuchKey", it.s3("lister").get_object, Bucket=it.bucket, Key="none")
    error = refused("AccessDenied", it.s3("reader").get_object, Bucket=it.bucket, Key="none")
    expect(error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error)


@claim("The name of a bucket that was just deleted is free, or OperationAborted for a while")
def bucket_names(it):
    it.check.s3.delete_bucket(Bucket=it.bucket)
    time.sleep(1)
    code = code_of(it.check.s3.create_bucket, Bucket=it.bucket, **it.where)
    expect(code in (None, "OperationAborted"), code)
