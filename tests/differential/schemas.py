"""The schema of a kind that is written, by which its bodies are changed."""

from __future__ import annotations

from functools import cache

from differential.objects import Written
from differential.setup import WIDGETS
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.schema import Schema
from mizzen.kinds.structural import translate


@cache
def schema_of(kind: Written) -> Schema:
    if kind.is_custom:
        return translate(WIDGETS["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    return _builtin()[kind.plural, kind.kind]


@cache
def _builtin() -> dict[tuple[str, str], Schema]:
    return {(k.resource.plural, k.resource.kind): k.schema for k in builtin_kinds().values()}
