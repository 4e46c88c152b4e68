"""The fields that upstream's types always have: nobody owns them where nothing is in them.

The table is derived from upstream's Go types by `scripts/derive_implied_fields.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

import orjson

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource

_METADATA: Mapping[str, Any] = {"metadata": {}}


def implied_fields(resource: Resource) -> Mapping[str, Any]:
    """What an object of a built-in kind has although nothing was set."""
    below = _table().get(f"{resource.api_version} {resource.kind}")
    return _METADATA if below is None else {**_METADATA, **below}


@cache
def implied_status(resource: Resource) -> Obj | None:
    """The status that an object of a built-in kind has before anybody wrote one; None: none."""
    status = implied_fields(resource).get("status")
    return cast("Obj", _set(status)) if isinstance(status, dict) else None


def _set(value: Any) -> Any:
    """Without what is null."""
    if not isinstance(value, dict):
        return value
    fields = cast("Obj", value).items()
    return {name: _set(child) for name, child in fields if child is not None}


@cache
def _table() -> Mapping[str, Obj]:
    text = files("mizzen.kinds.managed_fields").joinpath("implied_fields.json").read_bytes()
    found: Mapping[str, Obj] = orjson.loads(text)
    return found
