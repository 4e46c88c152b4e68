"""The record on an object of why it waits, for programs: compact JSON, bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, cast

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.explaining.changes import Change, Constraint, Relax, shortened
from mizzen.scheduler.core.types import Reason, Unschedulable

BYTES_MAX = 4096
LISTED_MAX = 16  # pods and nodes that a change lists; it counts all of them


def record(why: Unschedulable) -> str:
    """`{"nodes", "reasons": [...], "changes": [...]}`; reasons are left out last first if too long."""
    reasons = [_reason(reason) for reason in why.reasons]
    changes = [_change(change) for change in why.changes]
    left_out = 0
    while True:
        body: Obj = {"nodes": why.nodes, "reasons": reasons, "changes": changes}
        if left_out:
            body["leftOut"] = left_out
        text = json.dumps(body, separators=(",", ":"))
        if len(text.encode()) <= BYTES_MAX or not (reasons or changes):
            return text
        left_out += 1
        (reasons if len(reasons) > 1 or not changes else changes).pop()


def _reason(reason: Reason) -> Obj:
    entry: Obj = {"reason": reason.word, "nodes": reason.nodes, "message": reason.detail}
    for name, value in reason.figures:
        entry[name] = value
    return entry


def _change(change: Change) -> Obj:
    entry: Obj = {"change": change.kind, "message": change.sentence}
    entry["verified"] = change.is_verified
    if isinstance(change, Relax):
        entry["constraints"] = [_constraint(c) for c in change.constraints]
    else:
        entry |= _fields(change)
    return entry


def _constraint(constraint: Constraint) -> Obj:
    return {"constraint": constraint.kind, **_fields(constraint)}


def _fields(value: Change | Constraint) -> Obj:
    found: Obj = {}
    for item in fields(value):
        content: Any = getattr(value, item.name)
        if content is None or content == "" or content == ():
            continue
        found[_camel(item.name)] = _plain(content)
    return found


def _plain(content: Any) -> Any:
    if isinstance(content, Key):
        return str(content)
    if isinstance(content, str):
        return shortened(content)
    if isinstance(content, tuple):
        return [_plain(item) for item in cast("Sequence[Any]", content)[:LISTED_MAX]]
    return content


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
