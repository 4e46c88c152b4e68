"""Finds the object that a user means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mizzen.base.errors import NotFound
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.cli.core import nouns
from mizzen.cli.exits import NOT_FOUND, USAGE, CliError

if TYPE_CHECKING:
    from mizzen.client.client import Client


async def find(client: Client, text: str, namespace: str) -> tuple[Resource, Obj]:
    """The object called KIND/NAME, or the first workload with this bare name.

    Errors: CliError for an unknown kind or name.
    """
    try:
        resource, name = nouns.parse(text)
    except nouns.UnknownNoun as error:
        raise CliError(str(error), USAGE) from error
    for candidate in (resource,) if resource else nouns.WORKLOADS:
        try:
            return candidate, await client.get(candidate, name, namespace)
        except NotFound:
            continue
    where = f" in namespace {namespace}" if resource is None or resource.namespaced else ""
    what = nouns.shown(resource, name) if resource else f"{name!r} is no workload's or pod's name;"
    raise CliError(f"{what} not found{where}; `mizzen ps` lists what there is", NOT_FOUND)
