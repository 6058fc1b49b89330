# A function for an emulator whose log tails have no REPORT line: it writes one itself, like Lambda's, unless it is told to be
# quiet.
import os
import time


def handler(event, context):
    started = time.perf_counter()
    time.sleep(int(os.environ.get("MILLISECONDS", "20")) / 1000)
    took = (time.perf_counter() - started) * 1000
    if (event or {}).get("quiet"):
        return event
    print(
        f"REPORT RequestId: {context.aws_request_id}\tDuration: {took:.2f} ms\tBilled Duration: {int(took) + 1} ms\t"
        f"Memory Size: {context.memory_limit_in_mb} MB\tMax Memory Used: 40 MB\t",
        flush=True,
    )
    return event
