"""ConfigMap: plain configuration that pods read."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import CONFIG_MAPS
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.names import config_key, invalid_value
from mizzen.kinds.reading import part
from mizzen.kinds.schema import BOOL, STR, STRING_MAP, mapping
from mizzen.kinds.treatment import acted

BYTES_MAX = 1024 * 1024


def frozen_data(new: Obj, old: Obj | None) -> list[Cause]:
    """Causes against changing data that was declared immutable; shared with Secret."""
    if old is None or not old.get("immutable"):
        return []
    causes: list[Cause] = []
    if not new.get("immutable"):
        message = "Forbidden: field is immutable when `immutable` is set"
        causes.append(Cause("immutable", message, "FieldValueForbidden"))
    for name in ("data", "binaryData"):
        if new.get(name) != old.get(name):
            message = "Forbidden: field is immutable when `immutable` is set"
            causes.append(Cause(name, message, "FieldValueForbidden"))
    return causes


def drop_empty_data(obj: Obj) -> None:
    """Takes out what holds nothing, as it is written; of what may not change it is a change."""
    for name in ("data", "binaryData"):
        if name in obj and not obj[name] and not obj.get("immutable"):
            del obj[name]


def drop_empty_new_data(new: Obj, old: Obj | None = None) -> None:
    """The same of an object that was not immutable before."""
    if old is None or not old.get("immutable"):
        for name in ("data", "binaryData"):
            if name in new and not new[name]:
                del new[name]


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    size = 0
    data, binary = part(new, "data"), part(new, "binaryData")
    for field, values in (("data", data), ("binaryData", binary)):
        for key, value in values.items():
            if config_key(key):
                causes.append(invalid_value(f"{field}[{key}]", key, config_key(key)))
            size += len(value)
    for key in data.keys() & binary.keys():
        message = "duplicate of key present in binaryData"
        causes.append(invalid_value(f"data[{key}]", key, message))
    if size > BYTES_MAX:
        message = f"Too long: may not be more than {BYTES_MAX} bytes"
        causes.append(Cause("", message, "FieldValueTooLong"))
    return causes + frozen_data(new, old)


KIND = Kind(
    resource=CONFIG_MAPS,
    short_names=("cm",),
    generation=False,
    schema=root(
        CONFIG_MAPS,
        "Configuration for pods to read.",
        "io.k8s.api.core.v1.ConfigMap",
        data=STRING_MAP("Text by key."),
        binaryData=mapping(STR(format="byte"))("Base64 by key."),
        immutable=BOOL("Once true, data cannot change any more."),
    ),
    default=drop_empty_data,
    on_create=drop_empty_new_data,
    on_update=drop_empty_new_data,
    validate=_validate,
    opaque=("data",),  # whoever is below BYTES_MAX as JSON is below it as text
    columns=(
        NAME,
        Column(
            "Data",
            lambda obj, now: len(part(obj, "data")) + len(part(obj, "binaryData")),
        ),
        AGE,
    ),
)

SERVED_FIELDS = {
    "core.v1.ConfigMap": {**acted("node", "data binaryData"), **acted("kinds", "immutable")},
}  # fmt: skip
