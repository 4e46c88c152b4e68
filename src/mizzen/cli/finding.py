"""Finds the object that a user means."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mizzen.base.errors import NotFound
from mizzen.base.objects import Obj, name_of
from mizzen.base.resources import DEVICE_CLASSES, Resource
from mizzen.cli.core import nouns
from mizzen.cli.exits import NOT_FOUND, USAGE, CliError

if TYPE_CHECKING:
    from mizzen.client.client import Client


async def find(client: Client, text: str, namespace: str) -> tuple[Resource, Obj]:
    """The object called KIND/NAME, or the one workload or pod with this bare name.

    Errors: CliError for an unknown kind or name, and for a name that several have.
    """
    try:
        resource, name = nouns.parse(text)
    except nouns.UnknownNoun as error:
        raise CliError(str(error), USAGE) from error
    candidates = (resource,) if resource else nouns.WORKLOADS
    answers = await asyncio.gather(*(_get(client, kind, name, namespace) for kind in candidates))
    found = [(kind, obj) for kind, obj in zip(candidates, answers, strict=True) if obj]
    if len(found) == 1:
        return found[0]
    if found:
        several = " and ".join(nouns.shown(kind, name) for kind, _ in found)
        raise CliError(f"{name!r} may be {several}: say which", USAGE)
    where = f" in namespace {namespace}" if resource is None or resource.namespaced else ""
    what = nouns.shown(resource, name) if resource else f"{name!r} is no workload's or pod's name;"
    raise CliError(f"{what} not found{where}; `mizzen ps` lists what there is", NOT_FOUND)


async def find_device_class(client: Client, name: str) -> Obj:
    """Errors: CliError that says which there are: what asks for another would wait for ever."""
    known = {name_of(found): found for found in (await client.list(DEVICE_CLASSES))[0]}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise CliError(f"--device-class {name!r} does not exist; there are: {there}", NOT_FOUND)
    return known[name]


async def _get(client: Client, resource: Resource, name: str, namespace: str) -> Obj | None:
    try:
        return await client.get(resource, name, namespace)
    except NotFound:
        return None
