"""Server-side apply by several managers, with other writes between."""

from __future__ import annotations

from typing import Any

from differential.draws import Draws
from differential.steps import APPLY, JSON, JSON_PATCH, MERGE, STRATEGIC
from differential.steps import Step as Request
from support.apply_cases.random_steps import sequence as steps_of
from support.apply_cases.steps import Place, Step

_KINDS = {"apply": APPLY, "merge": MERGE, "strategic": STRATEGIC, "json": JSON_PATCH}


def sequence(draws: Draws) -> list[Request]:
    place, steps = steps_of(draws.randrange(1 << 30))
    return requests(place, steps)


def requests(place: Place, steps: list[Step]) -> list[Request]:
    """Each write, and a look at what it left."""
    collection = f"{place.prefix}/namespaces/<<ns>>/{place.plural}"
    path = f"{collection}/obj"
    found: list[Request] = []
    for number, step in enumerate(steps):
        write, look = 2 * number + 1, 2 * number + 2
        query = f"?fieldManager={step.manager}" + (f"&{step.query}" if step.query else "")
        target = path + (f"/{step.part}" if step.part else "") + query
        body: Any = step.body
        if step.how in ("create", "apply"):
            body = place.envelope("obj", body)
        if step.how == "create":
            found.append(Request(write, "POST", collection + query, body))
        elif step.how == "put":
            base = look - 2 if number else None
            found.append(Request(write, "PUT", target, body, base=base))
        elif step.how == "delete":
            found.append(Request(write, "DELETE", path))
        else:
            found.append(Request(write, "PATCH", target, body, kind=_KINDS.get(step.how, JSON)))
        found.append(Request(look, "GET", path))
    return found
