"""OpenAI's error form, which engine and gateway both answer in.

Source: platform.openai.com/docs/guides/error-codes; vLLM answers in the same form.
"""

from __future__ import annotations

from typing import cast

import orjson

from mizzen.base.objects import Obj

SHOWN_CHARACTERS_MAX = 200  # of what a client sent, in an error about it
INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "server_error"
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class OpenAIError(Exception):
    """A request that is refused or failed, with what the client will read."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def kind(self) -> str:
        """OpenAI's `type` of this status."""
        return _TYPES.get(self.status, INVALID_REQUEST if self.status < 500 else SERVER_ERROR)

    def body(self) -> Obj:
        """The JSON body."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def headers(self) -> dict[str, str]:
        """Response headers that belong to the error."""
        return {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}


def refused_by_http(
    status: int, method: str, path: str, reason: str, body_bytes_max: int
) -> OpenAIError:
    """The error for a request that the HTTP library refused before a handler, in OpenAI's form."""
    message = {
        404: f"{shown(path)}: there is no such path",
        405: f"{shown(path)}: {method} is not allowed",
        413: f"the request body is above {body_bytes_max} bytes",
    }.get(status, reason)
    return OpenAIError(status, message)


def shown(text: str) -> str:
    """As much of a client's text as an error repeats."""
    if len(text) <= SHOWN_CHARACTERS_MAX:
        return text
    return text[:SHOWN_CHARACTERS_MAX] + "..."


def read_json(raw: bytes) -> object:
    """The body of a request as a JSON value. Errors: OpenAIError 400."""
    try:
        return cast(object, orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise OpenAIError(
            400, f"the request body is not valid JSON: {error}", code="invalid_json"
        ) from error


def write_json(value: object) -> bytes:
    """The value from `read_json` as bytes again. Errors: OpenAIError 400 for too deep nesting."""
    try:
        return orjson.dumps(value)
    except TypeError as error:  # orjson reads 1024 levels and writes 254
        raise OpenAIError(
            400, "the request body is nested more than 254 levels deep", code="invalid_json"
        ) from error
