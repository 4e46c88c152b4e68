"""An intent: what a decision is about to write, as a value that outlives the scheduler.

A bind is the moment at which one pod's decision takes effect: before it, nothing but claims has
been written, and claims reserved for an unbound pod say so themselves. Only a decision of several
binds has a state in between that cannot be told from its objects; its intent is stored (as a
ConfigMap) before the first write and removed after the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from mizzen.base import names
from mizzen.base.objects import Key, Obj, name_of
from mizzen.base.operations import Bind, Operation, Patch
from mizzen.base.resources import RESOURCE_CLAIMS
from mizzen.scheduler.core.types import Decision

_FIELD = "intent.json"
_ROLLING_BACK = "rollingBack"
SUBJECT_CHARS_MAX = 512


@dataclass(frozen=True, slots=True)
class PodIntent:
    """A pod, this incarnation of it, and the node it is being bound to."""

    key: Key
    uid: str
    node: str


@dataclass(frozen=True, slots=True)
class ClaimIntent:
    """A claim, whom it is being reserved for (uids), and the allocation it is being given.

    `allocation` is None for a claim that had one before; that one is never taken back.
    """

    key: Key
    uid: str
    consumers: tuple[str, ...]
    allocation: Obj | None


@dataclass(frozen=True, slots=True)
class Intent:
    """All pods and claims of one decision; fewer than `needed` pods bound must not remain."""

    name: str
    subject: str
    needed: int
    pods: tuple[PodIntent, ...]
    claims: tuple[ClaimIntent, ...]
    is_rolling_back: bool = False


def intent_of(decision: Decision) -> Intent | None:
    """The decision's binds and claims; None when it binds nothing."""
    pods = tuple(
        PodIntent(Key(o.namespace, o.name), o.uid, o.node)
        for o in decision.operations
        if isinstance(o, Bind)
    )
    if not pods:
        return None
    uids = {pod.uid for pod in pods}
    needed = len(pods) if decision.needed is None else min(decision.needed, len(pods))
    claims = tuple(_claims(decision.operations, uids))
    return Intent(f"intent-{pods[0].uid}", decision.subject, needed, pods, claims)


def _claims(operations: Iterable[Operation], uids: set[str]) -> Iterable[ClaimIntent]:
    for operation in operations:
        if not isinstance(operation, Patch) or operation.resource != RESOURCE_CLAIMS:
            continue
        if operation.subresource != "status":
            continue
        status: Obj = operation.patch["status"]
        reserved = (str(entry.get("uid")) for entry in status.get("reservedFor") or ())
        yield ClaimIntent(
            Key(operation.namespace, operation.name),
            operation.uid,
            tuple(uid for uid in reserved if uid in uids),
            status.get("allocation"),
        )


# -- as a ConfigMap ---------------------------------------------------------------------


def record(intent: Intent, namespace: str) -> Obj:
    """The ConfigMap that stores the intent."""
    body: Obj = {
        "subject": intent.subject[:SUBJECT_CHARS_MAX],
        "needed": intent.needed,
        "pods": [[p.key.namespace, p.key.name, p.uid, p.node] for p in intent.pods],
        "claims": [
            [c.key.namespace, c.key.name, c.uid, list(c.consumers), c.allocation]
            for c in intent.claims
        ],
    }
    data = {_FIELD: json.dumps(body, separators=(",", ":"))}
    if intent.is_rolling_back:
        data |= rolling_back()["data"]
    return {
        "metadata": {
            "name": intent.name,
            "namespace": namespace,
            "labels": {names.INTENT: "true"},
        },
        "data": data,
    }


def rolling_back() -> Obj:
    """The patch that makes a stored intent one that is only taken back from now on."""
    return {"data": {_ROLLING_BACK: "true"}}


def no_longer_rolling_back() -> Obj:
    """The patch that takes `rolling_back` off, for a record that is written over."""
    return {"data": {_ROLLING_BACK: None}}


def read_record(obj: Obj) -> Intent:
    """The intent that a ConfigMap stores. Errors: ValueError that says what is wrong with it."""
    data = cast("Mapping[str, str]", obj.get("data") or {})
    try:
        body: Any = json.loads(data[_FIELD])
        intent = Intent(
            name_of(obj),
            str(body["subject"]),
            int(body["needed"]),
            tuple(PodIntent(Key(ns, name), uid, node) for ns, name, uid, node in body["pods"]),
            tuple(
                ClaimIntent(Key(ns, name), uid, tuple(consumers), allocation)
                for ns, name, uid, consumers, allocation in body["claims"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'ConfigMap "{name_of(obj)}" holds no intent: {error!r}') from error
    return replace(intent, is_rolling_back=data.get(_ROLLING_BACK) == "true")
