"""API keys, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from mizzen.base.openai import OpenAIError


def check_key(authorization: str, keys: Iterable[str]) -> None:
    """Passes when `Authorization: Bearer KEY` carries one of the keys; no keys, nobody passes.

    All keys are compared, so the time taken does not tell which one was nearly right.
    Errors: OpenAIError 401.
    """
    scheme, _, given = authorization.partition(" ")
    if not authorization:
        raise OpenAIError(
            401, "the request carries no API key; send Authorization: Bearer KEY",
            code="missing_api_key",
        )  # fmt: skip
    if scheme.lower() != "bearer":
        raise OpenAIError(
            401, "the Authorization header is not of the form Bearer KEY", code="invalid_api_key"
        )
    offered = given.strip().encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(offered, key.encode()) for key in keys]
    if not any(matches):
        raise OpenAIError(401, "the API key is not known", code="invalid_api_key")
