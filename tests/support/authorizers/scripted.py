"""Allows what a test says, as (user, verb, what)."""

from __future__ import annotations

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer

ALLOWED: set[tuple[str, str, str]] = set()


def scripted(context: Context) -> Authorizer:
    def allows(access: Access) -> bool:
        return (access.user.name, access.verb, access.what) in ALLOWED

    return Authorizer(allows)


AUTHORIZER = scripted
