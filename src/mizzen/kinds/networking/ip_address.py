"""IPAddress: whose an IP is. Source: kubernetes `pkg/apis/networking/validation`."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import IP_ADDRESSES
from mizzen.kinds import causes as words
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.ip_addresses import check_canonical
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_subdomain, invalid_value, path_segment
from mizzen.kinds.reading import get
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind


def _name_rule(name: str) -> str:
    for cause in check_canonical("", name):
        return cause.message.partition(": ")[2].partition(": ")[2]
    return ""


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    path = "spec.parentRef"
    parent = get(new, path)
    if old is not None:
        same = parent == get(old, path)
        return [] if same else [words.invalid(path, parent, "field is immutable")]
    if parent is None:
        return [words.required(path)]
    causes: list[Cause] = []
    group: str = parent.get("group") or ""
    if group and (problem := dns_subdomain(group)):
        causes.append(invalid_value(f"{path}.group", group, problem))
    for field in ("resource", "name", "namespace"):
        value: str = parent.get(field) or ""
        if not value and field != "namespace":
            causes.append(words.required(f"{path}.{field}"))
        elif value and (problem := path_segment(value)):
            causes.append(invalid_value(f"{path}.{field}", value, problem))
    return causes


def _parent(address: Obj, now_ns: int) -> str:
    parent = get(address, "spec.parentRef")
    if parent is None:
        return NONE
    kind = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part)
    where = f"/{parent['namespace']}" if parent.get("namespace") else ""
    return f"{kind.lower()}{where}/{parent.get('name')}"


KIND = upstream_kind(
    IP_ADDRESSES,
    "Whose an IP is.",
    name_rule=_name_rule,
    validate=_validate,
    columns=(NAME, Column("ParentRef", _parent), AGE),
)

SERVED_FIELDS = {
    "networking.v1.IPAddress": holding("spec"),
    "networking.v1.IPAddressSpec": acted("apiserver", "parentRef"),
    "networking.v1.ParentReference": acted("apiserver", "group resource namespace name"),
}
