"""Back to the minor version before: gives a stopped instance's store the format that it reads.

Nothing is converted and nothing dropped: a store that holds what the older version does not know
keeps its format, and whoever asked is told of every such object.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mizzen.base import versions
from mizzen.base.versions import BINARY, EffectiveVersion
from mizzen.compose import settings as settings_module
from mizzen.compose.state import take_lock
from mizzen.host.home import Home
from mizzen.kinds.compatibility import introduced_in
from mizzen.kinds.registry import builtin_kinds
from mizzen.store.checking import lower_format
from mizzen.store.lmdb_file import NoRoom
from mizzen.store.store import Stored


class NotPossible(Exception):
    """Nothing was changed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`lost`: an object, or a field of one, a line; where there are any nothing was changed."""

    version: EffectiveVersion
    lost: list[str] = field(default_factory=list[str])


def rollback(home: Home) -> Outcome:
    """Errors: NotPossible, records.Damaged, settings.BadSettings, OSError."""
    older = EffectiveVersion(versions.allowed()[0])
    lock = take_lock(home)
    if lock is None:
        raise NotPossible("the instance runs: stop it with `mizzen down` first")
    try:
        if lost := lower_format(home.store, older.store_format, unknown_to_older, home.store_mark):
            return Outcome(older, lost)
        settings = settings_module.load(home)
        if settings.emulate_version:
            settings_module.save(home, replace(settings, emulate_version=""))
    except NoRoom as error:
        raise NotPossible(f"nothing was changed: {error} is full; free some space") from error
    finally:
        os.close(lock)
    return Outcome(older)


def unknown_to_older(objects: Iterable[Stored]) -> list[str]:
    """What the version before would not show, or would drop when it next writes the object."""
    new = introduced_in(BINARY)
    kinds = {
        (f"{plural}.{group}" if group else plural): kind.resource
        for (group, plural), kind in builtin_kinds().items()
    }
    lost: list[str] = []
    for stored in objects:
        resource = kinds.get(stored.key.resource)
        if resource is None:  # of a CustomResourceDefinition, which the older version knows, too
            continue
        place = (resource.api_version, resource.plural)
        if place not in new.resources and place not in new.fields:
            continue
        name = "/".join(part for part in stored.key[1:] if part)
        for path in new.found_in(*place, stored.object()):
            lost.append(f"{resource.kind} {name}" + (f": {path}" if path else ""))
    return lost
