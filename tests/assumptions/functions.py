"""Lambda's functions, versions, aliases and revisions: what undoing a run relies on."""

import base64
import hashlib
import urllib.request

from botocore.exceptions import ClientError

from report import Group, expect, refused, until

GROUP = Group("Functions, versions and aliases")
claim = GROUP.claim


class Subject:
    """A function that is changed, published and pointed at."""

    def __init__(self, check):
        self.check, self.client = check, check.lambda_
        self.id = {"FunctionName": f"{check.name}-versions"}
        self.created = check.function("versions", Description="first")

    def settled(self):
        return self.check.settled("versions")

    def revision(self):
        return self.settled()["RevisionId"]

    def update(self, **settings):
        self.settled()
        answer = self.client.update_function_configuration(**self.id, **settings)
        self.settled()
        return answer

    def publish(self, **settings):
        self.settled()
        return self.client.publish_version(**self.id, **settings)

    def alias(self, name, version, **settings):
        return self.client.create_alias(**self.id, Name=name, FunctionVersion=version, **settings)


@GROUP.prepare
def prepare(check):
    return Subject(check)


@claim("A new function is Pending, and Active soon after")
def pending(it):
    expect(it.created["State"] == "Pending", it.created["State"])
    expect(it.settled()["State"] == "Active", it.settled())


@claim("PublishVersion gives $LATEST a new RevisionId")
def publishing_revises(it):
    before = it.revision()
    it.first = it.publish(Description="one")
    expect(it.revision() != before, "it kept its revision")


@claim("A version without SnapStart is Active when PublishVersion answers")
def active_at_once(it):
    expect(it.first.get("State") in (None, "Active"), it.first["State"])
    found = it.client.get_function_configuration(**it.id, Qualifier=it.first["Version"])
    expect(found["State"] == "Active", found["State"])


@claim("Publishing again without a change answers the version there is, with the description it has")
def publishing_twice(it):
    again = it.publish(Description="one")
    expect(again["Version"] == it.first["Version"], again["Version"])
    expect(again["Description"] == "one", again["Description"])


@claim("A memory size alone makes a new version")
def size_makes_a_version(it):
    it.update(MemorySize=192)
    it.second = it.publish(Description="two")
    expect(it.second["Version"] != it.first["Version"], it.second["Version"])
    expect(it.second["MemorySize"] == 192, it.second["MemorySize"])


@claim("CreateAlias leaves the RevisionId of $LATEST as it is")
def aliases_do_not_revise(it):
    before = it.revision()
    it.alias("one", it.first["Version"])
    expect(it.revision() == before, "it has a new one")


@claim("An alias that is there already is refused with ResourceConflictException, 409")
def alias_is_taken(it):
    error = refused("ResourceConflictException", it.alias, name="one", version=it.first["Version"])
    expect(error.response["ResponseMetadata"]["HTTPStatusCode"] == 409, error)


@claim("An alias may point at $LATEST, and its description has room for 256 characters")
def alias_on_latest(it):
    made = it.alias("latest", "$LATEST", Description="d" * 256)
    expect(made["FunctionVersion"] == "$LATEST" and len(made["Description"]) == 256, made)


@claim("A description of 257 characters is refused")
def long_description(it):
    try:
        it.alias("long", "$LATEST", Description="d" * 257)
    except ClientError as error:
        expect(error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error)
    else:
        expect(False, "it was taken")


@claim("A version with an alias on it cannot be deleted: ResourceConflictException")
def version_in_use(it):
    refused("ResourceConflictException", it.client.delete_function, **it.id, Qualifier=it.first["Version"])


@claim("Deleting a version that is not there succeeds, and its number is never used again")
def numbers(it):
    it.client.delete_function(**it.id, Qualifier=it.second["Version"])
    it.client.delete_function(**it.id, Qualifier=it.second["Version"])
    it.update(MemorySize=193)
    third = it.publish()
    expect(int(third["Version"]) > int(it.second["Version"]), third["Version"])


@claim("The end of an update gives $LATEST another RevisionId than the one the update answered")
def ends_revise(it):
    it.settled()
    answered = it.client.update_function_configuration(**it.id, MemorySize=256)
    if answered["LastUpdateStatus"] == "InProgress":
        expect(it.revision() != answered["RevisionId"], "it kept its revision")


@claim("TagResource gives $LATEST a new RevisionId")
def tags_revise(it):
    before = it.revision()
    it.client.tag_resource(Resource=it.check.function_arn("versions"), Tags={"colour": "blue"})
    expect(until(lambda: it.revision() != before, 20), "it kept its revision")


@claim("A change with a RevisionId of before is refused with PreconditionFailedException, 412")
def preconditions(it):
    stale = it.revision()
    it.update(Description="second")
    arguments = {**it.id, "MemorySize": 320, "RevisionId": stale}
    error = refused("PreconditionFailedException", it.client.update_function_configuration, **arguments)
    expect(error.response["ResponseMetadata"]["HTTPStatusCode"] == 412, error)


@claim("A change while another is InProgress is refused with ResourceConflictException, or not at all")
def conflicts(it):
    it.settled()
    it.client.update_function_configuration(**it.id, MemorySize=384)
    try:
        it.client.update_function_configuration(**it.id, MemorySize=385)
    except ClientError as error:
        expect(error.response["Error"]["Code"] == "ResourceConflictException", error)
    it.settled()


@claim("127 MB is refused; a size AWS has but this account's quota has not is refused with one of two codes")
def sizes(it):
    it.settled()
    refused("ValidationException", it.client.update_function_configuration, **it.id, MemorySize=127)
    try:
        it.update(MemorySize=10240)
    except ClientError as error:
        expect(error.response["Error"]["Code"] in ("InvalidParameterValueException", "ValidationException"), error)
    it.update(MemorySize=128)


@claim("GetFunction's Location needs no credentials, and what lies there has the function's CodeSha256")
def location(it):
    found = it.client.get_function(**it.id)
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        digest = base64.b64encode(hashlib.sha256(answer.read()).digest()).decode()
    expect(digest == found["Configuration"]["CodeSha256"], digest)
