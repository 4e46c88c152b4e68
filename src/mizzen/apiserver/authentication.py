"""Finds out who asks: the authenticators of a folder, each asked in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.user import AUTHENTICATED, User
from mizzen.apiserver.http import Request
from mizzen.base.errors import Unauthorized
from mizzen.base.registry import collect

# The user behind the head of a request (its body is not read before that), None where it holds no
# credential that this authenticator knows. Errors: Unauthorized where no other is to be asked.
Authenticator = Callable[[Request], User | None]
Authentication = Callable[[Request], User]  # Errors: Unauthorized

_FIRST = "client_certificates"


def authentication(
    context: Context, package: str = f"{__package__}.authenticators"
) -> Authentication:
    """Asks every `AUTHENTICATOR` of the package, certificates first, as upstream does, then in
    name order; each is made of the context once.

    The first that knows the user is believed. Errors: Unauthorized when none does.
    """
    makers = dict(collect(package, "AUTHENTICATOR"))
    order = sorted(makers, key=lambda name: name != f"{package}.{_FIRST}")
    found: list[Authenticator] = [makers[name](context) for name in order]

    def authenticate(request: Request) -> User:
        for authenticator in found:
            user = authenticator(request)
            if user is not None:
                if AUTHENTICATED in user.groups:
                    return user
                return replace(user, groups=(*user.groups, AUTHENTICATED))
        raise Unauthorized(
            "Unauthorized: send a bearer token, as the kubeconfig of this server does"
        )

    return authenticate
