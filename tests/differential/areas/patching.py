"""Every patch type, on objects and their subresources."""

from __future__ import annotations

import json
from typing import Any

from differential.areas.crud import options
from differential.draws import Draws
from differential.mutate import mutated
from differential.objects import MAIN, OTHERS, Written
from differential.schemas import schema_of
from differential.steps import APPLY, JSON_PATCH, MERGE, STRATEGIC, Step


def sequence(draws: Draws) -> list[Step]:
    kind = draws.choice(MAIN) if draws.is_so(0.8) else draws.choice(OTHERS)
    name = kind.name(draws)
    first = kind.made(draws, name)
    steps = [Step(1, "POST", kind.collection, first)]
    for number in range(2, draws.randint(4, 10)):
        make = draws.weighted({_merge: 3, _strategic: 4, _json: 4, _apply: 2, _scale: 1, _odd: 0.4})
        part = "/" + draws.choice(kind.parts) if kind.parts and draws.is_so(0.2) else ""
        path = f"{kind.collection}/{name}{part}"
        steps.append(make(draws, kind, path, first, number))
    return steps


def _partial(draws: Draws, kind: Written, first: dict[str, Any]) -> Any:
    """A part of an object: of a good one, or a little changed."""
    other = kind.made(draws, first["metadata"]["name"])
    body: Any = {n: other[n] for n in other if n not in ("apiVersion", "kind") and draws.is_so(0.6)}
    metadata = {n: v for n, v in body.get("metadata", {}).items() if n != "name"}
    body = (
        {**body, "metadata": metadata}
        if metadata
        else {n: v for n, v in body.items() if n != "metadata"}
    )
    if draws.is_so(0.5):
        return mutated(draws, body, schema_of(kind), draws.randint(1, 2))
    return body


def _merge(draws: Draws, kind: Written, path: str, first: Any, number: int) -> Step:
    body = _nulled(draws, _partial(draws, kind, first))
    return Step(number, "PATCH", path + options(draws), body, kind=MERGE)


def _nulled(draws: Draws, value: Any) -> Any:
    """Some fields as null, which a patch removes."""
    if not isinstance(value, dict):
        return value
    return {n: None if draws.is_so(0.08) else _nulled(draws, v) for n, v in value.items()}


def _strategic(draws: Draws, kind: Written, path: str, first: Any, number: int) -> Step:
    body = _directed(draws, _nulled(draws, _partial(draws, kind, first)))
    return Step(number, "PATCH", path + options(draws), body, kind=STRATEGIC)


def _directed(draws: Draws, value: Any) -> Any:
    """With directives of strategic merge here and there."""
    if isinstance(value, list):
        items = [_directed(draws, each) for each in value]
        if items and isinstance(items[0], dict) and draws.is_so(0.2):
            items.append({"$patch": draws.choice(("replace", "delete", "merge", "bad"))})
        return items
    if not isinstance(value, dict):
        return value
    found = {n: _directed(draws, v) for n, v in value.items()}
    if found and draws.is_so(0.07):
        found["$patch"] = draws.choice(("replace", "delete", "merge", "bad"))
    for name in list(found):
        items = found[name]
        if isinstance(items, list) and draws.is_so(0.15):
            keys = [each for each in items if isinstance(each, str)]
            found[f"$setElementOrder/{name}"] = keys or [
                {n: each[n] for n in ("name", "containerPort", "port", "mountPath") if n in each}
                for each in items if isinstance(each, dict) and "$patch" not in each]  # fmt: skip
        if isinstance(items, list) and items and isinstance(items[0], str) and draws.is_so(0.15):
            found[f"$deleteFromPrimitiveList/{name}"] = items[:1]
            if draws.is_so(0.5):
                del found[name]
    if draws.is_so(0.03):
        found["$retainKeys"] = list(found)[:2]
    return found


def _json(draws: Draws, kind: Written, path: str, first: Any, number: int) -> Step:
    operations = [_operation(draws, kind, first) for _ in range(draws.randint(1, 3))]
    return Step(number, "PATCH", path + options(draws), operations, kind=JSON_PATCH)


def _operation(draws: Draws, kind: Written, first: Any) -> Any:
    pointer, value = _pointer(draws, first)
    operation = draws.choice(("add", "add", "replace", "remove", "test", "copy", "move"))
    if draws.is_so(0.05):
        operation = draws.choice(("Add", "", 5))
    if operation in ("copy", "move"):
        return {"op": operation, "from": pointer, "path": _pointer(draws, first)[0]}
    found: dict[str, Any] = {"op": operation, "path": pointer}
    if operation != "remove" and draws.is_so(0.95):
        changed = draws.choice((value, "x", 1, None, {}, [], {"a": "b"}))
        found["value"] = changed if operation != "test" or draws.is_so(0.4) else value
    return found


def _pointer(draws: Draws, value: Any) -> tuple[str, Any]:
    pointer = ""
    while isinstance(value, (dict, list)) and value and draws.is_so(0.85):
        key: Any = (
            draws.choice(list(value)) if isinstance(value, dict) else draws.randrange(len(value))
        )
        value = value[key]
        pointer += "/" + str(key).replace("~", "~0").replace("/", "~1")
    if draws.is_so(0.2):
        pointer += draws.choice(("/-", "/new", "/0", "/99", "/-1", "/01", "/a~b", "x"))
    return pointer, value


def _apply(draws: Draws, kind: Written, path: str, first: Any, number: int) -> Step:
    body = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": first["metadata"]["name"]},
    }
    more = _partial(draws, kind, first)
    if isinstance(more, dict):
        metadata = more.get("metadata")
        body |= {n: v for n, v in more.items() if n != "metadata"}
        if isinstance(metadata, dict):
            body["metadata"] |= {n: v for n, v in metadata.items() if n != "name"}
    query = f"?fieldManager={draws.choice(('m1', 'm2'))}" + draws.choice(
        ("", "&force=true", "&force=false")
    )
    text = json.dumps(body) if draws.is_so(0.5) else _yaml(body)
    return Step(number, "PATCH", path + query, raw=text, kind=APPLY)


def _yaml(value: Any, indent: str = "") -> str:
    """Block style, with scalars as JSON writes them."""
    if isinstance(value, dict) and value:
        lines = [f"{indent}{json.dumps(n)}:{_below(v, indent)}" for n, v in value.items()]
        return "\n".join(lines)
    if isinstance(value, list) and value:
        return "\n".join(f"{indent}-{_below(v, indent)}" for v in value)
    return indent + json.dumps(value)


def _below(value: Any, indent: str) -> str:
    if isinstance(value, (dict, list)) and value:
        return "\n" + _yaml(value, indent + "  ")
    return " " + json.dumps(value)


def _scale(draws: Draws, kind: Written, path: str, first: Any, number: int) -> Step:
    if "scale" not in kind.parts:
        return _merge(draws, kind, path, first, number)
    path = f"{kind.collection}/{first['metadata']['name']}/scale"
    spec = {"replicas": draws.choice((0, 1, 5, -1, "2", None, 1.5, 2**31))}
    if draws.is_so(0.5):
        return Step(
            number, "PATCH", path, {"spec": spec}, kind=draws.choice((MERGE, MERGE, STRATEGIC))
        )
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": spec,
            "metadata": {"name": first["metadata"]["name"], "namespace": "<<ns>>", **draws.some(
                0.3, resourceVersion=lambda: draws.choice(("<<rv:1>>", "1")), labels=lambda: {"a": "b"})}}  # fmt: skip
    return Step(number, "PUT", path, body)


def _odd(draws: Draws, kind: Written, path: str, first: Any, number: int) -> Step:
    """What is no patch, or of no type."""
    raw = draws.choice(
        ("", "null", "[]", "{}", "5", '"x"', "{", '{"a":1}{"b":2}', "[{}]", "[null]", "a: b: c")
    )
    kind_of = draws.choice((MERGE, STRATEGIC, JSON_PATCH, APPLY, "application/json", "text/plain"))
    return Step(number, "PATCH", path + "?fieldManager=m1", raw=raw, kind=kind_of)
