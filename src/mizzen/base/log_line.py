"""A log line as JSON, for roles with a logger and for the supervisor, which has none."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mizzen.base.clock import rfc3339_micro

LOG_FORMAT = "MIZZEN_LOG_FORMAT"  # environment: one of LOG_FORMATS, the first by default
LOG_FORMATS = ("text", "json")


def json_line(
    time_ns: int, level: str, component: str, message: str, fields: Mapping[str, str]
) -> str:
    """One JSON object on one line; of `fields` those that are not empty."""
    said = {name: value for name, value in fields.items() if value}
    line = {
        "time": rfc3339_micro(time_ns),
        "level": level,
        "component": component,
        "message": message,
    }
    return json.dumps(line | said, ensure_ascii=False)
