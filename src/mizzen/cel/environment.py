"""The names that an expression may use: variables, the fields of their types, functions.

Source: k8s.io/dynamic-resource-allocation/cel/compile.go, v0.36.3, for devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mizzen.cel import types
from mizzen.cel.types import Type


@dataclass(frozen=True, slots=True)
class Environment:
    """`fields` are those of struct types, by the types' names. `without` are the functions, and
    `cel.bind`, that other environments have. `builds` are the types of which objects can be made,
    and with them any below (`Object.spec`), whose fields may be any. `own`: how the name of the
    variables' own type begins, and what problems show instead."""

    variables: Mapping[str, Type]
    fields: Mapping[str, Mapping[str, Type]]
    without: frozenset[str] = frozenset()
    builds: frozenset[str] = frozenset()
    own: tuple[str, str] = ("", "")


def _of_devices(attribute: Type) -> Environment:
    by_domain = types.map_of(types.STRING, types.map_of(types.STRING, attribute))
    fields = {
        "driver": types.STRING,
        "attributes": by_domain,
        "capacity": types.map_of(types.STRING, types.map_of(types.STRING, types.QUANTITY)),
        # Upstream declares it for stored expressions whatever the gate says, beside a type
        # without it, and takes either by chance: we always have it.
        "allowMultipleAllocations": types.BOOL,
    }
    return Environment({"device": types.DEVICE}, {types.DEVICE.name: fields})


DEVICES = _of_devices(types.ANY)
DEVICES_WITH_LISTS = _of_devices(types.DYN)  # attributes may be lists (DRAListTypeAttributes)
