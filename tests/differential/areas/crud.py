"""Create, read, replace, delete, with all their options."""

from __future__ import annotations

import json
from typing import Any

from differential.draws import Draws
from differential.objects import Written, any_kind
from differential.steps import Step

_VALIDATION = ("Strict", "Warn", "Ignore", "strict")


def sequence(draws: Draws) -> list[Step]:
    kind = any_kind(draws)
    steps = [_create(draws, kind, 1)]
    for number in range(2, draws.randint(3, 12)):
        make = draws.weighted(
            {_create: 3, _put: 4, _delete: 3, _get: 2, _delete_some: 0.6, _merge: 2}
        )
        steps.append(make(draws, kind, number))
    return steps


def options(draws: Draws) -> str:
    found = draws.some(
        0.15,
        dryRun=lambda: draws.choice(("All", "All", "all", "")),
        fieldValidation=lambda: draws.choice(_VALIDATION),
        fieldManager=lambda: draws.choice(("m1", "m2", "", "x" * 130)),
        pretty=lambda: "true",
    )  # fmt: skip
    return "?" + "&".join(f"{name}={value}" for name, value in found.items()) if found else ""


def _create(draws: Draws, kind: Written, number: int) -> Step:
    body = kind.made(draws, kind.name(draws))
    if draws.is_so(0.15):
        del body["metadata"]["name"]
        body["metadata"]["generateName"] = draws.choice(("gen-", "g" * 70, "Bad_", "-"))
    body = _odd(draws, body)
    path = kind.collection + options(draws)
    if draws.is_so(0.12):
        return Step(number, "POST", path, raw=_doubled(draws, body))
    return Step(number, "POST", path, body)


def _odd(draws: Draws, body: dict[str, Any]) -> dict[str, Any]:
    """Something about the envelope or the metadata that is not as it should be."""
    if draws.is_so(0.75):
        return body
    metadata = {**body["metadata"], **draws.choice((
        {"name": draws.choice(("Bad_Name", "a" * 254, "", "a.b", "a/b", "é"))},
        {"namespace": "elsewhere"}, {"resourceVersion": "5"}, {"uid": "given"},
        {"labels": {"bad key!": "x"}}, {"labels": {"a": "bad value!"}},
        {"annotations": {"": "x"}}, {"finalizers": ["noslash", "example.com/stay"]},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}]},
        {"ownerReferences": [{"kind": "Pod", "name": "p"}]},
        {"creationTimestamp": "2020-01-01T00:00:00Z"}, {"generation": 7}, {"deletionTimestamp": None},
        {"labels": {"a": 5}}, {"unknown": 1}, {"managedFields": [{"manager": "x"}]},
        {"selfLink": "/x"}, {"labels": {"a" * 64: "x"}}, {"labels": {"a": "b" * 64}},
    ))}  # fmt: skip
    return {**body, "metadata": metadata, **draws.some(
        0.15, apiVersion=lambda: draws.choice(("v2", "", 5)), kind=lambda: draws.choice(("Other", "", 5)),
        extra=lambda: 1, status=lambda: {"phase": "Running"})}  # fmt: skip


def _doubled(draws: Draws, body: dict[str, Any]) -> str:
    """With a field twice."""
    text = json.dumps(body)
    return draws.choice((
        f'{{"kind":{json.dumps(body.get("kind"))},' + text[1:],
        text.replace('"metadata": {', '"metadata": {"labels": {"z": "1", "z": "2"}, ', 1),
        text[:-1] + ', "spec": {}}' if "spec" in body else text[:-1] + ', "data": {"q": "1"}}',
        text.replace('"name":', '"name": "first", "name":', 1),
    ))  # fmt: skip


def _path(draws: Draws, kind: Written) -> str:
    return f"{kind.collection}/{kind.name(draws)}"


def _get(draws: Draws, kind: Written, number: int) -> Step:
    path = kind.collection if draws.is_so(0.3) else _path(draws, kind)
    return Step(number, "GET", path)


def _put(draws: Draws, kind: Written, number: int) -> Step:
    path, part = _path(draws, kind), ""
    if kind.parts and draws.is_so(0.25):
        part = "/" + draws.choice(kind.parts)
    body = kind.made(draws, path.rpartition("/")[2])
    roll = draws.random()
    if roll < 0.4:
        change = draws.choice((
            {"metadata": {"labels": {"a": "put"}}}, {"metadata": {"resourceVersion": None}},
            {"metadata": {"resourceVersion": "1"}}, {"metadata": {"uid": "other"}},
            {"metadata": {"finalizers": None}}, {"metadata": {"name": "other"}}, {},
            {"metadata": {"managedFields": None}}, {"status": None}, {"spec": None},
            {n: body[n] for n in body if n not in ("metadata", "kind", "apiVersion")},
        ))  # fmt: skip
        return Step(number, "PUT", path + part + options(draws), change, base=1)
    if roll < 0.55:
        body["metadata"]["resourceVersion"] = "<<rv:1>>"
    return Step(number, "PUT", path + part + options(draws), _odd(draws, body))


def _merge(draws: Draws, kind: Written, number: int) -> Step:
    body = draws.choice((
        {"metadata": {"labels": {"m": "1"}}}, {"metadata": {"finalizers": None}},
        {"metadata": {"finalizers": ["example.com/stay", "example.com/more"]}},
        {"metadata": {"annotations": {"m": "1"}}}, {"metadata": {"ownerReferences": []}}, {},
    ))  # fmt: skip
    kind_of = "application/merge-patch+json"
    return Step(number, "PATCH", _path(draws, kind) + options(draws), body, kind=kind_of)


def delete_options(draws: Draws) -> Any:
    return draws.choice((None, None, {}, draws.some(
        0.4,
        propagationPolicy=lambda: draws.choice(("Background", "Foreground", "Orphan", "Other")),
        gracePeriodSeconds=lambda: draws.choice((0, 1, 30, -1)),
        preconditions=lambda: draws.choice((
            {"uid": "<<uid:1>>"}, {"uid": "other"}, {"resourceVersion": "<<rv:1>>"}, {"resourceVersion": "1"})),
        dryRun=lambda: draws.choice((["All"], ["all"], [])),
        orphanDependents=lambda: draws.is_so(0.5),
        kind=lambda: "DeleteOptions", apiVersion=lambda: "v1", unknown=lambda: 1,
    )))  # fmt: skip


def _delete(draws: Draws, kind: Written, number: int) -> Step:
    query = draws.choice(("", "", "", "?gracePeriodSeconds=0", "?propagationPolicy=Foreground",
                          "?dryRun=All", "?gracePeriodSeconds=x", "?orphanDependents=true"))  # fmt: skip
    return Step(number, "DELETE", _path(draws, kind) + query, delete_options(draws))


def _delete_some(draws: Draws, kind: Written, number: int) -> Step:
    if not kind.is_namespaced:
        return _get(draws, kind, number)
    query = draws.choice(("", "?labelSelector=a%3D1", "?labelSelector=a", "?labelSelector=!a",
                          "?fieldSelector=metadata.name%3Done", "?limit=1", "?labelSelector=%3D",
                          "?dryRun=All", "?fieldSelector=spec.x%3D1"))  # fmt: skip
    return Step(number, "DELETE", kind.collection + query, delete_options(draws))
