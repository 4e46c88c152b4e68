"""Numbers and requests out of strings that people write; what cannot be read is a `Refused`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.scheduler.core.conventions.gang import Refused
from mizzen.scheduler.core.conventions.topology import Slice, TopologyRequest

DIGITS_MAX = 9  # no gang is larger


def entries(obj: Mapping[str, Any], name: str) -> list[Obj]:
    """The mappings in a list field; anything else is left out."""
    value = obj.get(name)
    if not isinstance(value, list):
        return []
    return [cast(Obj, entry) for entry in cast(list[Any], value) if isinstance(entry, dict)]


def count(value: object, what: str, least: int = 1) -> int | Refused:
    """A whole number of pods, as a number or in digits; `what` names the field in the refusal."""
    text = str(value)
    if isinstance(value, bool) or not _is_number(text) or int(text) < least:
        return Refused(
            "InvalidCount",
            f'{what} is "{text[:63]}", not a whole number of at least {least}; mend it',
        )
    return int(text)


def whole(value: object, default: int = 0) -> int:
    """A field of type integer; `default` where it is absent or of another type."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def index(text: str | None) -> int:
    """A label's index; 0 where there is none that can be read."""
    return int(text) if text and _is_number(text) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX


def slices(text: str, what: str) -> tuple[Slice, ...] | Refused:
    """Layers as `LABEL=SIZE, LABEL=SIZE`, outermost first."""
    layers: list[Slice] = []
    for item in text.split(","):
        key, separator, number = (word.strip() for word in item.partition("="))
        size = count(number, f"a size in {what}")
        if not key or not separator or isinstance(size, Refused):
            return Refused(
                "InvalidTopologyRequest",
                f'{what} is "{text}", not LABEL=SIZE, LABEL=SIZE with whole sizes; mend it',
            )
        layers.append(Slice(size, key))
    return tuple(layers)


def json_list(text: str, what: str) -> list[Obj] | Refused:
    """A JSON list of objects."""
    refusal = Refused("InvalidTopologyRequest", f"{what} is not a JSON list of objects; mend it")
    try:
        value: object = json.loads(text)
    except ValueError:
        return refusal
    if not isinstance(value, list):
        return refusal
    items = cast(list[object], value)
    if not all(isinstance(item, dict) for item in items):
        return refusal
    return [cast(Obj, item) for item in items]


def request(
    required: str = "",
    preferred: str = "",
    layers: tuple[Slice, ...] = (),
    exclusive: str = "",
) -> TopologyRequest | None:
    """The request, or None where nothing is asked."""
    if not (required or preferred or layers or exclusive):
        return None
    first = layers[0] if layers else Slice(0, "")
    return TopologyRequest(required, preferred, first.size, first.required, exclusive, layers[1:])


def text_of(value: object) -> str:
    """A string field; anything else counts as absent."""
    return value if isinstance(value, str) else ""
