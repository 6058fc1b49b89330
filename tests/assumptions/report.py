"""What is assumed about AWS, one sentence each, and what trying it showed."""

import time

from botocore.exceptions import ClientError


class Otherwise(Exception):
    """AWS does something else than was assumed; the text says what."""


def expect(holds, seen):
    """Ends the check of an assumption as false unless it holds; `seen` is what AWS did instead."""
    if not holds:
        raise Otherwise(str(seen))


def refused(code, call, **arguments):
    """Expects that AWS refuses the call with this error code; gives the error."""
    try:
        call(**arguments)
    except ClientError as error:
        expect(error.response["Error"]["Code"] == code, error)
        return error
    raise Otherwise(f"it was not refused with {code}")


def patiently(call, codes, seconds=90, **arguments):
    """Calls until none of these codes is the answer: roles and policies take a while to be known everywhere."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in codes or time.monotonic() > end:
                raise
            time.sleep(1)


def until(what, seconds=120):
    """Waits until a function's answer is true and gives it; None when that takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.3)
    return None


class Group:
    """Assumptions that are tried one after another on the same things."""

    def __init__(self, title):
        self.title, self.claims = title, []

    def prepare(self, function):
        """Decorates the function that makes what the group's assumptions are tried on."""
        self.setting = function
        return function

    def claim(self, sentence, only_on_aws=None):
        """Decorates the function that tries this sentence. `only_on_aws` says why another endpoint cannot tell."""

        def decorate(function):
            self.claims.append((sentence, only_on_aws, function))
            return function

        return decorate


class Report:
    """Prints results as they come and counts them."""

    def __init__(self):
        self.counts = {"true": 0, "FALSE": 0, "unknown": 0, "not tried": 0}

    def line(self, result, sentence, reason=""):
        self.counts[result] += 1
        print(f"{result:>9}  {sentence}" + (f"\n           {reason}" if reason else ""), flush=True)

    def group(self, group, check):
        print(f"\n{group.title}", flush=True)
        try:
            subject = group.setting(check)
        except Exception as error:  # The other groups can still be tried.
            for sentence, _, _ in group.claims:
                self.line("unknown", sentence, f"what it is tried on could not be made: {error}")
            return
        for sentence, only_on_aws, function in group.claims:
            if only_on_aws and not check.is_aws:
                self.line("not tried", sentence, only_on_aws)
                continue
            try:
                function(subject)
            except Otherwise as error:
                self.line("FALSE", sentence, f"instead: {error}")
            except Exception as error:  # Whatever it is, the others are tried, and all is removed in the end.
                self.line("unknown", sentence, f"it could not be tried: {error!r}")
            else:
                self.line("true", sentence)

    def end(self):
        """Prints the counts; the exit status."""
        print("\n" + ", ".join(f"{count} {result}" for result, count in self.counts.items()))
        return 1 if self.counts["FALSE"] or self.counts["unknown"] else 0
