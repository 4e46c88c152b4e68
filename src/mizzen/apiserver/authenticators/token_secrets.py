"""Authenticates service accounts by the tokens that lie in Secrets.

A token is verified once; the Secret, which must still hold it, and the account are looked up at every
request, and read again where they have been written since. Source: pkg/serviceaccount/legacy.go.
"""

from __future__ import annotations

from mizzen.apiserver.authentication import Authenticator
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import token_secrets
from mizzen.apiserver.core.service_tokens import API_AUDIENCES, narrowed
from mizzen.apiserver.core.user import User
from mizzen.apiserver.http import Request
from mizzen.apiserver.verified_tokens import VerifiedTokens
from mizzen.base.errors import Unauthorized
from mizzen.base.objects import Obj, labels_of
from mizzen.host.token_signer import TokenSigner
from mizzen.store.store import ObjectKey

_DAY_NS = 86_400 * 10**9
_UNSEEN = (-1, -1)


class _Verified:
    """A token whose signature is right, and the revisions of Secret and account it last counted by."""

    __slots__ = ("account", "claims", "seen", "used_on", "user", "warnings")

    def __init__(self, said: Obj) -> None:
        claims = token_secrets.claims_of(said)
        if claims is None:
            raise ValueError("sub claim is invalid")
        self.claims = claims
        self.user = claims.user
        self.account = ObjectKey("serviceaccounts", claims.namespace, claims.account)
        self.seen: tuple[int, int] = _UNSEEN
        self.warnings: tuple[str, ...] = ()
        self.used_on = ""  # the day that the Secret's label says


class SecretTokens:
    def __init__(self, context: Context, signer: TokenSigner) -> None:
        self._context = context
        self._tokens = VerifiedTokens(signer, token_secrets.ISSUER, _Verified)

    def __call__(self, request: Request) -> User | None:
        """Errors: Unauthorized where the token is ours and does not count."""
        found = self._tokens.of(request)
        if found is None:
            return None
        token, verified = found
        if request.audiences is not API_AUDIENCES:
            request.audiences = narrowed(request.audiences, API_AUDIENCES)
        self._check(verified, token)
        request.warnings = verified.warnings
        return verified.user

    def _check(self, verified: _Verified, token: str) -> None:
        """Errors: Unauthorized."""
        store, claims = self._context.store, verified.claims
        key = ObjectKey("secrets", claims.namespace, claims.secret)
        secret, account = store.peek(key), store.peek(verified.account)
        seen = (secret.revision if secret else -1, account.revision if account else -1)
        today = token_secrets.day_of(self._context.clock.now_ns())
        if seen == verified.seen and -1 not in seen and verified.used_on >= today:
            return
        found = None if secret is None else secret.object()
        why = token_secrets.problem(claims, token, found, account.object() if account else None)
        if found is not None:
            verified.used_on = labels_of(found).get(token_secrets.LAST_USED) or ""
            tomorrow = token_secrets.day_of(self._context.clock.now_ns() + _DAY_NS)
            is_known = verified.used_on in (today, tomorrow)
            if not is_known and (not why or token_secrets.INVALID_SINCE in labels_of(found)):
                self._context.on_token_secret_used(key)
        if why:
            raise Unauthorized(f"Unauthorized: {why}")
        is_generated = account is not None and token_secrets.is_generated(claims, account.object())
        verified.warnings = (token_secrets.GENERATED,) if is_generated else ()
        verified.seen = seen


def secret_tokens(context: Context) -> Authenticator:
    signer = context.token_signer
    return SecretTokens(context, signer) if signer is not None else lambda _: None


AUTHENTICATOR = secret_tokens
