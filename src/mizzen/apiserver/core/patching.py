"""Maps content types to kinds of patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mizzen.apiserver.core.bodies import as_object
from mizzen.base.errors import UnsupportedMediaType
from mizzen.base.objects import Obj
from mizzen.kinds.kind import JSON_PATCH, MERGE_PATCH, Kind
from mizzen.kinds.patches import json_patch, merge_patch, strategic_merge_patch


def applier(content_type: str, kind: Kind, patch: Any) -> Callable[[Obj], Any]:
    """The function that patches an object and leaves the original alone.

    Errors: UnsupportedMediaType, BadRequest (also from the function itself).
    """
    if content_type == JSON_PATCH:
        return lambda obj: json_patch(obj, patch)
    if content_type not in kind.patch_types:
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format ({content_type or 'none given'}): "
            f"accepted media types include: {', '.join(kind.patch_types)}"
        )
    change = as_object(patch, "the patch must be an object")
    if content_type == MERGE_PATCH:
        return lambda obj: merge_patch(obj, change)
    return lambda obj: strategic_merge_patch(kind.schema, obj, change)
