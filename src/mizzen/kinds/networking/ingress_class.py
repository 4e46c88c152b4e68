"""IngressClass: which controller looks after the Ingresses that name it.

Source: kubernetes `pkg/apis/networking/validation` ValidateIngressClass.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, annotations_of, name_of
from mizzen.base.resources import INGRESS_CLASSES
from mizzen.kinds import causes as words
from mizzen.kinds.columns import AGE, NONE, of
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_label, domain_prefixed_path, invalid_value
from mizzen.kinds.networking.ingress import check_reference
from mizzen.kinds.reading import get
from mizzen.kinds.upstream import upstream_kind

DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
CONTROLLER_CHARS_MAX = 250
_SCOPES = ("Cluster", "Namespace")


def _default(kind: Obj) -> None:
    parameters = get(kind, "spec.parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    controller: str = get(new, "spec.controller") or ""
    path = "spec.controller"
    if old is not None and controller != (get(old, path) or ""):
        causes.append(words.invalid(path, controller, "field is immutable"))
    if len(controller) > CONTROLLER_CHARS_MAX:
        message = f"Too long: may not be more than {CONTROLLER_CHARS_MAX} bytes"
        causes.append(Cause(path, message, "FieldValueTooLong"))
    if not controller:
        causes.append(words.required(path))
    elif problem := domain_prefixed_path(controller):
        causes.append(invalid_value(path, controller, problem))
    parameters = get(new, "spec.parameters")
    if parameters is None:
        return causes
    path = "spec.parameters"
    causes += check_reference(path, parameters)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope not in _SCOPES:
        causes.append(words.unsupported(f"{path}.scope", scope, _SCOPES))
    elif scope == "Cluster":
        if namespace is not None:
            message = "`parameters.scope` is set to 'Cluster'"
            causes.append(words.forbidden(f"{path}.namespace", message))
    elif namespace is None:
        message = "`parameters.scope` is set to 'Namespace'"
        causes.append(words.required(f"{path}.namespace", message))
    elif problem := dns_label(namespace):
        causes.append(invalid_value(f"{path}.namespace", namespace, problem))
    return causes


def is_default(kind: Obj) -> bool:
    return annotations_of(kind).get(DEFAULT_ANNOTATION) == "true"


def _name(kind: Obj, now_ns: int) -> str:
    return name_of(kind) + (" (default)" if is_default(kind) else "")


def _parameters(kind: Obj, now_ns: int) -> str:
    found = get(kind, "spec.parameters")
    if found is None:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") is not None else ""
    return f"{found['kind']}{group}/{found['name']}"


KIND = upstream_kind(
    INGRESS_CLASSES,
    "Which controller looks after Ingresses.",
    default=_default,
    validate=_validate,
    columns=(
        Column("Name", _name, format="name"),
        Column("Controller", of("spec.controller")),
        Column("Parameters", _parameters),
        AGE,
    ),
    is_acted_upon=False,
)
