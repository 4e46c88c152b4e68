"""Authenticates the configured bearer tokens: one for the admin, one for each component."""

from __future__ import annotations

import hmac

from mizzen.apiserver.authentication import Authenticator
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.service_tokens import API_AUDIENCES
from mizzen.apiserver.core.user import AUTHENTICATED, MASTERS, User
from mizzen.apiserver.http import Request
from mizzen.base.names import ADMIN


def bearer_tokens(context: Context) -> Authenticator:
    users = [(token.encode(), _user(name)) for token, name in context.config.tokens.items()]
    shown: dict[str, User] = {}  # those that were right: a look-up of a hash tells no nearness

    def authenticate(request: Request) -> User | None:
        token = request.head.bearer_token
        if token is None:
            return None
        found = shown.get(token)
        if found is None:
            given = token.encode()
            for known, user in users:  # all, each in constant time: none tells how near it is
                if hmac.compare_digest(known, given):
                    found = shown[token] = user
        if found is not None and request.audiences is not API_AUDIENCES:
            request.audiences = [each for each in request.audiences if each in API_AUDIENCES]
            if not request.audiences:
                return None
        return found

    return authenticate


AUTHENTICATOR = bearer_tokens


def _user(name: str) -> User:
    return User(name, groups=(*((MASTERS,) if name == ADMIN else ()), AUTHENTICATED))
