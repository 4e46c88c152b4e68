"""ServiceCIDR: ranges of cluster IPs. The instance's own is `kubernetes`; others are stored, and
nothing is allocated from them. Source: kubernetes `pkg/apis/networking/validation`.
"""

from __future__ import annotations

import ipaddress

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import SERVICE_CIDRS
from mizzen.kinds import causes as words
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.ip_addresses import check_range
from mizzen.kinds.kind import Column
from mizzen.kinds.names import invalid_value
from mizzen.kinds.reading import entries
from mizzen.kinds.upstream import upstream_kind

_IMMUTABLE = "field is immutable"


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    ranges: list[str] = entries(new, "spec.cidrs")
    if old is None:
        return _check(ranges)
    before: list[str] = entries(old, "spec.cidrs")
    if len(ranges) == len(before) or (len(before), len(ranges)) == (1, 2):
        causes = [
            words.invalid(f"spec.cidrs[{index}]", value, _IMMUTABLE)
            for index, (value, known) in enumerate(zip(ranges, before, strict=False))
            if value != known
        ]
        return causes + (_check(ranges) if len(ranges) > len(before) else [])
    return [words.invalid("spec.cidrs", ranges, _IMMUTABLE)]


def _check(ranges: list[str]) -> list[Cause]:
    path = "spec.cidrs"
    if not ranges:
        return [words.required(path, "at least one CIDR required")]
    if len(ranges) > 2:
        return [words.invalid(path, {"CIDRs": ranges}, "may only hold up to 2 values")]
    causes: list[Cause] = []
    for index, value in enumerate(ranges):
        at = f"{path}[{index}]"
        wrong = check_range(at, value)
        canonical = "" if wrong else str(ipaddress.ip_network(value))
        if not wrong and canonical != value:
            wrong = [invalid_value(at, value, f'must be in canonical form ("{canonical}")')]
        causes += wrong
    if len(ranges) == 2 and not causes and (":" in ranges[0]) == (":" in ranges[1]):
        message = (
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
            "2001:db8::/64"
        )
        causes.append(words.invalid(path, ranges, message))
    return causes


def _cidrs(service_cidr: Obj, now_ns: int) -> str:
    return ",".join(entries(service_cidr, "spec.cidrs"))


KIND = upstream_kind(
    SERVICE_CIDRS,
    "Ranges of cluster IPs.",
    validate=_validate,
    columns=(NAME, Column("CIDRs", _cidrs), AGE),
    is_acted_upon=False,
)
