"""Handlers by verb; those of subresources and virtual kinds are found by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from mizzen.apiserver import lists, reads, watch, writes
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.http import Answer, Request
from mizzen.apiserver.server import Server
from mizzen.base.registry import collect

Handler = Callable[[Server, Served, Target, Request], Awaitable[Answer]]

# (verb, whether the path names an object) -> what answers it
OF_STORED_KINDS: Mapping[tuple[str, bool], Handler] = {
    ("get", True): reads.get,
    ("list", False): lists.list_objects,
    ("watch", False): watch.watch,
    ("create", False): writes.create,
    ("update", True): writes.update,
    ("patch", True): writes.patch,
    ("delete", True): writes.delete,
    ("deletecollection", False): writes.delete_collection,
}


def of_subresources() -> Mapping[tuple[str, str], Handler]:
    """(subresource, verb) -> what answers it."""
    return _in_folder("mizzen.apiserver.subresources")


def of_virtual_kinds() -> Mapping[tuple[str, str], Handler]:
    """(plural, verb) -> what answers it."""
    return _in_folder("mizzen.apiserver.virtual")


def _in_folder(package: str) -> Mapping[tuple[str, str], Handler]:
    found: list[tuple[str, Mapping[str, Handler]]] = collect(package, "HANDLERS")
    return {
        (module.rpartition(".")[2], verb): handler
        for module, handlers in found
        for verb, handler in handlers.items()
    }
