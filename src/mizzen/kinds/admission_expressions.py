"""Expressions of admission policies and of webhooks' match conditions: their variables, compiled
when they are written and kept for when they are asked.

Source: k8s.io/apiserver/pkg/admission/plugin/cel/compile.go, v0.36.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mizzen.base.objects import Obj
from mizzen.cel import types
from mizzen.cel.environment import Environment
from mizzen.cel.objects import JsonMap, untyped
from mizzen.cel.program import TypedProgram, compile_typed
from mizzen.cel.tree import CompileError
from mizzen.cel.types import Steps, Type
from mizzen.kinds.validation_rules.declared_types import Declarations, Declared

_TEXT: Obj = {"type": "string"}
_TEXTS: Obj = {"type": "array", "items": _TEXT}
_BY_TEXT: Obj = {"type": "object", "additionalProperties": _TEXT}
_TIME: Obj = {"type": "string", "format": "date-time"}
_INT: Obj = {"type": "integer"}


def _object(**properties: Obj) -> Obj:
    return {"type": "object", "properties": properties}


_KIND = _object(group=_TEXT, version=_TEXT, kind=_TEXT)
_RESOURCE = _object(group=_TEXT, version=_TEXT, resource=_TEXT)
_REQUEST = _object(
    kind=_KIND, resource=_RESOURCE, subResource=_TEXT, requestKind=_KIND, requestResource=_RESOURCE,
    requestSubResource=_TEXT, name=_TEXT, namespace=_TEXT, operation=_TEXT,
    userInfo=_object(
        username=_TEXT, uid=_TEXT, groups=_TEXTS,
        extra={"type": "object", "additionalProperties": _TEXTS},
    ),
    dryRun={"type": "boolean"},
)  # fmt: skip
_NAMESPACE = _object(
    metadata=_object(
        name=_TEXT, generateName=_TEXT, namespace=_TEXT, labels=_BY_TEXT, annotations=_BY_TEXT,
        UID=_TEXT, creationTimestamp=_TIME, deletionGracePeriodSeconds=_INT,
        deletionTimestamp=_TIME, generation=_INT, resourceVersion=_TEXT, finalizers=_TEXTS,
    ),
    spec=_object(finalizers=_TEXTS),
    status=_object(
        conditions={"type": "array", "items": _object(
            status=_TEXT, type=_TEXT, lastTransitionTime=_TIME, message=_TEXT, reason=_TEXT,
        )},
        phase=_TEXT,
    ),
)  # fmt: skip
_AUTHORIZER = types.read("kubernetes.authorization.Authorizer")
_CHECK = types.read("kubernetes.authorization.ResourceCheck")
_VARIABLES = "kubernetes.variables"
OBJECT, JSON_PATCHES = "Object", "list(JSONPatch)"  # what mutations make
_BUILT = frozenset({"Object", "JSONPatch"})
_JSON_PATCH = {
    "op": types.STRING, "path": types.STRING, "from": types.STRING, "value": types.DYN,
}  # fmt: skip
# Of selectors of devices alone.
_WITHOUT = frozenset({"includes"})
_REMEMBERED_MAX = 512
SOURCES_BYTES_MAX = 32 * 1024  # of all expressions of one object: a third of a second to compile


@dataclass(frozen=True, slots=True)
class _Declared:
    structs: Mapping[str, Mapping[str, Type]]
    request: Declared
    namespace: Declared


@cache
def _declared() -> _Declared:
    declarations = Declarations()
    request = declarations.declare(_REQUEST, "kubernetes.AdmissionRequest")
    namespace = declarations.declare(_NAMESPACE, "kubernetes.Namespace")
    structs = dict(declarations.structs)
    structs["kubernetes.AdmissionRequest"] = {
        **structs["kubernetes.AdmissionRequest"], "options": types.DYN,
    }  # fmt: skip
    structs[_AUTHORIZER.name] = {"requestResource": _CHECK}
    return _Declared(structs, request, namespace)


@dataclass(slots=True)
class Scope:
    """The names that the expressions of one object may use, its own variables so far among them."""

    has_params: bool = False
    has_authorizer: bool = True
    variables: dict[str, Type] = field(default_factory=dict[str, Type])
    has_variables: bool = True

    def compile(
        self,
        expression: str,
        wanted: tuple[str, ...] = (),
        *,
        has_authorizer: bool | None = None,
        builds: str = "",
    ) -> TypedProgram:
        """`builds`: the type of what a mutation makes. Errors: CompileError."""
        asks = self.has_authorizer if has_authorizer is None else has_authorizer
        key = (
            expression, wanted, self.has_params, asks, self.has_variables, builds,
            tuple((name, str(each)) for name, each in self.variables.items()),
        )  # fmt: skip
        known = _remembered.pop(key, None)
        if known is None:
            known = self._compile(expression, wanted, asks, builds)
        _remembered[key] = known
        if len(_remembered) > _REMEMBERED_MAX:
            _remembered.popitem(last=False)
        if isinstance(known, CompileError):
            raise known
        return known

    def _compile(
        self, expression: str, wanted: tuple[str, ...], has_authorizer: bool, builds: str
    ) -> TypedProgram | CompileError:
        declared = _declared()
        names: dict[str, Type] = {"object": types.DYN, "oldObject": types.DYN}
        assert declared.request.type is not None and declared.namespace.type is not None
        names["request"] = declared.request.type
        names["namespaceObject"] = declared.namespace.type
        if self.has_params:
            names["params"] = types.DYN
        if has_authorizer:
            names["authorizer"] = _AUTHORIZER
        fields = declared.structs
        if self.has_variables:
            names["variables"] = Type("struct", _VARIABLES)
            fields = {**fields, _VARIABLES: self.variables}
        built = _BUILT if builds else frozenset[str]()
        if builds:
            fields = {**fields, "JSONPatch": _JSON_PATCH}
        try:
            environment = Environment(names, fields, _WITHOUT, built)
            program = compile_typed(expression, environment, wanted, Steps())
            if builds and str(program.type) != builds:
                what = f"must evaluate to {builds} but got {program.type}"
                raise CompileError(what, is_result=True)
        except CompileError as error:
            return error
        return program


_remembered: OrderedDict[tuple[Any, ...], TypedProgram | CompileError] = OrderedDict()


def request_value(request: Obj) -> object:
    """The value of `request`, from that of an AdmissionReview."""
    return _declared().request.adapt(request)


def namespace_value(namespace: Obj | None) -> object:
    """The value of `namespaceObject`: null where what is written has no namespace."""
    if namespace is None:
        return None
    metadata: Obj = dict(namespace["metadata"])
    metadata["UID"] = metadata.pop("uid", None)
    shown = {**namespace, "metadata": metadata}
    return _declared().namespace.adapt(shown)


def object_value(obj: Obj | None) -> object:
    return untyped(obj)


class Variables(JsonMap):
    """The value of `variables`: each is evaluated when it is first asked for."""
