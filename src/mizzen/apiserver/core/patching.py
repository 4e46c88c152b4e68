"""Which patch a content type means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mizzen.apiserver.core.bodies import as_object
from mizzen.base.errors import UnsupportedMediaType
from mizzen.base.objects import Obj
from mizzen.kinds.kind import Kind
from mizzen.kinds.patches import json_patch, merge_patch, strategic_merge_patch

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


def applier(
    content_type: str, kind: Kind, patch: Any, *, is_builtin: bool = True
) -> Callable[[Obj], Any]:
    """The function that patches an object and leaves the original alone.

    Kinds that are not built in know no merge keys: as upstream, no strategic merge.
    Errors: UnsupportedMediaType, BadRequest (also from the function itself).
    """
    if content_type == JSON_PATCH:
        return lambda obj: json_patch(obj, patch)
    accepted = (JSON_PATCH, MERGE_PATCH, *((STRATEGIC_PATCH,) if is_builtin else ()))
    if content_type not in accepted:
        hint = ""
        if content_type.startswith("application/apply-patch"):
            hint = "; server-side apply is not served: use client-side apply (kubectl apply)"
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format ({content_type or 'none given'}): "
            f"accepted media types include: {', '.join(accepted)}{hint}"
        )
    change = as_object(patch, "the patch must be an object")
    if content_type == MERGE_PATCH:
        return lambda obj: merge_patch(obj, change)
    return lambda obj: strategic_merge_patch(kind.schema, obj, change)
