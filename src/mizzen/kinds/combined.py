"""allOf, anyOf, oneOf and not of users' schemas: restrictions on values, as predicates.

Inside a combination a schema adds no structure (see `structural.py`), so whether a value satisfies
it is a yes or no.
"""

from __future__ import annotations

import re
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.kinds.reading import entries, part

_IS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip


def _is(kind: str, value: Any) -> bool:
    return type(value) in _IS[kind]


def problems(combined: Obj, value: Any) -> list[str]:
    """What the combinations of one schema say against a value, in upstream's words."""
    found: list[str] = []
    if not all(satisfies(child, value) for child in entries(combined, "allOf")):
        found.append("must validate all the schemas (allOf)")
    choices = combined.get("anyOf")
    if choices and not any(satisfies(child, value) for child in choices):
        found.append("must validate at least one schema (anyOf)")
    single = combined.get("oneOf")
    if single and sum(satisfies(child, value) for child in single) != 1:
        found.append("must validate one and only one schema (oneOf)")
    if combined.get("not") and satisfies(combined["not"], value):
        found.append("must not validate the schema (not)")
    return found


def satisfies(schema: Obj, value: Any) -> bool:
    """Whether a value meets a schema that restricts values only."""
    kind = schema.get("type")
    if kind and not _is(kind, value):
        return False
    if schema.get("enum") and value not in schema["enum"]:
        return False
    if isinstance(value, str) and not _string(schema, value):
        return False
    if _is("number", value) and not _number(schema, value):
        return False
    if isinstance(value, list) and not _list(schema, cast("list[Any]", value)):
        return False
    if isinstance(value, dict) and not _object(schema, cast("Obj", value)):
        return False
    return not problems(schema, value)


def _string(schema: Obj, value: str) -> bool:
    if len(value) < (schema.get("minLength") or 0):
        return False
    if schema.get("maxLength") is not None and len(value) > schema["maxLength"]:
        return False
    return not schema.get("pattern") or re.search(schema["pattern"], value) is not None


def _number(schema: Obj, value: Any) -> bool:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        return False
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        return False
    return not schema.get("multipleOf") or value % schema["multipleOf"] == 0


def _list(schema: Obj, value: list[Any]) -> bool:
    if len(value) < (schema.get("minItems") or 0):
        return False
    if schema.get("maxItems") is not None and len(value) > schema["maxItems"]:
        return False
    items = schema.get("items")
    return items is None or all(satisfies(items, item) for item in value)


def _object(schema: Obj, value: Obj) -> bool:
    if any(name not in value for name in entries(schema, "required")):
        return False
    fields: Obj = part(schema, "properties")
    return all(satisfies(fields[name], part) for name, part in value.items() if name in fields)
