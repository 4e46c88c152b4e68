"""What a bookmark's object says besides its revision: a Go type's fields with nothing in them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache

from mizzen.base.objects import Obj
from mizzen.base.resources import (
    DEPLOYMENTS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    Resource,
)
from mizzen.kinds.managed_fields.implied_fields import implied_fields

# Numbers that upstream's internal types hold themselves, not pointers to them.
_NUMBERS: Mapping[Resource, Obj] = {
    DEPLOYMENTS: {"spec": {"replicas": 0}},
    REPLICA_SETS: {"spec": {"replicas": 0}},
    REPLICATION_CONTROLLERS: {"spec": {"replicas": 0}},
    STATEFUL_SETS: {"spec": {"replicas": 0}},
}


def blank(resource: Resource, *, is_builtin: bool) -> Obj:
    """The object, without kind and metadata; it may be changed. Of a custom kind nothing is known."""
    return copy.deepcopy(_blank(resource)) if is_builtin else {}


@cache
def _blank(resource: Resource) -> Obj:
    fields = {name: value for name, value in implied_fields(resource).items() if name != "metadata"}
    for name, numbers in _NUMBERS.get(resource, {}).items():
        fields[name] = {**fields[name], **numbers}
    return fields
