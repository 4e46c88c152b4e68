"""MutatingAdmissionPolicies, compiled and carried out on an object.

Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating, v0.36.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from mizzen.apiserver.core.policies import (
    Bill,
    BoundPolicy,
    Compiled,
    compile_in,
    evaluate,
    read_bound,
)
from mizzen.base.errors import ApiError
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.cel.objects import misnamed, to_json
from mizzen.cel.values import Built, Err, is_list
from mizzen.kinds.admission_expressions import JSON_PATCHES, OBJECT
from mizzen.kinds.kind import Kind
from mizzen.kinds.managed_fields.elements import NoElement
from mizzen.kinds.managed_fields.merging import merge
from mizzen.kinds.managed_fields.misfits import misfits
from mizzen.kinds.managed_fields.walking import Shape, shape_of
from mizzen.kinds.patches import FailedTest, json_patch
from mizzen.kinds.schema import Schema

_ANY = Schema("any")
_NO_PATCH = "error applying patch: failed to convert patch object to typed object"


class MutationFailed(Exception):
    """A mutation that cannot be carried out; the text is for people."""


@dataclass(frozen=True, slots=True)
class _Mutation:
    expression: str
    program: Compiled
    is_json_patch: bool


@dataclass(frozen=True, slots=True, eq=False)
class MutatingPolicy(BoundPolicy):
    """A MutatingAdmissionPolicy, ready to be carried out."""

    mutations: tuple[_Mutation, ...]
    is_reinvoked: bool

    @staticmethod
    def of(policy: Obj) -> MutatingPolicy:
        spec = part(policy, "spec")
        common, scope = read_bound(policy)
        mutations: list[_Mutation] = []
        for each in entries(spec, "mutations"):
            is_patch = each.get("patchType") == "JSONPatch"
            name = "jsonPatch" if is_patch else "applyConfiguration"
            expression = text(each, name, "expression").strip()
            builds = JSON_PATCHES if is_patch else OBJECT
            program = compile_in(scope, expression, builds=builds)
            mutations.append(_Mutation(expression, program, is_patch))
        return MutatingPolicy(
            common.name, common.written, common.is_ignored, common.conditions, common.variables,
            tuple(mutations), spec.get("reinvocationPolicy") == "IfNeeded",
        )  # fmt: skip


def mutate(mutation: _Mutation, kind: Kind, obj: Obj, names: dict[str, object], bill: Bill) -> Obj:
    """The object after one mutation; nothing of it is checked. Errors: MutationFailed."""
    value = evaluate(mutation.expression, mutation.program, names, bill)
    if isinstance(value, Err):
        raise MutationFailed(value.reason)
    if mutation.is_json_patch:
        return _patched(obj, value)
    return _applied(kind, obj, value)


def _patched(obj: Obj, value: object) -> Obj:
    operations: list[Obj] = []
    for each in value if is_list(value) else ():
        assert isinstance(each, Built), "the checker let nothing else through"
        made: Obj = {}
        for name, part_ in each.items():
            if isinstance(part_, Built):
                _check_names(part_)
            try:
                made[str(name)] = to_json(part_)
            except ValueError as error:
                raise MutationFailed(
                    "JSONPath valueExpression evaluated to a type that could not marshal to JSON: "
                    f"{error}"
                ) from error
        operations.append(made)
    try:
        return json_patch(obj, operations)
    except FailedTest:
        return obj
    except ApiError as error:
        raise MutationFailed(f"JSON Patch: {error.message}") from error


def _applied(kind: Kind, obj: Obj, value: object) -> Obj:
    assert isinstance(value, Built), "the checker let nothing else through"
    _check_names(value)
    try:
        config: Obj = to_json(value)
    except ValueError as error:
        raise MutationFailed(f"type mismatch: {error}") from error
    config |= {"apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    problems = misfits(kind.schema, config)
    if problems:
        listed = problems[0] if len(problems) == 1 else "errors:\n  " + "\n  ".join(problems)
        raise MutationFailed(f"{_NO_PATCH}: {listed}")
    try:
        atomics = _atomics(kind.schema, config, "")
        if atomics:
            listed = ", ".join(atomics)
            raise MutationFailed(
                "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, "
                f"maps or structs: {listed}"
            )
        return merge(kind.schema, obj, config)
    except NoElement as error:
        raise MutationFailed(f"{_NO_PATCH}: {error}") from error


def _check_names(value: Built) -> None:
    wrong = misnamed(value, (value.type,))
    if wrong:
        raise MutationFailed("type mismatch: " + "\n".join(wrong))


def _atomics(schema: Schema, value: Any, path: str) -> list[str]:
    """Paths of values that can be given as a whole alone."""
    shape: Shape = shape_of(schema)
    if isinstance(value, dict):
        fields = cast("Obj", value)
        if not shape.is_map:
            return [path]
        children = [
            (shape.fields.get(name) or shape.values or _ANY, each, f"{path}.{name}")
            for name, each in fields.items()
        ]
    elif isinstance(value, list):
        if not shape.is_list:
            return [path]
        items = enumerate(cast("list[Any]", value))
        children = [(shape.items or _ANY, each, f"{path}[{index}]") for index, each in items]
    else:
        return []
    return [found for child in children for found in _atomics(*child)]
