"""Definitions of custom kinds: schemas with defaults, rules, versions, subresources, mistakes."""

from __future__ import annotations

import copy
from typing import Any

from differential.draws import Draws
from differential.mutate import mutated
from differential.setup import WIDGETS
from differential.steps import APPLY, MERGE, Step
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.structural import check_structural

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
    {"rule": "has(self.items) && self.items.exists(x, x.k == 'one')"}, {"rule": "self.items.size() < 2"},
    {"rule": "!has(oldSelf.a) || self.a == oldSelf.a", "message": "a stays", "reason": "FieldValueForbidden", "fieldPath": ".a"},
    {"rule": "oldSelf.hasValue() || !has(self.b)", "optionalOldSelf": True}, {"rule": "self.b < 5 && self.none"},
    {"rule": "type(self.any) == int ? self.any > 1 : self.any == 'x'"}, {"rule": "self.whole.metadata.name == 'w'"},
    {"rule": "self.list.map(x, x + 'a') == ['a'] || self.b", "messageExpression": "self.none"},
    {"rule": "self.map.exists(k, self.map[k] > 1)", "messageExpression": "'map has ' + string(self.map.size())"},
    {"rule": "self.maybe == 'x' || self.b > 100", "reason": "FieldValueDuplicate"},
)  # fmt: skip
_ITEM_RULES: tuple[Any, ...] = (
    {"rule": "self.v > 0"}, {"rule": "self.v >= oldSelf.v", "message": "v only grows"}, {"rule": "self.k != 'two'", "fieldPath": ".k"},
    {"rule": "self.none"}, {"rule": "has(self.v)", "reason": "FieldValueRequired", "fieldPath": ".v"},
)  # fmt: skip


def sequence(draws: Draws) -> list[Step]:
    number = draws.randrange(10**6)
    plural = f"things{number}"
    is_used = draws.is_so(0.6)
    definition = _definition(draws, plural, is_right=is_used)
    path = f"{_DEFINITIONS}/{plural}.<<ns>>.dev"
    if not is_used and draws.is_so(0.6):
        kinds = {each.resource.kind: each.schema for each in builtin_kinds().values()}
        definition = mutated(draws, definition, kinds["CustomResourceDefinition"], 1)
    if not is_used:
        if draws.is_so(0.5):
            return [Step(1, "POST", f"{_DEFINITIONS}?dryRun=All", definition)]
        where = f"/apis/<<ns>>.dev/v1/namespaces/<<ns>>/{plural}"
        return [Step(1, "POST", _DEFINITIONS, definition), Step(2, "GET", where, until=200),
                Step(3, "PATCH", path, {"metadata": {"labels": {"a": "b"}}}, kind=MERGE)]  # fmt: skip
    versions = [each["name"] for each in definition["spec"]["versions"] if each["served"]]
    steps = [Step(1, "POST", _DEFINITIONS, definition)]
    for version in versions:
        where = f"/apis/<<ns>>.dev/{version}/namespaces/<<ns>>/{plural}"
        steps.append(Step(len(steps) + 1, "GET", where, until=200))
    for _ in range(draws.randint(2, 6)):
        where = f"/apis/<<ns>>.dev/{draws.choice(versions)}/namespaces/<<ns>>/{plural}"
        steps.append(_use(draws, where, len(steps) + 1))
    rules = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    if "x-kubernetes-validations" not in rules and draws.is_so(
        0.5
    ):  # or its probe is refused before
        where = f"/apis/<<ns>>.dev/{draws.choice(versions)}/namespaces/<<ns>>/{plural}"
        steps += _tightened(draws, definition, path, where, len(steps) + 1)
    return steps


def _tightened(
    draws: Draws, definition: dict[str, Any], path: str, where: str, number: int
) -> list[Step]:
    """The schema takes less from now on; what is stored already may stay as it is."""
    versions = copy.deepcopy(definition["spec"]["versions"])
    for each in versions:
        spec = each["schema"]["openAPIV3Schema"]["properties"]["spec"]
        spec["properties"]["gone"] = {"type": "integer", "maximum": 1}
        for name, word, value in (("a", "maxLength", 1), ("b", "maximum", 0), ("list", "maxItems", 0),
                                  ("choice", "enum", ["p"])):  # fmt: skip
            if name in spec["properties"] and draws.is_so(0.7):
                spec["properties"][name][word] = value
        if draws.is_so(0.5):
            spec["x-kubernetes-validations"] = [
                {"rule": "!has(self.b) || self.b == 0", "message": "b must be 0"}
            ]
    body = {"apiVersion": "/".join(where.split("/")[2:4]), "kind": "Thing",
            "metadata": {"name": "probe"}, "spec": {"gone": 5}}  # fmt: skip
    steps = [Step(number, "PATCH", path, {"spec": {"versions": versions}}, kind=MERGE),
             Step(number + 1, "POST", f"{where}?dryRun=All", body, until=422)]  # fmt: skip
    for _ in range(draws.randint(1, 4)):
        steps.append(_use(draws, where, number + len(steps)))
    return steps


def _use(draws: Draws, where: str, number: int) -> Step:
    version = where.split("/")[3]
    spec = draws.some(
        0.4, a=lambda: draws.choice(("x", "xyz", "abcdef", 5)), b=lambda: draws.choice((0, 1, 5, 1.5)),
        list=lambda: draws.choice((["a"], ["a", "a"], ["toolong"], [], None)),
        map=lambda: draws.choice(({"x": 1}, {"y": 2}, {})), unknown=lambda: 1,
        deep=lambda: draws.choice(({}, {"u": 1}, {"v": "1"}, None)), choice=lambda: draws.choice("pqz"),
        open=lambda: {"q": {"r": 1}}, any=lambda: draws.choice((80, "x", True)),
        items=lambda: draws.few(({"k": "one", "v": 1}, {"k": "two", "v": 2}, {"k": "one"}, {"v": 1}, {"k": "three", "v": -1}), 3),
        named=lambda: draws.choice(({"x": {"v": 1}}, {"x": {"v": 0}, "y": {"w": 1}}, {"z": None}, {"x": {"v": "1"}})),
        whole=lambda: draws.choice(({"apiVersion": "v1", "kind": "A", "metadata": {"name": "w"}, "data": 1}, {"kind": "A"},
                                    {"apiVersion": "v1", "kind": "A", "metadata": {"labels": 5}}, {})),
        maybe=lambda: draws.choice((None, "y", 5)), when=lambda: draws.choice(("2026-01-31T00:00:00Z", "soon", 5)),
        few=lambda: draws.choice(([1, 1], [1, 2], [{"x": 1}])),
    )  # fmt: skip
    status = draws.some(0.5, b=lambda: draws.choice((0, 3, "x", -1)), unknown=lambda: 1)
    body = {
        "apiVersion": f"<<ns>>.dev/{version}",
        "kind": "Thing",
        "metadata": {"name": "o"},
        "spec": spec,
    }
    roll = draws.random()
    if roll < 0.06:
        return Step(
            number, "GET", where, headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        )
    if roll < 0.1:
        return Step(
            number,
            "GET",
            where
            + draws.choice(
                (
                    "?fieldSelector=spec.a%3Dx",
                    "?fieldSelector=spec.b%3D1",
                    "?fieldSelector=spec.none%3D1",
                )
            ),
        )
    if roll < 0.18:
        return Step(
            number, "PATCH", f"{where}/o/status", {"status": status, "spec": spec}, kind=MERGE
        )
    if roll < 0.22:
        return Step(number, "PUT", f"{where}/o/status", {**body, "status": status})
    if roll < 0.26:
        return Step(
            number,
            draws.choice(("GET", "PATCH")),
            f"{where}/o/scale",
            {"spec": {"replicas": draws.choice((0, 4, -1))}},
            kind=MERGE,
        )
    if roll < 0.34:
        return Step(number, "PUT", f"{where}/o", {**body, "status": status})
    if roll < 0.38:
        # One field: upstream stops at any of those that it does not know, by the order of Go's maps.
        one = dict(draws.few(list(spec.items()), 1))
        return Step(
            number, "PATCH", f"{where}/o?fieldManager=other", {**body, "spec": one}, kind=APPLY
        )
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


def _spec(draws: Draws, *, is_right: bool) -> dict[str, Any]:
    """`is_right`: it is a schema, and its rules are about fields that it has."""
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
        "any": draws.choice(({"x-kubernetes-int-or-string": True}, {"x-kubernetes-preserve-unknown-fields": True}, {"type": "boolean"},
                             {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "maxLength": 3})),
        "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], **draws.some(0.7, maxItems=lambda: 5),
                  "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string", "maxLength": 9},
                            "v": {"type": "integer", "minimum": 0, **draws.some(0.3, default=lambda: 4)}},
                            **draws.some(0.4, **{"x-kubernetes-validations": lambda: draws.few(_ITEM_RULES, 2, 1)})}},
        "named": {"type": "object", **draws.some(0.7, maxProperties=lambda: 5),
                  "additionalProperties": {"type": "object", **draws.some(0.3, nullable=lambda: True),
                                           "properties": {"v": {"type": "integer"}},
                                           **draws.some(0.4, **{"x-kubernetes-validations": lambda: draws.few(_ITEM_RULES, 1, 1)})}},
        "whole": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        "maybe": {"type": "string", "nullable": True, **draws.some(0.5, default=lambda: draws.choice(("x", None)))},
        "when": {"type": "string", "format": draws.choice(("date-time", "datetime", "date", "uuid", "nonsense"))},
        "few": {"type": "array", **draws.choice(({"x-kubernetes-list-type": "set"}, {"x-kubernetes-list-type": "atomic"}, {})),
                "items": {"type": "integer", **draws.some(0.3, maximum=lambda: 1)}},
    }  # fmt: skip
    if is_right:
        fields["a"].pop("pattern", None)
        fields["b"] |= {"default": 3} if "default" in fields["b"] else {}
        fields["deep"].pop("default", None)
        fields["list"] |= {"maxItems": 3, "items": {"type": "string", "maxLength": 5}}
        fields["map"] |= {"maxProperties": 3}
        fields["a"] |= {"maxLength": 5}
    kept = {
        name: fields[name] if is_right else _field(draws, fields[name])
        for name in fields
        if draws.is_so(0.7)
    }
    made = {"type": "object", "properties": kept}
    if draws.is_so(0.6):
        rules = [each for each in _RULES if not is_right or _fits(each, made)]
        made["x-kubernetes-validations"] = draws.few(rules, 2, 1)
    return made


def _fits(rule: Any, node: dict[str, Any]) -> bool:
    schema = {
        "type": "object",
        "properties": {"spec": {**node, "x-kubernetes-validations": [rule]}},
    }
    return not check_structural(schema, "")


def _definition(draws: Draws, plural: str, *, is_right: bool) -> dict[str, Any]:
    status = draws.choice((
        {"type": "object"}, {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "properties": {"b": {"type": "integer", "minimum": 0}}},
        {"type": "object", "properties": {"b": {"type": "integer"}}, "x-kubernetes-validations": [{"rule": "self.b > 1"}]},
    ))  # fmt: skip
    schema = {
        "type": "object",
        "properties": {"spec": _spec(draws, is_right=is_right), "status": status},
    }
    version = {"name": "v1", "served": True, "storage": True,
               "schema": {"openAPIV3Schema": schema}, **draws.some(
        0.3, subresources=lambda: draws.choice(({"status": {}}, {"scale": {
            "specReplicasPath": ".spec.b", "statusReplicasPath": ".status.b"}}, {"status": {}, "scale": {
            "specReplicasPath": ".spec.b", "statusReplicasPath": ".status.b", "labelSelectorPath": ".status.s"}}, {})),
        additionalPrinterColumns=lambda: [{"name": "A", "type": "string", "jsonPath": draws.choice((".spec.a", "spec.a", ""))}],
        selectableFields=lambda: [{"jsonPath": draws.choice((".spec.a", ".spec.none", ".spec.list", ".spec.b"))}],
        **draws.choice(({"deprecated": lambda: True}, {"deprecated": lambda: True, "deprecationWarning": lambda: "use another"})))}  # fmt: skip
    if is_right:
        version.pop("selectableFields", None)
        if draws.is_so(0.3) and "a" in schema["properties"]["spec"]["properties"]:
            version["selectableFields"] = [{"jsonPath": ".spec.a"}]
        for each in version.get("additionalPrinterColumns") or ():
            each["jsonPath"] = draws.choice(
                (".spec.a", ".spec.none", ".spec.list", ".metadata.name")
            )
    versions = [version]
    if draws.is_so(0.3):
        other = copy.deepcopy(version)
        other |= {
            "name": draws.choice(("v2", "v1beta1", "v1")),
            "storage": draws.is_so(0.1),
            "served": True,
        }
        if is_right:
            other |= {"name": "v2" if other["name"] == "v1" else other["name"], "storage": False}
        versions.append(other)
    found = copy.deepcopy(WIDGETS)
    found["metadata"]["name"] = f"{plural}.<<ns>>.dev"
    found["spec"] = {
        "group": "<<ns>>.dev", "scope": "Namespaced", "versions": versions,
        "names": {"plural": plural, "singular": plural[:-1], "kind": "Thing", "listKind": "ThingList"},
        **draws.some(0.0 if is_right else 0.05, preserveUnknownFields=lambda: True, conversion=lambda: {"strategy": "Webhook"}),
    }  # fmt: skip
    return found
