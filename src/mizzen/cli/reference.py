"""`python -m mizzen.cli.reference`: docs/cli.md, written from the commands themselves."""

from __future__ import annotations

import argparse
from typing import Any, cast

from mizzen.cli import exits, verb
from mizzen.cli.main import build_parser


def text() -> str:
    """The whole page as Markdown."""
    names = verb.names()
    parser = build_parser(names)
    choices = _verbs(parser)
    parts = [
        "# The `mizzen` command",
        "Written by `make docs` from the commands themselves; edit those.",
        "Data goes to standard output, progress and errors to standard error. Errors are one line, "
        "`mizzen: what is wrong; what to do next`. Output has no colours (so `NO_COLOR` holds).",
        "| exit code | meaning |\n|-|-|\n"
        + "\n".join(f"| {code} | {meaning} |" for code, meaning in exits.MEANINGS),
    ]
    parts += [_section(name, choices[name]) for name in names]
    return "\n\n".join(parts) + "\n"


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    # Not format_help(): its text differs between versions of Python.
    lines = [f"## mizzen {name}", "", str(parser.description), ""]
    for action in cast("list[argparse.Action]", vars(parser)["_actions"]):
        if action.dest not in ("help", "home"):
            shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            value = f" {action.metavar or action.dest.upper()}" if _takes_value(action) else ""
            lines.append(f"- `{shown}{value}`: {action.help or ''}")
    entry: verb.Verb = parser.get_default("entry")
    if entry.rest:
        lines.append(f"- `-- {entry.rest}`: handed on as they are")
    lines += ["", "```", entry.example, "```"]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _takes_value(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.nargs != 0


def _verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    # argparse has no public way to ask a parser for its sub-parsers.
    found: dict[str, Any] = vars(parser)
    for group in cast("list[Any]", found["_subparsers"]._group_actions):
        return cast("dict[str, argparse.ArgumentParser]", group.choices)
    raise AssertionError("the command has verbs")


if __name__ == "__main__":
    print(text(), end="")
