"""JSON merge patch, pure: the inputs are never changed.

Results share unchanged parts with the input; whoever changes them copies first (the API server
decodes the result, which copies). JSON patch and strategic merge patch are in files of their own,
re-exported here.

Source: RFC 7386; evanphx/json-patch as used upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.kinds.json_patch import DoesNotApply, FailedTest, json_patch
from mizzen.kinds.strategic import strategic_merge_patch

__all__ = ["DoesNotApply", "FailedTest", "json_patch", "merge_patch", "strategic_merge_patch"]


def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch merged in; null deletes, lists are replaced whole."""
    if not isinstance(patch, dict):
        return patch if isinstance(target, dict) else _without_nulls(patch)
    source = cast("Mapping[str, Any]", patch)
    result: Obj = dict(cast("Obj", target)) if isinstance(target, dict) else {}
    for name, value in source.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def _without_nulls(value: Any) -> Any:
    """New content: objects in lists have no nulls, either, as upstream's library has it."""
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return [
        merge_patch(None, each) if isinstance(each, dict) else _without_nulls(each)
        for each in items
    ]
