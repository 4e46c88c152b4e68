"""Authenticates kubelets and kube-proxies by the tokens that `mizzen node-config` has written."""

from __future__ import annotations

from mizzen.apiserver.authentication import Authenticator
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.node_tokens import PREFIX, user_of
from mizzen.apiserver.core.service_tokens import API_AUDIENCES
from mizzen.apiserver.core.user import User
from mizzen.apiserver.http import Request
from mizzen.host.token_signer import InvalidToken, TokenSigner

CACHED_MAX = 4096  # tokens
BACKDATED_S = 60 * 60  # a clock that is set back a little ends nothing


def node_tokens(context: Context) -> Authenticator:
    signer, clock = context.token_signer, context.clock
    known: dict[str, tuple[User, float, float]] = {}

    def verify(signer: TokenSigner, token: str) -> tuple[User, float, float] | None:
        try:
            claims = signer.verify(token.removeprefix(PREFIX))
            user = user_of(claims)
            begins_s, ends_s = float(claims["nbf"]), float(claims["exp"])
        except (InvalidToken, KeyError, TypeError, ValueError):
            return None
        return None if user is None else (user, begins_s - BACKDATED_S, ends_s)

    def authenticate(request: Request) -> User | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if signer is None or scheme.lower() != "bearer" or not token.startswith(PREFIX):
            return None
        found = known.get(token) or verify(signer, token)
        if found is None:
            return None
        if len(known) >= CACHED_MAX:
            known.clear()
        known[token] = found
        user, begins_s, ends_s = found
        if not begins_s <= clock.now_ns() / 1e9 <= ends_s:
            return None
        if request.audiences is not API_AUDIENCES:
            request.audiences = [each for each in request.audiences if each in API_AUDIENCES]
            if not request.audiences:
                return None
        return user

    return authenticate


AUTHENTICATOR = node_tokens
