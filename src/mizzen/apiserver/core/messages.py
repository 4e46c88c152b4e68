"""Upstream's types as protobuf messages, made from the tables when one is first met.

A field's number may be a path: what Go holds inline is a message on the wire, and the same object in
JSON. Source: k8s.io/api `generated.proto`, by the tables of `kinds/upstream.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from mizzen.kinds import upstream

Form = Literal[
    "string", "bool", "int", "double", "bytes", "time", "micro-time", "quantity", "int-or-string",
    "raw", "strings", "message", "inline", "schema-or-list", "schema-or-bool", "schema-or-strings",
]  # fmt: skip
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SCHEMAS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
JSON_SCHEMA = f"{_SCHEMAS}.JSONSchemaProps"
_FORMS: Mapping[str, Form] = {
    "string": "string", "boolean": "bool", "int32": "int", "int64": "int", "double": "double",
    "byte": "bytes",
    f"{_META}.Time": "time",
    f"{_META}.MicroTime": "micro-time",
    f"{_META}.FieldsV1": "raw",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "raw",
    f"{_SCHEMAS}.JSON": "raw",
    f"{_SCHEMAS}.JSONSchemaPropsOrArray": "schema-or-list",
    f"{_SCHEMAS}.JSONSchemaPropsOrBool": "schema-or-bool",
    f"{_SCHEMAS}.JSONSchemaPropsOrStringArray": "schema-or-strings",
}  # fmt: skip
# Bodies and answers that are no resource of their own, beside those that are.
_OTHERS = {
    ("autoscaling/v1", "Scale"): "io.k8s.api.autoscaling.v1.Scale",
    ("policy/v1", "Eviction"): "io.k8s.api.policy.v1.Eviction",
    ("authentication.k8s.io/v1", "TokenRequest"): "io.k8s.api.authentication.v1.TokenRequest",
    ("v1", "Status"): f"{_META}.Status",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field on the wire.

    `keeps_zero`: Go has a pointer to it, so that a zero was meant, or its JSON always has the field.
    """

    number: int
    name: str  # in JSON; "" of what is inline
    form: Form
    many: bool = False
    map: bool = False
    keeps_zero: bool = False
    type: str = ""  # of a message
    inner: Message | None = None  # of what is inline


@dataclass(frozen=True, slots=True)
class Message:
    """A message, by the numbers of its fields and, inline ones resolved, by their names."""

    fields: Mapping[int, Field]
    paths: Mapping[str, tuple[Field, ...]]  # name in JSON -> fields from the outermost inwards


@cache
def definition_of(api_version: str, kind: str) -> str:
    """The definition's name of what bodies and answers are; "" of what upstream does not have."""
    if kind == "DeleteOptions":  # of every group, in each of its versions
        return f"{_META}.DeleteOptions"
    return _definitions().get((api_version, kind), "")


@cache
def _definitions() -> Mapping[tuple[str, str], str]:
    rows = upstream.resources().items()
    return {
        **{(each.api_version, each.kind): str(row["type"]) for each, row in rows},
        **_OTHERS,
    }


@cache
def message_of(name: str) -> Message:
    """The message of one of upstream's types. Errors: KeyError for what no table has."""
    package = name.rpartition(".")[0]
    fields: list[tuple[tuple[int, ...], Field]] = []
    for field, facts in upstream.table_of(name).get("fields", {}).items():
        number: int | list[int] | None = facts.get("number")
        if number is not None:  # apiVersion and kind of whole objects are beside them
            path = tuple(number) if isinstance(number, list) else (number,)
            fields.append((path, _field(path[-1], field, facts, package)))
    return _message(fields)


def _message(fields: list[tuple[tuple[int, ...], Field]]) -> Message:
    """`fields` have the rest of their path."""
    found: dict[int, Field] = {}
    paths: dict[str, tuple[Field, ...]] = {}
    below: dict[int, list[tuple[tuple[int, ...], Field]]] = {}
    for path, field in fields:
        if len(path) == 1:
            found[path[0]] = field
            paths[field.name] = (field,)
        else:
            below.setdefault(path[0], []).append((path[1:], field))
    for number, inner in below.items():
        message = _message(inner)
        found[number] = Field(number, "", "inline", inner=message)
        for name, rest in message.paths.items():
            paths[name] = (found[number], *rest)
    return Message(found, paths)


def _field(number: int, name: str, facts: Mapping[str, Any], package: str) -> Field:
    expression = str(facts["type"])
    many, is_map = expression.startswith("[]"), expression.startswith("{}")
    one = expression[2:] if many or is_map else expression
    if one.startswith("[]"):  # a list in a map is a message of its one field
        return Field(number, name, "strings", map=True)
    whole = one if one in _FORMS or "." in one else f"{package}.{one}"
    form = _FORMS.get(whole)
    return Field(
        number,
        name,
        form or "message",
        many=many,
        map=is_map,
        keeps_zero=bool(facts.get("pointer") or facts.get("required")),
        type="" if form else whole,
    )
