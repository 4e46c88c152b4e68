"""Definitions of custom kinds: schemas with defaults, rules, versions, subresources, mistakes."""

from __future__ import annotations

import copy
from typing import Any

from differential.draws import Draws
from differential.mutate import mutated
from differential.setup import WIDGETS
from differential.steps import MERGE, Step
from mizzen.kinds.registry import builtin_kinds

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RULES: tuple[Any, ...] = (
    {"rule": "self.a == 'x'"}, {"rule": "self.b > 1", "message": "b is small"},
    {"rule": "has(self.a) && self.a.size() < 3"}, {"rule": "self.none == 1"}, {"rule": "self.a +"},
    {"rule": "1"}, {"rule": ""}, {"rule": "oldSelf.b <= self.b"}, {"rule": "self.list.all(x, x.size() < 5)"},
    {"rule": "self.list.all(x, self.list.all(y, self.list.all(z, x == y && y == z)))"},
    {"rule": "self.a.matches('[')"}, {"rule": "self.a == 'x'", "reason": "Bad"},
    {"rule": "self.a == 'x'", "fieldPath": ".none"}, {"rule": "self.a == 'x'", "fieldPath": ".a"},
    {"rule": "self.a == 'x'", "message": "two\nlines"}, {"rule": "self.a == 'x'", "messageExpression": "1"},
    {"rule": "self.a == 'x'", "messageExpression": "'a is ' + self.a"},
    {"rule": "self == oldSelf", "optionalOldSelf": True}, {"rule": "quantity(self.a).isGreaterThan(quantity('1'))"},
    {"rule": "!has(self.map) || self.map.all(k, k.startsWith('x'))"}, {"rule": "isURL(self.a)"},
    {"rule": "self.a.format() == ''"}, {"rule": "self.metadata.name == 'x'"},
)  # fmt: skip


def sequence(draws: Draws) -> list[Step]:
    number = draws.randrange(10**6)
    plural = f"things{number}"
    definition = _definition(draws, plural)
    path = f"{_DEFINITIONS}/{plural}.<<ns>>.dev"
    roll = draws.random()
    if roll < 0.35:
        kinds = {each.resource.kind: each.schema for each in builtin_kinds().values()}
        definition = mutated(draws, definition, kinds["CustomResourceDefinition"], 1)
    if roll < 0.6:
        return [Step(1, "POST", _DEFINITIONS + draws.choice(("", "?dryRun=All")), definition),
                Step(2, "PATCH", path, {"metadata": {"labels": {"a": "b"}}}, kind=MERGE)]  # fmt: skip
    versions = [each["name"] for each in definition["spec"]["versions"] if each["served"]]
    steps = [Step(1, "POST", _DEFINITIONS, definition)]
    for version in versions:
        where = f"/apis/<<ns>>.dev/{version}/namespaces/<<ns>>/{plural}"
        steps.append(Step(len(steps) + 1, "GET", where, until=200))
    for _ in range(draws.randint(2, 6)):
        where = f"/apis/<<ns>>.dev/{draws.choice(versions)}/namespaces/<<ns>>/{plural}"
        steps.append(_use(draws, where, len(steps) + 1))
    return steps


def _use(draws: Draws, where: str, number: int) -> Step:
    version = where.split("/")[3]
    spec = draws.some(
        0.4, a=lambda: draws.choice(("x", "xyz", "abcdef", 5)), b=lambda: draws.choice((0, 1, 5, 1.5)),
        list=lambda: draws.choice((["a"], ["a", "a"], ["toolong"], [], None)),
        map=lambda: draws.choice(({"x": 1}, {"y": 2}, {})), unknown=lambda: 1,
        deep=lambda: draws.choice(({}, {"u": 1}, {"v": "1"}, None)), choice=lambda: draws.choice("pqz"),
        open=lambda: {"q": {"r": 1}}, any=lambda: draws.choice((80, "x", True)),
    )  # fmt: skip
    body = {
        "apiVersion": f"<<ns>>.dev/{version}",
        "kind": "Thing",
        "metadata": {"name": "o"},
        "spec": spec,
    }
    if draws.is_so(0.5):
        query = draws.choice(("", "?fieldValidation=Strict", "?fieldValidation=Warn"))
        return Step(number, "POST", where + query, body)
    if draws.is_so(0.5):
        return Step(number, "PATCH", f"{where}/o", {"spec": spec}, kind=MERGE)
    return Step(number, "GET", f"{where}/o")


def _field(draws: Draws, schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, **draws.some(
        0.06, nullable=lambda: True, default=lambda: draws.choice(("x", 1, None, {}, [])),
        enum=lambda: ["x", 1], description=lambda: "d", title=lambda: "t", format=lambda: "date-time",
    )}  # fmt: skip


def _spec(draws: Draws) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "a": {"type": "string", **draws.some(0.3, maxLength=lambda: 5, default=lambda: "x", pattern=lambda: draws.choice(("^x", "[")))},
        "b": {"type": "integer", **draws.some(0.3, minimum=lambda: 1, default=lambda: draws.choice((1, 3, "x")))},
        "list": {"type": "array", "items": {"type": "string", **draws.some(0.5, maxLength=lambda: 5)},
                 **draws.some(0.4, maxItems=lambda: 3), **draws.choice(({}, {"x-kubernetes-list-type": "set"}))},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}, **draws.some(0.4, maxProperties=lambda: 3)},
        "deep": {"type": "object", **draws.some(0.4, default=lambda: draws.choice(({}, {"u": 2}, {"w": 1}))),
                 "properties": {"u": {"type": "integer", "default": 7}, "v": {"type": "string"}},
                 **draws.some(0.2, required=lambda: ["v"])},
        "choice": {"type": "string", "enum": ["p", "q"]},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "any": draws.choice(({"x-kubernetes-int-or-string": True}, {"x-kubernetes-preserve-unknown-fields": True}, {"type": "boolean"})),
    }  # fmt: skip
    kept = {name: _field(draws, fields[name]) for name in fields if draws.is_so(0.85)}
    made = {"type": "object", "properties": kept}
    if draws.is_so(0.6):
        made["x-kubernetes-validations"] = draws.few(_RULES, 2, 1)
    return made


def _definition(draws: Draws, plural: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": _spec(draws), "status": {"type": "object"}}}
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": schema}, **draws.some(
        0.3, subresources=lambda: draws.choice(({"status": {}}, {"scale": {
            "specReplicasPath": ".spec.b", "statusReplicasPath": ".status.b"}}, {})),
        additionalPrinterColumns=lambda: [{"name": "A", "type": "string", "jsonPath": draws.choice((".spec.a", "spec.a", ""))}],
        selectableFields=lambda: [{"jsonPath": draws.choice((".spec.a", ".spec.none", ".spec.list", ".spec.b"))}],
        deprecated=lambda: True)}  # fmt: skip
    versions = [version]
    if draws.is_so(0.3):
        other = copy.deepcopy(version)
        other |= {
            "name": draws.choice(("v2", "v1beta1", "v1")),
            "storage": draws.is_so(0.1),
            "served": True,
        }
        versions.append(other)
    found = copy.deepcopy(WIDGETS)
    found["metadata"]["name"] = f"{plural}.<<ns>>.dev"
    found["spec"] = {
        "group": "<<ns>>.dev", "scope": "Namespaced", "versions": versions,
        "names": {"plural": plural, "singular": plural[:-1], "kind": "Thing", "listKind": "ThingList"},
        **draws.some(0.05, preserveUnknownFields=lambda: True, conversion=lambda: {"strategy": "Webhook"}),
    }  # fmt: skip
    return found
