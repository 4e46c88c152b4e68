"""One watch stream, decoded: events, bookmarks, and the server's refusals as errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from mizzen.base.errors import Unavailable, from_status
from mizzen.base.objects import Obj, annotations_of

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
# The server ends each watch after this long, so that a lost connection cannot hide for ever.
WATCH_SECONDS = 600


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A change of an object; a BOOKMARK carries only a resourceVersion."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Obj

    @property
    def ends_initial_events(self) -> bool:
        """The bookmark after which a streaming list is complete."""
        return (
            self.type == "BOOKMARK"
            and annotations_of(self.object).get(INITIAL_EVENTS_END) == "true"
        )


def watch_parameters(revision: int | None, labels: str, fields: str) -> dict[str, str]:
    """Query parameters; without a revision, of a streaming list (KEP-3157)."""
    parameters = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(WATCH_SECONDS),
    }
    if revision is None:
        parameters["sendInitialEvents"] = "true"
        parameters["resourceVersionMatch"] = "NotOlderThan"
    else:
        parameters["resourceVersion"] = str(revision)
    return parameters | selector_parameters(labels, fields)


def selector_parameters(labels: str, fields: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    if labels:
        parameters["labelSelector"] = labels
    if fields:
        parameters["fieldSelector"] = fields
    return parameters


def decode(line: bytes) -> WatchEvent:
    """The event of one line. Errors: an ERROR event raises what its Status stands for."""
    try:
        raw: Any = orjson.loads(line)
        kind, obj = str(raw["type"]), cast("Obj", raw["object"])
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Unavailable(f"the watch sent a line that is no event: {line[:200]!r}") from error
    if kind == "ERROR":
        raise from_status(obj)
    return WatchEvent(cast("Any", kind), obj)
