"""One form for the log lines of all roles: text for people, or JSON for collectors.

`MIZZEN_LOG_FORMAT`, or a role's `--log-format`, says which, `MIZZEN_LOG_LEVEL` from which level on.
A call names what a line is about by `extra=about(object=..., request=...)`; a request has one id, in
every line about it and in its answer. No line holds a key, a token or a prompt.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from mizzen.base.log_line import LOG_FORMAT, LOG_FORMATS, json_line

LOG_LEVEL = "MIZZEN_LOG_LEVEL"
_ABOUT = ("object", "request")  # fields of a line, in this order


class BadLogSettings(Exception):
    """A log format or level that there is not; the message says which there are."""


def about(*, object: object = "", request: str = "") -> dict[str, str]:
    """The context of a line: an object's key, a request's id."""
    return {"object": str(object), "request": request}


def configure(component: str, environ: Mapping[str, str]) -> None:
    """Has this process log to stderr as the environment says. Errors: BadLogSettings."""
    formatters = dict(zip(LOG_FORMATS, (TextFormatter, JsonFormatter), strict=True))
    form = environ.get(LOG_FORMAT) or "text"
    level = environ.get(LOG_LEVEL) or "INFO"
    if form not in formatters:
        raise BadLogSettings(f'{LOG_FORMAT} is "{form}"; say one of {", ".join(formatters)}')
    if level not in logging.getLevelNamesMapping():
        known = ", ".join(logging.getLevelNamesMapping())
        raise BadLogSettings(f'{LOG_LEVEL} is "{level}"; say one of {known}')
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatters[form](component))
    logging.basicConfig(level=level, handlers=[handler])


class TextFormatter(logging.Formatter):
    """Time, level, component, message, what it is about."""

    def __init__(self, component: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {component} %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return line + "".join(f" {name}={value}" for name, value in _about(record).items())


class JsonFormatter(logging.Formatter):
    """One JSON object on one line; `error` is a traceback."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        error = self.formatException(record.exc_info) if record.exc_info else ""
        return json_line(
            int(record.created * 1e9),
            record.levelname,
            self._component,
            record.getMessage(),
            {"logger": record.name, **_about(record), "error": error},
        )


def _about(record: logging.LogRecord) -> dict[str, str]:
    named = ((name, getattr(record, name, "")) for name in _ABOUT)
    return {name: str(value) for name, value in named if value}
