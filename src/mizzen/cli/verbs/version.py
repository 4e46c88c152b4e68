"""`mizzen version`"""

from __future__ import annotations

import platform

import mizzen
from mizzen.cli.context import Context
from mizzen.cli.output import emit
from mizzen.cli.verb import Verb, nothing_to_configure


def run(context: Context) -> int:
    row = {"version": mizzen.__version__, "python": platform.python_version()}
    emit(context.args.output, [row], [("VERSION", "version"), ("PYTHON", "python")], "version")
    return 0


VERB = Verb(
    name="version",
    summary="print the version",
    example="mizzen version -o json",
    configure=nothing_to_configure,
    run=run,
    prints_data=True,
)
