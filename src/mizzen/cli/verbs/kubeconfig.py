"""`mizzen kubeconfig`"""

from __future__ import annotations

from mizzen.cli.context import Context
from mizzen.cli.exits import NOT_FOUND, CliError
from mizzen.cli.verb import Verb, nothing_to_configure


def run(context: Context) -> int:
    path = context.home.kubeconfig
    if not path.exists():
        raise CliError(
            f"no kubeconfig at {path} yet: the first `mizzen up --detach` makes it", NOT_FOUND
        )
    print(path)
    return 0


VERB = Verb(
    name="kubeconfig",
    summary="print the path of the kubeconfig file",
    example="export KUBECONFIG=$(mizzen kubeconfig)\nkubectl get pods --all-namespaces",
    configure=nothing_to_configure,
    run=run,
)
