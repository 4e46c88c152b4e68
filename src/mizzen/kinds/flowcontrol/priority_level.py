"""PriorityLevelConfiguration: how many requests are served at a time, and how others wait.

Source: pkg/apis/flowcontrol/validation and v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import PRIORITY_LEVEL_CONFIGURATIONS
from mizzen.kinds import causes
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.kind import Column
from mizzen.kinds.reading import part
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import upstream_kind

_TYPES, _RESPONSES = ("Exempt", "Limited"), ("Queue", "Reject")
_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
_QUEUES_MAX = 10_000_000
_HAND_BITS_MAX = 60  # of entropy that dealing a hand takes


def _default(level: Obj) -> None:
    spec = part(level, "spec")
    for name, shares in (("limited", 30), ("exempt", 0)):
        if isinstance(spec.get(name), dict):
            for field, value in (("nominalConcurrencyShares", shares), ("lendablePercent", 0)):
                if spec[name].get(field) is None:
                    spec[name][field] = value
    response = part(level, "spec.limited.limitResponse")
    if response.get("queuing") is not None:
        queuing = part(response, "queuing")
        for field, value in _QUEUING.items():
            if not queuing.get(field):
                queuing[field] = value


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec, name = part(new, "spec"), new["metadata"]["name"]
    kind = spec.get("type") or ""
    found: list[Cause] = []
    if (name == "exempt") != (kind == "Exempt"):
        words = "must be 'Exempt' if and only if `name` is 'exempt'"
        found.append(causes.invalid("spec.type", kind, words))
    if kind == "Exempt":
        if spec.get("limited") is not None:
            words = "must be nil if the type is not Limited"
            found.append(causes.forbidden("spec.limited", words))
        return found + _check_shares(part(spec, "exempt"), "spec.exempt")
    if kind != "Limited":
        if not kind:
            return [*found, causes.required("spec.type")]
        return [*found, causes.unsupported("spec.type", kind, _TYPES)]
    if spec.get("exempt") is not None:
        found.append(causes.forbidden("spec.exempt", "must be nil if the type is Limited"))
    limited = spec.get("limited")
    if limited is None:
        words = "must not be empty when type is Limited"
        return [*found, causes.required("spec.limited", words)]
    found += _check_shares(limited, "spec.limited")
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        words = "if specified, must be a non-negative integer"
        found.append(causes.invalid("spec.limited.borrowingLimitPercent", borrowing, words))
    return found + _check_response(part(limited, "limitResponse"), "spec.limited.limitResponse")


def _check_shares(limited: Obj, path: str) -> list[Cause]:
    found: list[Cause] = []
    shares, lendable = limited.get("nominalConcurrencyShares"), limited.get("lendablePercent")
    if shares is not None and shares < 0:
        words = "must be a non-negative integer"
        found.append(causes.invalid(f"{path}.nominalConcurrencyShares", shares, words))
    if lendable is not None and not 0 <= lendable <= 100:
        words = "must be between 0 and 100, inclusive"
        found.append(causes.invalid(f"{path}.lendablePercent", lendable, words))
    return found


def _check_response(response: Obj, path: str) -> list[Cause]:
    kind, queuing = response.get("type") or "", response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            words = "must be nil if limited.limitResponse.type is not Limited"
            return [causes.forbidden(f"{path}.queuing", words)]
        return []
    if kind != "Queue":
        if not kind:
            return [causes.required(f"{path}.type")]
        return [causes.unsupported(f"{path}.type", kind, _RESPONSES)]
    if queuing is None:
        words = "must not be empty if limited.limitResponse.type is Limited"
        return [causes.required(f"{path}.queuing", words)]
    found: list[Cause] = []
    for field in _QUEUING:
        if queuing[field] <= 0:
            where, value = f"{path}.queuing.{field}", queuing[field]
            found.append(causes.invalid(where, value, "must be positive"))
    hand, queues = queuing["handSize"], queuing["queues"]
    if queues > _QUEUES_MAX:
        words = f"must not be greater than {_QUEUES_MAX}"
        found.append(causes.invalid(f"{path}.queuing.queues", queues, words))
    if hand > queues:
        words = f"should not be greater than queues ({queues})"
        found.append(causes.invalid(f"{path}.queuing.handSize", hand, words))
    elif hand * max(1, queues.bit_length() - 1) > _HAND_BITS_MAX:
        words = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HAND_BITS_MAX}"
        found.append(causes.invalid(f"{path}.queuing.handSize", hand, words))
    return found


_LIMITED = "spec.limited"
_QUEUES = f"{_LIMITED}.limitResponse.queuing"

KIND = upstream_kind(
    PRIORITY_LEVEL_CONFIGURATIONS,
    "How many requests are served at a time, and how others wait.",
    default=_default,
    validate=_validate,
    columns=(
        NAME,
        Column("Type", of("spec.type")),
        Column("NominalConcurrencyShares", of(f"{_LIMITED}.nominalConcurrencyShares", NONE)),
        Column("Queues", of(f"{_QUEUES}.queues", NONE)),
        Column("HandSize", of(f"{_QUEUES}.handSize", NONE)),
        Column("QueueLengthLimit", of(f"{_QUEUES}.queueLengthLimit", NONE)),
        AGE,
    ),
)

_READ = "apiserver kinds"
SERVED_FIELDS = {
    "flowcontrol.v1.PriorityLevelConfiguration": acted("apiserver", "spec"),
    "flowcontrol.v1.PriorityLevelConfigurationSpec": acted(_READ, "type limited exempt"),
    "flowcontrol.v1.LimitedPriorityLevelConfiguration": acted(
        _READ, "nominalConcurrencyShares limitResponse lendablePercent borrowingLimitPercent"
    ),
    "flowcontrol.v1.ExemptPriorityLevelConfiguration": acted(
        _READ, "nominalConcurrencyShares lendablePercent"
    ),
    "flowcontrol.v1.LimitResponse": acted(_READ, "type queuing"),
    "flowcontrol.v1.QueuingConfiguration": acted(_READ, "queues handSize queueLengthLimit"),
}
