from __future__ import annotations

import json
import logging
import sys

import pytest

from mizzen.host.logs import BadLogSettings, JsonFormatter, TextFormatter, about, configure


def record(message: str, *args: object, **extra: str) -> logging.LogRecord:
    made = logging.getLogger("mizzen.node").makeRecord(
        "mizzen.node", logging.WARNING, "f", 1, message, args, None, extra=extra
    )
    made.created = 1.5
    return made


def test_json_is_one_object_on_one_line_with_what_it_is_about() -> None:
    line = JsonFormatter("node").format(
        record("it has\n%s", "a line", **about(object="default/a", request="r-1"))
    )
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500000Z",
        "level": "WARNING",
        "component": "node",
        "logger": "mizzen.node",
        "message": "it has\na line",
        "object": "default/a",
        "request": "r-1",
    }


def test_an_error_keeps_its_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    assert json.loads(JsonFormatter("node").format(made))["error"].endswith("ValueError: why")


def test_text_ends_with_what_it_is_about() -> None:
    line = TextFormatter("node").format(record("failed", **about(object="default/a")))
    assert line.endswith("WARNING node mizzen.node: failed object=default/a")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MIZZEN_LOG_FORMAT", "xml", 'MIZZEN_LOG_FORMAT is "xml"; say one of text, json'),
        ("MIZZEN_LOG_LEVEL", "LOUD", 'MIZZEN_LOG_LEVEL is "LOUD"; say one of CRITICAL'),
    ],
)
def test_settings_that_there_are_not_are_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(BadLogSettings, match=said):
        configure("node", {name: value})
