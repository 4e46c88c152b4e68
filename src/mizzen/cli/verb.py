"""The declaration of a verb, and how all of them are found."""

from __future__ import annotations

import importlib
import pkgutil
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass

from mizzen.cli import verbs
from mizzen.cli.context import Context


@dataclass(frozen=True, slots=True)
class Verb:
    """One word of the command line.

    `run` returns the exit code; it may raise CliError, ApiError or OSError, which become one line.
    `prints_data` adds -o; `namespaced` adds -n; `rest` names what may follow `--`, kept in
    `args.rest` as it was typed.
    """

    name: str
    summary: str
    example: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[Context], int]
    prints_data: bool = False
    namespaced: bool = False
    rest: str = ""


def names() -> list[str]:
    """All verbs, without importing any."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(verbs.__path__))


def load(name: str) -> Verb:
    module = name.replace("-", "_")
    verb = importlib.import_module(f"{verbs.__name__}.{module}").VERB
    assert isinstance(verb, Verb) and verb.name == name, f"verbs/{module}.py defines VERB {name}"
    return verb


def nothing_to_configure(_parser: ArgumentParser) -> None:
    """For verbs without options of their own."""
