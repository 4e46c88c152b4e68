"""What a list, a watch or the deletion of a collection says in its query.

Decoded and refused in upstream's order: numbers, selectors, options that contradict each other, fields
that cannot be selected by. Source: apiserver `endpoints/handlers/get.go` (listOpts), apimachinery
`meta/internalversion` (defaults, validation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mizzen.apiserver.core.request_options import refused
from mizzen.apiserver.core.selection import Selection
from mizzen.base import query
from mizzen.base.errors import Cause
from mizzen.kinds import causes
from mizzen.kinds.kind import Kind

_MATCH = "resourceVersionMatch"
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"


@dataclass(frozen=True, slots=True)
class ListOptions:
    """`initial`: a watch begins with what is there; None where a list is asked for."""

    selection: Selection
    limit: int  # 0: all
    timeout_s: int | None
    resource_version: str
    match: str
    token: str  # of an earlier part: `continue`
    initial: bool | None
    marks_end: bool  # of what is there, by a bookmark
    bookmarks: bool

    @classmethod
    def of(cls, kind: Kind, params: Mapping[str, str]) -> ListOptions:
        """Errors: BadRequest, Invalid."""
        timeout_s = query.int64(params, "timeoutSeconds")
        limit = query.int64(params, "limit") or 0
        labels, fields = Selection.read(params)
        is_watch = query.is_true(params.get("watch"))
        found = _check_watch(params) if is_watch else _check_list(params)
        if found:
            raise refused("ListOptions", found)
        asked, initial = params.get("sendInitialEvents"), None
        revision, bookmarks = params.get("resourceVersion", ""), params.get("allowWatchBookmarks")
        if is_watch:
            initial = query.is_true(asked) if asked is not None else revision in ("", "0")
        return cls(
            selection=Selection.of(kind, params, labels, fields),
            limit=max(0, limit),
            timeout_s=timeout_s,
            resource_version=revision,
            match=params.get(_MATCH, ""),
            token=params.get("continue", ""),
            initial=initial,
            marks_end=bool(initial and query.is_true(bookmarks)),
            bookmarks=query.is_true(bookmarks),
        )


def _check_list(params: Mapping[str, str]) -> list[Cause]:
    match, revision = params.get(_MATCH, ""), params.get("resourceVersion", "")
    found: list[Cause] = []
    if match:
        if not revision:
            text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            found.append(causes.forbidden(_MATCH, text))
        if params.get("continue"):
            text = "resourceVersionMatch is forbidden when continue is provided"
            found.append(causes.forbidden(_MATCH, text))
        if match not in (_EXACT, _NOT_OLDER):
            found.append(causes.unsupported(_MATCH, match, (_EXACT, _NOT_OLDER, "")))
        if match == _EXACT and revision == "0":
            text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            found.append(causes.forbidden(_MATCH, text))
    if "sendInitialEvents" in params:
        text = "sendInitialEvents is forbidden for list"
        found.append(causes.forbidden("sendInitialEvents", text))
    return found


def _check_watch(params: Mapping[str, str]) -> list[Cause]:
    match, initial = params.get(_MATCH, ""), "sendInitialEvents" in params
    found: list[Cause] = []
    if initial and match != _NOT_OLDER:
        text = f"sendInitialEvents requires setting resourceVersionMatch to {_NOT_OLDER}"
        found.append(causes.forbidden(_MATCH, text))
    if match:
        if not initial:
            text = (
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
            found.append(causes.forbidden(_MATCH, text))
        if match != _NOT_OLDER:
            found.append(causes.unsupported(_MATCH, match, (_NOT_OLDER,)))
        if params.get("continue"):
            text = "resourceVersionMatch is forbidden when continue is provided"
            found.append(causes.forbidden(_MATCH, text))
    return found
