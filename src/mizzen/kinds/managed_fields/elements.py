"""Path elements: what an item of a list is called, and how people read a path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import orjson

from mizzen.base.objects import Obj
from mizzen.kinds.facts import table_of
from mizzen.kinds.schema import Schema

Element = Callable[[Any], str]


class NoElement(Exception):
    """An item has no name among its siblings; the message says why, as upstream does."""


def element_of(schema: Schema) -> Element | None:
    """The function that names the items of a list; None where the list is one value (atomic)."""
    if schema.type != "array" or schema.items is None:
        return None
    kind = schema.list_type or _list_type(schema)
    if kind == "map":
        return _by_keys(schema.items.resolve(), tuple(sorted(schema.list_keys)))
    return _by_value if kind == "set" else None


def _list_type(schema: Schema) -> str:
    if schema.list_keys:
        return "map"
    is_set = schema.unique or (schema.merge and not schema.merge_key)
    return "set" if is_set else "atomic"


def _by_keys(item: Schema, keys: tuple[str, ...]) -> Element:
    defaults: Obj = {}
    for key in keys:
        field = item.fields.get(key)
        if field is not None:
            default = field.default if field.default is not None else _published(item.name, key)
            if default is not None:
                defaults[key] = default

    only = keys[0] if len(keys) == 1 else ""

    def element(value: Any) -> str:
        if only and type(value) is dict:
            name = cast("Obj", value).get(only)
            if type(name) is str and name.replace("-", "").isalnum() and name.isascii():
                return f'k:{{"{only}":"{name}"}}'
        if not isinstance(value, dict):
            what = "a null element" if value is None else "non-map elements"
            raise NoElement(f"associative list with keys may not have {what}")
        obj = cast("Obj", value)
        found = {k: obj[k] if k in obj else defaults[k] for k in keys if k in obj or k in defaults}
        if not found:
            named = " ".join(f'"{key}"' for key in keys)
            raise NoElement(
                f"associative list with keys has an element that omits all key fields [{named}] "
                "(and doesn't have default values for any key fields)"
            )
        return f"k:{orjson.dumps(found).decode()}"

    return element


def _published(name: str, field: str) -> Any:
    """The default of a field in upstream's schemas, which have one, too, for what Go always writes."""
    try:
        return table_of(name)["fields"][field].get("default")
    except KeyError:
        return None


def _by_value(value: Any) -> str:
    if isinstance(value, dict):
        raise NoElement("associative list without keys has an element that's a map type")
    if isinstance(value, list):
        raise NoElement("not supported: associative list with lists as elements")
    if value is None:
        raise NoElement("associative list without keys has an element that's an explicit null")
    return f"v:{orjson.dumps(value).decode()}"


def shown(path: tuple[str, ...]) -> str:
    """A path as upstream prints it: `.spec.containers[name="a"].image`."""
    return "".join(map(_shown, path))


def _shown(element: str) -> str:
    kind, text = element[0], element[2:]
    if kind == "f":
        return f".{text}"
    if kind == "k":
        keys = cast("Obj", orjson.loads(text))
        return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in keys.items()) + "]"
    return f"[={text}]" if kind == "v" else f"[{text}]"
