"""Authorizes a request: the authorizers of a folder, asked in turn."""

from __future__ import annotations

from collections.abc import Callable

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.base.registry import collect

# Whether this authorizer allows it. None can take away what another allows, as with RBAC.
Authorizer = Callable[[Access], bool]


def authorization(
    context: Context, package: str = f"{__package__}.authorizers"
) -> Callable[[Access], bool]:
    """Asks every `AUTHORIZER` of the package, in name order; each is made of the context once.

    What nobody allows is denied.
    """
    found: list[Authorizer] = [make(context) for _, make in collect(package, "AUTHORIZER")]

    if len(found) == 1:
        return found[0]

    def authorize(access: Access) -> bool:
        return any(authorizer(access) for authorizer in found)

    return authorize
