"""Tries what the project assumes about AWS; `tests/account` runs this."""

import argparse
import os
import re
import signal
import sys

from botocore.exceptions import BotoCoreError, ClientError

import access
import deployments
import functions
import invocations
import machines
import metrics
import program
from check import Check
from report import Report

# At the prices of us-east-1 in November 2026, rounded up; the free tier is not counted.
COSTS = """\
  0.3 cents   Step Functions: fewer than 120 state transitions at 0.0025 cents
  0.2 cents   Lambda: fewer than 120 short invocations of 128 to 512 MB, a minute of one that waits for its time-out
  0.3 cents   SnapStart: one version of 128 MB is cached, which AWS bills for at least 3 hours
  0.2 cents   S3 and CloudWatch Logs: a few dozen requests, 15 MB for some minutes
  0.6 cents   CloudWatch: 600 figures of metrics at most
  ---------
  2   cents   altogether, at most 3"""

# What no script can tell within minutes or without things that cost more.
NOT_HERE = """\
Not tried here: connections forgotten after 350 s of silence; 15 control-plane calls a second; EventBridge losing an event; the
growth of concurrency by 1,000 every 10 s; customer-managed keys, VPCs, images, capacity providers, durable functions; prices."""


def name_of_a_check(text):
    """A name as checks have, nothing else: everything whose name begins with it is deleted."""
    if not re.fullmatch("deployer-check-[0-9a-f]{6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a check: they look like deployer-check-0f3a9c")
    return text


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/account",
        description="Tries in your AWS account what this project assumes about AWS, and prints each assumption as true or false.",
    )
    parser.add_argument("--region", help="the Region [default: as the AWS CLI finds it]")
    parser.add_argument("--profile", help="the profile of ~/.aws/config")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--architecture", help="what the stack's functions are built for [default: arm64]")
    parser.add_argument("--clean", metavar="NAME", type=name_of_a_check, help="only remove what a killed check of this name left behind")
    return parser.parse_args()


def agreed(check):
    print(f"This makes functions, roles, a bucket, state machines and stacks named {check.name}… in the account")
    print(f"{check.account}, Region {check.region}, as {check.who}, and removes them again. It takes about a quarter of an hour.\n")
    print(f"It costs about:\n{COSTS}\n", flush=True)
    try:
        return input("Type yes to begin: ").strip() == "yes"
    except EOFError:
        return False


def removed(check):
    """Removes all that was made, whatever Ctrl-C says meanwhile; true when nothing is left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(f"\nRemoving everything named {check.name}…; please let it finish", flush=True)
    left = check.clean()
    for what in left:
        print(f"not removed: {what}")
    if left:
        print(f"When you have seen to that: tests/account --clean {check.name}")
    return not left


def main():
    chosen = arguments()
    try:
        check = Check(chosen.region, chosen.profile, os.environ.get("AWS_ENDPOINT_URL"), chosen.clean, chosen.architecture)
    except (BotoCoreError, ClientError) as error:
        print(f"no account to check: {error}", file=sys.stderr)
        return 2
    if chosen.clean:
        return 0 if removed(check) else 1
    if not chosen.yes and not agreed(check):
        print("nothing was made")
        return 1
    print(f"The name of this check is {check.name}.", flush=True)
    # A process that is told to end removes what it made, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report, status = Report(), 130
    try:
        for group in (functions.GROUP, invocations.GROUP, metrics.GROUP, access.GROUP, machines.GROUP, deployments.GROUP, program.GROUP):
            report.group(group, check)
        print(f"\n{NOT_HERE}")
        status = report.end()
    except KeyboardInterrupt:
        print("\ninterrupted")
    finally:
        if not removed(check):
            status = status or 1
    return status


sys.exit(main())
