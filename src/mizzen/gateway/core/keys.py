"""API keys, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Iterable


class Unauthenticated(Exception):
    """The request carries no valid API key; `code` is one word for programs."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def check_key(authorization: str, keys: Iterable[str]) -> None:
    """Passes if `Authorization: Bearer KEY` carries one of the keys; without keys none does.

    All keys are compared, so the time taken does not tell which one was nearly right.
    Errors: Unauthenticated.
    """
    scheme, _, given = authorization.partition(" ")
    if not authorization:
        raise Unauthenticated(
            "the request carries no API key; send Authorization: Bearer KEY", "missing_api_key"
        )
    if scheme.lower() != "bearer":
        raise Unauthenticated(
            "the Authorization header is not of the form Bearer KEY", "invalid_api_key"
        )
    offered = given.strip().encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(offered, key.encode()) for key in keys]
    if not any(matches):
        raise Unauthenticated("the API key is not known", "invalid_api_key")
