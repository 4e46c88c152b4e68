"""One object, written step by step by several managers; what is compared of each answer."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mizzen.kinds.patches import merge_patch

Json = dict[str, Any]
# (method, path with query, body, content type) -> (HTTP status, answer)
Ask = Callable[[str, str, Any, str], Awaitable[tuple[int, Any]]]

APPLY = "application/apply-patch+yaml"
_TYPES = {
    "apply": APPLY,
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}
_CHANGING = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "selfLink")
# What servers add by themselves, each its own way, is not what these cases are about.
_SERVERS = ("clusterIP", "clusterIPs", "serviceAccount", "serviceAccountName", "tolerations")


@dataclass(frozen=True)
class Step:
    """`how` is create, put, merge, strategic, json, apply or delete; a `put` changes what is there
    as a merge patch would."""

    how: str
    manager: str
    body: Any
    part: str = ""  # subresource
    query: str = ""

    def __str__(self) -> str:
        place = f"/{self.part}" if self.part else ""
        return f"{self.how}{place} by {self.manager} {self.query} {json.dumps(self.body)}"


@dataclass(frozen=True)
class Place:
    """Where an object of a kind lives, without its namespace."""

    prefix: str  # /api/v1 or /apis/GROUP/VERSION
    plural: str
    api_version: str
    kind: str

    def envelope(self, name: str, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        metadata = {"name": name, **body.get("metadata", {})}
        return {"apiVersion": self.api_version, "kind": self.kind, **body, "metadata": metadata}


async def play(
    ask: Ask, place: Place, namespace: str, name: str, steps: Sequence[Step]
) -> list[Any]:
    """What is to be seen after each step; the object is removed afterwards."""
    collection = f"{place.prefix}/namespaces/{namespace}/{place.plural}"
    path = f"{collection}/{name}"
    seen: list[Any] = []
    before: Json = {}
    for step in steps:
        query = f"?fieldManager={step.manager}" + (f"&{step.query}" if step.query else "")
        target = path + (f"/{step.part}" if step.part else "") + query
        if step.how == "create":
            body = place.envelope(name, step.body)
            code, answer = await ask("POST", collection + query, body, "application/json")
        elif step.how == "put":
            body = merge_patch(before, step.body)
            code, answer = await ask("PUT", target, body, "application/json")
        elif step.how == "delete":
            code, answer = await ask("DELETE", path, None, "application/json")
        else:
            body = place.envelope(name, step.body) if step.how == "apply" else step.body
            code, answer = await ask("PATCH", target, body, _TYPES[step.how])
        found = (await ask("GET", path, None, "application/json"))[1]
        live = found if found.get("kind") == place.kind else {}
        seen.append(
            [code, _refusal(answer) if code >= 400 else None, _shown(live), _moved(before, live)]
        )
        before = live
    patch = {"metadata": {"finalizers": None}}
    await ask("PATCH", path, patch, _TYPES["merge"])
    await ask("DELETE", f"{path}?gracePeriodSeconds=0", None, "application/json")
    return json.loads(json.dumps(seen))


def _refusal(answer: Json) -> list[Any]:
    causes = [
        [each.get("reason"), each.get("field"), each.get("message")]
        for each in answer.get("details", {}).get("causes", [])
    ]
    causes = sorted(
        {json.dumps(each) for each in causes}
    )  # those of several managers come in any order
    return [
        answer.get("reason"),
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UID", answer["message"]),
        causes,
    ]


def _moved(before: Json, live: Json) -> str:
    """Which numbers the step moved: of a write that changed nothing, none."""
    old, new = before.get("metadata", {}), live.get("metadata", {})
    return " ".join(n for n in ("resourceVersion", "generation") if old.get(n) != new.get(n))


def _shown(obj: Json) -> Json:
    """The object without what differs from server to server."""
    if not obj:
        return {}
    obj = copy.deepcopy(obj)
    metadata = {n: v for n, v in obj["metadata"].items() if n not in _CHANGING}
    managed = metadata.pop("managedFields", [])
    for entry in managed:
        if "time" in entry:
            entry["time"] = "T"
    metadata["managedFields"] = sorted(
        managed,
        key=lambda e: (
            e["operation"],
            e.get("manager", ""),
            e.get("subresource", ""),
            e["apiVersion"],
        ),
    )
    spec = {n: v for n, v in obj.get("spec", {}).items() if n not in _SERVERS}
    rest = {n: v for n, v in obj.items() if n not in ("metadata", "spec")}
    return {**rest, "metadata": metadata, "spec": spec}


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two answers are not alike, each with both values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            found
            for name in sorted({*ours, *theirs})
            for found in differences(ours.get(name), theirs.get(name), f"{path}/{name}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            found
            for index, (one, other) in enumerate(zip(ours, theirs, strict=True))
            for found in differences(one, other, f"{path}/{index}")
        ]
    return [] if ours == theirs else [f"{path}\n    ours   {ours}\n    theirs {theirs}"]
