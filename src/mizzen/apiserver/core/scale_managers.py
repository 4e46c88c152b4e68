"""Who manages the replicas of an object, as its Scale says it, and back.

An entry of the object that has the replicas becomes one of the Scale, in the Scale's version. A
manager that updates is another one in another version, so that an update of the Scale, whatever it
changes, parts the replicas from what their manager has besides: as upstream has it.
Source: apimachinery `util/managedfields/scalehandler.go`, v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields import managers, sets
from mizzen.kinds.managed_fields.managers import UPDATE, Entry, Id, Managers

SCALE_VERSION = "autoscaling/v1"
_IN_SCALE = ("f:spec", "f:replicas")
Paths = Mapping[str, tuple[str, ...]]  # of the replicas by the object's apiVersion, as elements


def of_scale(entries: Sequence[Any], paths: Paths) -> list[Obj]:
    """The managed fields of a Scale, of those of its object. Errors: managers.Malformed."""
    found: Managers = {}
    for manager, entry in managers.decode(entries, is_stored=True).items():
        path = paths.get(entry.api_version)
        if path is not None and sets.has(entry.fields, path):
            fields = sets.single(_IN_SCALE)
            found[_in_version(manager, SCALE_VERSION)] = Entry(SCALE_VERSION, fields, entry.time)
    return managers.encode(found)


def of_object(
    entries: Sequence[Any], scale_entries: Sequence[Any], paths: Paths, api_version: str
) -> list[Obj]:
    """The object's managed fields once its Scale has these, whichever version it was asked in.

    Errors: managers.Malformed.
    """
    before = managers.decode(entries, is_stored=True)
    left = managers.decode(scale_entries, is_stored=True)
    found: list[tuple[Id, Entry]] = []
    for manager, entry in before.items():
        path = paths.get(entry.api_version)
        if path is None:
            continue
        if not sets.has(entry.fields, path):
            found.append((manager, entry))
        elif manager in left:
            found.append((manager, entry))
            del left[manager]
        elif rest := sets.difference(entry.fields, sets.single(path)):
            found.append((manager, entry._replace(fields=rest)))
    for manager, entry in left.items():
        if sets.has(entry.fields, _IN_SCALE):
            known = before.get(manager)
            moment = known.time if known is not None else None
            fields = sets.single(paths[api_version])
            found.append((_in_version(manager, api_version), Entry(api_version, fields, moment)))
    return managers.encode_all(found)


def _in_version(manager: Id, api_version: str) -> Id:
    return manager._replace(api_version=api_version) if manager.operation == UPDATE else manager
