"""Versions that are served and not stored: their objects are kept in the form of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource


@dataclass(frozen=True, slots=True)
class Conversion:
    """Both ways between a version and the stored one. Neither changes the object that it gets, and
    what it gives may share parts with it; apiVersion is the caller's to set."""

    stored: Resource
    to_stored: Callable[[Obj], Obj]
    from_stored: Callable[[Obj], Obj]


def renaming(stored: Resource, names: Mapping[str, str]) -> Conversion:
    """The conversion between versions whose fields differ in their names alone.

    `names` has the stored name of each field that is called otherwise.
    """
    back = {name: mine for mine, name in names.items()}

    def to_stored(obj: Obj) -> Obj:
        return {names.get(name, name): value for name, value in obj.items()}

    def from_stored(obj: Obj) -> Obj:
        return {back.get(name, name): value for name, value in obj.items()}

    return Conversion(stored, to_stored, from_stored)
