"""All rules by name, in the order in which they are written."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from support.api_rules.talk import Talk

_AREAS = (
    "reading",
    "writing",
    "patching",
    "applying",
    "deleting",
    "discovery",
    "definitions",
    "identity",
    "accounts",
    "access",
    "admission",
    "autoscaling",
)
_found: dict[str, Rule] = {}


@dataclass(frozen=True)
class Rule:
    """`text` says what holds, `ask` raises AssertionError where it does not."""

    area: str
    text: str
    ask: Callable[[Talk], None]


def rule(text: str) -> Callable[[Callable[[Talk], None]], Callable[[Talk], None]]:
    def add(ask: Callable[[Talk], None]) -> Callable[[Talk], None]:
        assert ask.__name__ not in _found, f"two rules are called {ask.__name__}"
        _found[ask.__name__] = Rule(ask.__module__.rpartition(".")[2], text, ask)
        return ask

    return add


def rules() -> Mapping[str, Rule]:
    for area in _AREAS:
        importlib.import_module(f"support.api_rules.{area}")
    return _found
