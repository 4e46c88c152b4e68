"""`mizzen kubeconfig`"""

from __future__ import annotations

import os
import sys

from mizzen.cli.context import Context, say
from mizzen.cli.exits import NOT_FOUND, CliError
from mizzen.cli.verb import Verb, nothing_to_configure


def run(context: Context) -> int:
    path = context.home.kubeconfig
    if not path.exists():
        raise CliError(
            f"no kubeconfig at {path} yet: the first `mizzen up --detach` makes it", NOT_FOUND
        )
    if ":" in str(path):
        say(
            "mizzen: $KUBECONFIG is a list that is split at ':', and this path has one: use "
            "`kubectl --kubeconfig`, or another folder with --home"
        )
    # The very bytes, whatever the locale can spell: the path is for another program.
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    return 0


VERB = Verb(
    name="kubeconfig",
    summary="print the path of the kubeconfig file",
    example="export KUBECONFIG=$(mizzen kubeconfig)\nkubectl get pods --all-namespaces",
    configure=nothing_to_configure,
    run=run,
)
