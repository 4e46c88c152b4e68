"""`mizzen allocate`"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter

from mizzen.cli.context import Context, say
from mizzen.cli.exits import FAILED, OK
from mizzen.cli.verb import Verb

_ABOUT = """\
Would these claims fit this node? Reads one JSON object per line on standard input and writes one
line for each: {"results": [AllocationResult, one per claim], "reason": ""} when they fit,
{"results": null, "reason": "why not"} when they do not, {"error": "…"} when a scheduler would have
to give up on the attempt (a selector that fails, an unknown class, an invalid pool). Needs no
running instance.

Fields of a case; null or absent means empty:
  claims, classes, slices, node   ResourceClaims, DeviceClasses, ResourceSlices and the Node, as the
                                  API serves them (kubectl get -o json)
  features                        feature gates that are on beside those that are generally
                                  available: DRADeviceTaints, DRAPartitionableDevices,
                                  DRAConsumableCapacity, DRADeviceBindingConditions+
                                  DRAResourceClaimDeviceStatus, DRAListTypeAttributes
  allocatedDevices                ["driver/pool/device"] in use
  allocatedShared                 ["driver/pool/device/shareID"] shares in use
  allocatedCapacity               {"driver/pool/device": {"capacity": "quantity"}} they consume
  order                           "compat" (what Kubernetes 1.36 answers, to the letter; objects
                                  are taken as written) or "pack" (Mizzen's: keeps whole devices
                                  together; absent fields get the API server's defaults)

A line that cannot be read gets an error and the rest goes on; the exit code is then 1. How to
make cases of a cluster: docs/scheduling.md.
"""


def configure(parser: ArgumentParser) -> None:
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.description = _ABOUT


def run(_context: Context) -> int:
    from mizzen.scheduler.allocating import Allocator

    allocator = Allocator()
    for line in allocator.answers(sys.stdin or ()):  # None: standard input was closed
        print(line, flush=True)
    if allocator.bad:
        say(f"mizzen: cases that could not be read: {allocator.bad}; their lines say why")
    return FAILED if allocator.bad else OK


VERB = Verb(
    name="allocate",
    summary="say whether claims would fit a node, and which devices they would get",
    example="mizzen allocate < cases.jsonl",
    configure=configure,
    run=run,
)
