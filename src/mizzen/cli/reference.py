"""`python -m mizzen.cli.reference`: docs/cli.md, written from the commands themselves."""

from __future__ import annotations

import argparse
import os
from typing import cast

from mizzen.cli import exits, verb
from mizzen.cli.main import build_parser


def text() -> str:
    """The whole page as Markdown."""
    os.environ["COLUMNS"] = "96"
    names = verb.names()
    parser = build_parser(names)
    parts = [
        "# The `mizzen` command",
        "Written by `make docs` from the commands themselves; edit those.",
        "Data goes to standard output, progress and errors to standard error. Errors are one line, "
        "`mizzen: what is wrong; what to do next`. Output has no colours (so `NO_COLOR` holds).",
        "| exit code | meaning |\n|-|-|\n"
        + "\n".join(f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS),
    ]
    words = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
    choices = cast("dict[str, argparse.ArgumentParser]", words.choices)
    for name in names:
        parts.append(f"## mizzen {name}\n\n```\n{choices[name].format_help().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(text(), end="")
