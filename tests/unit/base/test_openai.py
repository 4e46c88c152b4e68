from __future__ import annotations

import pytest

from mizzen.base.openai import OpenAIError


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (413, "invalid_request_error"),
        (429, "rate_limit_error"),
        (503, "server_error"),
    ],
)
def test_the_type_follows_the_status(status: int, kind: str) -> None:
    assert OpenAIError(status, "no").body()["error"]["type"] == kind


def test_body_and_headers() -> None:
    error = OpenAIError(429, "full", param="x", code="queue_full", retry_after_s=3)
    assert error.body()["error"] == {
        "message": "full",
        "type": "rate_limit_error",
        "param": "x",
        "code": "queue_full",
    }
    assert error.headers() == {"Retry-After": "3"}
    assert OpenAIError(400, "no").headers() == {}
