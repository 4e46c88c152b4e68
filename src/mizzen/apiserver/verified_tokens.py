"""Tokens of ServiceAccounts whose signature is right, each verified once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from mizzen.apiserver.http import Request
from mizzen.base.errors import Unauthorized
from mizzen.base.objects import Obj
from mizzen.host.token_signer import InvalidToken, TokenSigner, unverified_claims

CACHED_MAX = 4096  # tokens of one issuer; about 3 KiB each
T = TypeVar("T")


class VerifiedTokens(Generic[T]):
    """The tokens of one issuer; the oldest goes first.

    `read` makes of a token's claims what is kept of them. Errors: ValueError where they say too
    little, with the reason.
    """

    def __init__(self, signer: TokenSigner, issuer: str, read: Callable[[Obj], T]) -> None:
        self._signer = signer
        self._issuer = issuer
        self._read = read
        self._known: dict[str, T] = {}

    def of(self, request: Request) -> tuple[str, T] | None:
        """The request's token and what is kept of it, None where it is another issuer's.

        Errors: Unauthorized where it is this one's and was not signed here, or says too little.
        """
        token = request.head.bearer_token
        if token is None or "." not in token:
            return None
        found = self._known.get(token)
        if found is None:
            found = self._verify(token)
        return None if found is None else (token, found)

    def _verify(self, token: str) -> T | None:
        try:
            if unverified_claims(token).get("iss") != self._issuer:
                return None
        except InvalidToken:
            return None
        try:
            found = self._read(self._signer.verify(token))
        except (InvalidToken, ValueError) as error:
            raise Unauthorized(f"Unauthorized: {error}") from error
        if len(self._known) >= CACHED_MAX:
            del self._known[next(iter(self._known))]
        self._known[token] = found
        return found
