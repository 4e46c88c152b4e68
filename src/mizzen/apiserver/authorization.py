"""Authorizes a request: the authorizers of a folder, asked in turn."""

from __future__ import annotations

from mizzen.apiserver.context import Context
from mizzen.apiserver.core.authorizer import Authorizer, together
from mizzen.apiserver.core.user import MASTERS
from mizzen.base.registry import collect


def authorization(context: Context, package: str = f"{__package__}.authorizers") -> Authorizer:
    """Asks every `AUTHORIZER` of the package, in name order; each is made of the context once.

    What nobody allows is denied. Masters may do everything, whatever roles there are.
    """
    return together([make(context) for _, make in collect(package, "AUTHORIZER")], MASTERS)
