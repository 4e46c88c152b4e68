"""Watches, opened before or after writes: what they tell, in which order."""

from __future__ import annotations

from urllib.parse import quote

from differential.draws import Draws
from differential.objects import CONFIG_MAP, DEPLOYMENT, POD, SECRET, WIDGET, Written
from differential.steps import MERGE, Step

_FORMS = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
)
_LABELS = ("a=1", "a!=1", "a", "!a", "a in (1,2)", "a in (")
_FIELDS = (
    "metadata.name=o1",
    "metadata.name!=o1",
    "status.phase=Running",
    "spec.mode=on",
    "spec.x=1",
)


def sequence(draws: Draws) -> list[Step]:
    kind = draws.choice((CONFIG_MAP, SECRET, POD, WIDGET, DEPLOYMENT))
    steps: list[Step] = []
    watches = 0
    for number in range(1, draws.randint(6, 14)):
        if number > 1 and watches < 3 and draws.is_so(0.3):
            steps.append(_watch(draws, kind, number))
            watches += 1
        else:
            steps.append(_write(draws, kind, number))
    return steps if watches else [*steps, _watch(draws, kind, len(steps) + 1)]


def _write(draws: Draws, kind: Written, number: int) -> Step:
    name = f"o{draws.randint(1, 3)}"
    one, roll = f"{kind.collection}/{name}", draws.random()
    if roll < 0.45:
        body = kind.made(draws, name)
        body["metadata"]["labels"] = {"a": draws.choice("12")}
        if kind is WIDGET:
            body["spec"] = {"size": number, **draws.some(mode=lambda: "on")}
        return Step(number, "POST", kind.collection, body)
    if roll < 0.7:
        label = {"metadata": {"labels": {"a": draws.choice(("1", "2", "3", None))}}}
        return Step(number, "PATCH", one, label, kind=MERGE)
    if roll < 0.8 and kind is POD:
        # None that ends the pod: what comes after it would differ for a reason that is explained.
        phase = {"status": {"phase": draws.choice(("Running", "Pending"))}}
        return Step(number, "PATCH", one + "/status", phase, kind=MERGE)
    if roll < 0.83:
        return Step(number, "DELETE", f"{kind.collection}?labelSelector=a%3D1")
    if roll < 0.9:
        return Step(number, "PATCH", one, {"metadata": {"finalizers": draws.choice((None, ["e.dev/x"]))}}, kind=MERGE)  # fmt: skip
    return Step(number, "DELETE", one)


def _watch(draws: Draws, kind: Written, number: int) -> Step:
    earlier = draws.randint(1, number - 1)
    found = draws.some(
        0.35,
        resourceVersion=lambda: draws.choice(
            (f"<<rv:{earlier}>>", f"<<rv:{earlier}>>", "0", "", "x")),
        labelSelector=lambda: quote(draws.choice(_LABELS)),
        fieldSelector=lambda: quote(draws.choice(_FIELDS)),
        allowWatchBookmarks=lambda: "true",
    )  # fmt: skip
    if draws.is_so(0.25):
        found |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        found |= draws.some(0.85, allowWatchBookmarks=lambda: "true")
        if draws.is_so(0.2):
            del found[draws.choice(list(found))]
    elif draws.is_so(0.08):
        found["resourceVersionMatch"] = draws.choice(("NotOlderThan", "Exact", "Other"))
    found["timeoutSeconds"] = "30"
    headers = {"Accept": draws.choice(_FORMS)} if draws.is_so(0.15) else {}
    path = kind.collection if draws.is_so(0.9) else f"{kind.collection}/o1"
    query = "&".join(f"{name}={value}" for name, value in found.items())
    return Step(number, "GET", f"{path}?watch=true&{query}", headers=headers, watches=True)
