"""Authenticates service accounts by their tokens.

A token is verified once. Whatever it rests on (the account, the pod, the secret or the node) is
looked up at every request, and read again where it has been written since: what is gone counts for
nothing at once. Source: pkg/serviceaccount/jwt.go, claims.go.
"""

from __future__ import annotations

from mizzen.apiserver.authentication import Authenticator
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.service_tokens import (
    API_AUDIENCES,
    ISSUER,
    Bound,
    audiences_of,
    bound_objects,
    gone,
    life_ns,
    narrowed,
    time_error,
    user_of,
)
from mizzen.apiserver.core.user import User
from mizzen.apiserver.http import Request
from mizzen.apiserver.verified_tokens import VerifiedTokens
from mizzen.base.clock import Clock
from mizzen.base.errors import Unauthorized
from mizzen.base.objects import Obj, is_terminating
from mizzen.host.token_signer import TokenSigner
from mizzen.store.store import ObjectKey, Store, Stored

_UNSEEN = -1


class _Verified:
    """A token whose signature is right: what it says, and the revisions it was last checked by."""

    __slots__ = ("audiences", "bound", "claims", "is_for_api", "life_ns", "seen", "user")

    def __init__(self, claims: Obj) -> None:
        self.claims = claims
        self.user = user_of(claims)
        self.audiences = audiences_of(claims)
        self.is_for_api = set(API_AUDIENCES) <= set(self.audiences)
        self.life_ns = life_ns(claims)
        self.bound: list[tuple[ObjectKey, Bound]] = [
            (ObjectKey(each.resource, each.namespace, each.name), each)
            for each in bound_objects(claims)
        ]
        self.seen = [_UNSEEN] * len(self.bound)


class ServiceAccountTokens:
    def __init__(self, store: Store, signer: TokenSigner, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tokens = VerifiedTokens(signer, ISSUER, _Verified)

    def __call__(self, request: Request) -> User | None:
        """Errors: Unauthorized where the token is ours and does not count."""
        found = self._tokens.of(request)
        if found is None:
            return None
        verified = found[1]
        if request.audiences is not API_AUDIENCES or not verified.is_for_api:
            request.audiences = narrowed(request.audiences, verified.audiences)
        now_ns = self._clock.now_ns()
        begins_ns, ends_ns = verified.life_ns
        if not begins_ns <= now_ns <= ends_ns:
            raise _unauthorized(time_error(verified.claims, now_ns / 1e9))
        seen = verified.seen
        for index, (key, bound) in enumerate(verified.bound):
            stored = self._store.peek(key)
            if stored is None or stored.revision != seen[index]:
                seen[index] = _check(bound, stored, now_ns / 1e9)
        return verified.user


def _check(bound: Bound, stored: Stored | None, now_s: float) -> int:
    """The revision by which the object carries the token. Errors: Unauthorized where it is gone."""
    obj = None if stored is None else stored.object()
    error = gone(bound, obj, now_s)
    if error or stored is None or obj is None:
        raise _unauthorized(error)
    # One that is being deleted carries its tokens for a while only.
    return _UNSEEN if is_terminating(obj) else stored.revision


def _unauthorized(why: str) -> Unauthorized:
    return Unauthorized(f"Unauthorized: {why}")


def service_accounts(context: Context) -> Authenticator:
    signer = context.token_signer
    if signer is None:
        return lambda _: None
    return ServiceAccountTokens(context.store, signer, context.clock)


AUTHENTICATOR = service_accounts
