"""The annotation of client-side apply, when `kubectl apply --server-side` takes over.

Source: apimachinery `util/managedfields/internal/lastapplied*.go`.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from mizzen.base.objects import Obj, annotations_of
from mizzen.kinds.managed_fields import sets
from mizzen.kinds.managed_fields.elements import NoElement
from mizzen.kinds.managed_fields.managers import Context
from mizzen.kinds.managed_fields.sets import Fields
from mizzen.kinds.managed_fields.walking import compare, fields_of

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"  # the one manager that takes over; another name opts out


def last_applied(obj: Obj) -> str:
    """What client-side apply noted, "" if it never did."""
    return annotations_of(obj).get(ANNOTATION, "")


def fields_to_take_over(context: Context, live: Obj) -> Fields:
    """The fields that client-side apply set and that still have its values: no conflict."""
    text = last_applied(live)
    try:
        config: Any = orjson.loads(text) if text else None
    except ValueError:
        return {}
    if not isinstance(config, dict):
        return {}
    obj = cast("Obj", config)
    if obj.get("apiVersion") != context.api_version:
        return {}
    try:
        fields = fields_of(context.schema, obj)
        difference = compare(context.schema, obj, live)
    except NoElement:
        return {}
    for each in (difference.modified, difference.added, difference.removed):
        fields = sets.difference(fields, each)
    return fields


def noted(obj: Obj, config: Obj) -> Obj:
    """The object with the annotation, which it has, brought to this configuration."""
    metadata = {**config["metadata"]}
    annotations = {k: v for k, v in annotations_of(config).items() if k != ANNOTATION}
    metadata["annotations"] = annotations
    if not annotations:
        del metadata["annotations"]
    text = orjson.dumps({**config, "metadata": metadata}, option=orjson.OPT_SORT_KEYS).decode()
    own = obj["metadata"]
    annotations = {**own["annotations"], ANNOTATION: text + "\n"}
    return {**obj, "metadata": {**own, "annotations": annotations}}
