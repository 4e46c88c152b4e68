"""The same requests to Mizzen's API server and to upstream's, and what their answers differ in."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from support.api_handlers import Api
from support.real_cluster import Cluster

SETTLES_S = 15.0
Obj = dict[str, Any]
_OWN = re.compile("changes nothing|Mizzen|pods are processes")


class Case(NamedTuple):
    """One request. `settles`: upstream acts a little later upon what came before it, so it is sent
    there again until the answers agree, for a while. `undo` is sent between two tries."""

    method: str
    path: str
    body: Obj | None = None
    settles: bool = False
    undo: str = ""
    content_type: str = ""


class Answer(NamedTuple):
    code: int
    body: Any
    warnings: list[str]


Shown = Callable[[Case, Answer], Any]


def refusals(case: Case, answer: Answer) -> Any:
    """Of a refusal its reason and words, and warnings of all but what Mizzen's nodes cannot do."""
    code, body, warnings = answer
    warnings = [each for each in warnings if not _OWN.search(each)]
    if code < 400:
        return code, warnings
    return code, body.get("reason"), body["message"], body.get("details"), warnings


async def ours(api: Api, case: Case) -> Answer:
    merge = "application/merge-patch+json" if case.method == "PATCH" else "application/json"
    kind = case.content_type or merge
    made = await api.send(case.method, case.path, case.body, content_type=kind)
    warnings = [value for name, value in made.headers if name == "warning"]
    return Answer(made.status, json.loads(made.body or b"null"), warnings)


def theirs(cluster: Cluster, case: Case) -> Answer:
    return Answer(*cluster.ask(case.method, case.path, case.body, case.content_type))


async def differences(
    api: Api, cluster: Cluster, cases: Iterable[Case], shown: Shown = refusals
) -> list[str]:
    """One paragraph for each case that is answered differently, after it has settled."""
    found: list[str] = []
    for case in cases:
        mine = shown(case, await ours(api, case))
        other = shown(case, theirs(cluster, case))
        ends = time.monotonic() + SETTLES_S
        while case.settles and mine != other and time.monotonic() < ends:
            if case.undo:
                cluster.call("DELETE", case.undo)
            await asyncio.sleep(0.2)
            other = shown(case, theirs(cluster, case))
        if mine != other:
            found.append(f"{case}:\n  ours   {mine}\n  theirs {other}")
    return found
