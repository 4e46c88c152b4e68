"""Secret: configuration that should not be shown."""

from __future__ import annotations

import base64

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.reading import text
from mizzen.base.resources import SECRETS
from mizzen.kinds.columns import AGE, NAME, keys, of
from mizzen.kinds.core.config_map import (
    BYTES_MAX,
    drop_empty_data,
    drop_empty_new_data,
    frozen_data,
)
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import root
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import config_key, invalid_value
from mizzen.kinds.reading import part
from mizzen.kinds.schema import BOOL, STR, STRING_MAP, mapping
from mizzen.kinds.treatment import acted

# Keys that a secret of a known type must have. Source: core/validation `ValidateSecret`.
_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}

SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"  # annotations: whose token is in it
ACCOUNT_UID = "kubernetes.io/service-account.uid"


def _default(secret: Obj) -> None:
    """`stringData` is for writing only: it becomes part of `data`."""
    plain: Obj = secret.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        secret["data"] = {**part(secret, "data"), **encoded}
    drop_empty_data(secret)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    data = part(new, "data")
    for key in data:
        if config_key(key):
            causes.append(invalid_value(f"data[{key}]", key, config_key(key)))
    if sum(len(value) * 3 // 4 for value in data.values()) > BYTES_MAX:
        message = f"Too long: may not be more than {BYTES_MAX} bytes"
        causes.append(Cause("data", message, "FieldValueTooLong"))
    if new["type"] == SERVICE_ACCOUNT_TOKEN and not text(
        new, "metadata", "annotations", ACCOUNT_NAME
    ):
        at = f"metadata.annotations[{ACCOUNT_NAME}]"
        causes.append(Cause(at, "Required value", "FieldValueRequired"))
    for key in _KEYS.get(new["type"], ()):
        if key not in data:
            causes.append(Cause(f"data[{key}]", "Required value", "FieldValueRequired"))
    return causes + immutable(new, old, "type") + frozen_data(new, old)


KIND = Kind(
    resource=SECRETS,
    generation=False,
    schema=root(
        SECRETS,
        "Configuration that should not be shown.",
        "io.k8s.api.core.v1.Secret",
        data=mapping(STR(format="byte"))("Base64 by key."),
        stringData=STRING_MAP("Text by key; write only, becomes data."),
        type=STR("What it is for.", default="Opaque"),
        immutable=BOOL("Once true, data cannot change any more."),
    ),
    default=_default,
    on_create=drop_empty_new_data,
    on_update=drop_empty_new_data,
    validate=_validate,
    selectable_fields=("type",),
    columns=(NAME, Column("Type", of("type")), Column("Data", keys("data")), AGE),
)

SERVED_FIELDS = {
    "core.v1.Secret": {**acted("node", "data"), **acted("kinds", "stringData type immutable")},
}  # fmt: skip
