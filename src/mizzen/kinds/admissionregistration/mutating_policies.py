"""MutatingAdmissionPolicy and its bindings: expressions that change what is written.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.cel.tree import CompileError
from mizzen.kinds import causes as words
from mizzen.kinds.admission_expressions import JSON_PATCHES, OBJECT, Scope
from mizzen.kinds.admissionregistration.matching import check_size
from mizzen.kinds.admissionregistration.policies import (
    check_binding,
    check_constraints,
    check_expressions,
    default_binding,
    default_policy,
    param_kind,
    param_ref,
)
from mizzen.kinds.columns import AGE, NAME, NONE, Column, keys
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
_REINVOCATIONS = ("IfNeeded", "Never")
_PATCHES = {
    "ApplyConfiguration": ("applyConfiguration", OBJECT),
    "JSONPatch": ("jsonPatch", JSON_PATCHES),
}


def _validate_policy(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    expressions = [
        each.get("expression") or ""
        for field in ("matchConditions", "variables")
        for each in entries(spec, field)
    ]
    for mutation in entries(spec, "mutations"):
        expressions += [
            part(mutation, name).get("expression") or "" for name, _ in _PATCHES.values()
        ]
    return check_size(expressions, "spec") or list(_check_policy(spec))


def _check_policy(spec: Obj) -> Iterator[Cause]:
    scope = Scope(has_params="paramKind" in spec)
    yield from check_constraints(spec)
    yield from _check_operations(spec, "matchConstraints")
    yield from check_expressions(spec, scope)
    mutations = entries(spec, "mutations")
    if not mutations:
        yield words.required("spec.mutations", "mutations must contain at least one item")
    for index, each in enumerate(mutations):
        yield from _check_mutation(each, f"spec.mutations[{index}]", scope)
    again = spec.get("reinvocationPolicy")
    if not again:
        yield words.required("spec.reinvocationPolicy")
    elif again not in _REINVOCATIONS:
        yield words.unsupported("spec.reinvocationPolicy", again, _REINVOCATIONS)


def _check_operations(spec: Obj, field: str) -> Iterator[Cause]:
    """Causes against operations at which nothing can be changed."""
    for rule in entries(part(spec, field), "resourceRules"):
        for operation in rule.get("operations") or ():
            if operation not in _OPERATIONS:
                path = f"spec.{field}.resourceRules.operations"
                yield words.unsupported(path, operation, _OPERATIONS)


def _check_mutation(mutation: Obj, path: str, scope: Scope) -> Iterator[Cause]:
    kind = mutation.get("patchType") or ""
    if not kind:
        yield words.required(f"{path}.patchType")
        return
    if kind not in _PATCHES:
        yield words.unsupported(f"{path}.patchType", kind, tuple(_PATCHES))
        return
    name, builds = _PATCHES[kind]
    if name not in mutation:
        yield words.required(f"{path}.{name}", f"must be specified when patchType is {kind}")
    else:
        yield from _check_expression(
            part(mutation, name), f"{path}.{name}.expression", scope, builds
        )
    for other, (field, _) in _PATCHES.items():
        if other != kind and field in mutation:
            what = f"must not be specified when patchType is {kind}"
            yield words.invalid(f"{path}.{field}", f"{{{field}}}", what)


def _check_expression(patch: Obj, path: str, scope: Scope, builds: str) -> Iterator[Cause]:
    expression = (patch.get("expression") or "").strip()
    if not expression:
        yield words.required(path)
        return
    try:
        scope.compile(expression, builds=builds)
    except CompileError as error:
        yield words.invalid(path, expression, error.told(expression))


def _validate_binding(new: Obj, old: Obj | None) -> list[Cause]:
    spec = part(new, "spec")
    return [*check_binding(spec), *_check_operations(spec, "matchResources")]


_GROUP = "admissionregistration.k8s.io"
POLICIES = Resource(
    _GROUP, "v1", "mutatingadmissionpolicies", "MutatingAdmissionPolicy", namespaced=False
)
BINDINGS = Resource(
    _GROUP, "v1", "mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding",
    namespaced=False,
)  # fmt: skip
KINDS = (
    upstream_kind(
        POLICIES,
        "Expressions that change what is written.",
        default=default_policy,
        validate=_validate_policy,
        columns=(
            NAME,
            Column("Mutations", keys("spec.mutations"), type="integer"),
            Column("ParamKind", param_kind),
            AGE,
        ),
    ),
    upstream_kind(
        BINDINGS,
        "Where a policy counts, and with which parameters.",
        default=default_binding,
        validate=_validate_binding,
        columns=(
            NAME,
            Column("PolicyName", lambda b, now: part(b, "spec").get("policyName") or NONE),
            Column("ParamRef", param_ref),
            AGE,
        ),
    ),
)

_AR = "admissionregistration.v1"
SERVED_FIELDS = {
    f"{_AR}.MutatingAdmissionPolicy": holding("spec"),
    f"{_AR}.MutatingAdmissionPolicySpec": acted(
        "apiserver",
        "paramKind matchConstraints variables mutations failurePolicy matchConditions "
        "reinvocationPolicy",
    ),
    f"{_AR}.Mutation": acted("apiserver", "patchType applyConfiguration jsonPatch"),
    f"{_AR}.ApplyConfiguration": acted("apiserver", "expression"),
    f"{_AR}.JSONPatch": acted("apiserver", "expression"),
    f"{_AR}.MutatingAdmissionPolicyBinding": holding("spec"),
    f"{_AR}.MutatingAdmissionPolicyBindingSpec": acted(
        "apiserver", "policyName paramRef matchResources"
    ),
}
