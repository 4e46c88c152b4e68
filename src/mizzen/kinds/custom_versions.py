"""The versions of one custom kind: what an object has and loses on its way between them.

An object that is read has the defaults of the version that it is stored in, and no other's; in the
version that it is shown in it has what that one's schema knows. What else becomes of it the
definition's webhook says, if there is one.
Source: apiextensions `customresource_handler.go`: crdConversionRESTOptionsGetter; v0.36.
"""

from __future__ import annotations

from functools import cached_property

from mizzen.base.objects import Obj
from mizzen.base.reading import entries
from mizzen.kinds.apiextensions.conversion import storage_version
from mizzen.kinds.decoding import decode
from mizzen.kinds.dynamic import kind_of
from mizzen.kinds.kind import Kind


class CustomVersions:
    """Those of one definition, served or not; apiVersions name them."""

    def __init__(self, definition: Obj) -> None:
        spec = definition["spec"]
        group = spec["group"]
        self.storage = f"{group}/{storage_version(definition)}"
        self._written = {f"{group}/{v['name']}": v for v in entries(definition, "spec", "versions")}
        self._spec = spec

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return {name: kind_of(self._spec, each) for name, each in self._written.items()}

    @cached_property
    def _pruning(self) -> dict[str, Kind]:
        """Kinds that insert nothing."""
        return {
            name: kind_of(self._spec, {**each, "schema": _without_defaults(each["schema"])})
            for name, each in self._written.items()
        }

    def completed(self, obj: Obj) -> Obj:
        """With the defaults of the version that it is in."""
        kind = self._kinds.get(obj["apiVersion"])
        if kind is None or not kind.has_defaults:
            return obj  # of a version that is defined no longer nothing is known
        return decode(kind.schema, obj).object

    def pruned(self, obj: Obj) -> Obj:
        """Without what its version does not know."""
        kind = self._pruning.get(obj["apiVersion"])
        return obj if kind is None else decode(kind.schema, obj).object

    def renamed(self, obj: Obj, api_version: str) -> Obj:
        """In another version of a kind without a webhook."""
        return self.pruned({**obj, "apiVersion": api_version})


def _without_defaults(schema: Obj) -> Obj:
    made = {name: value for name, value in schema.items() if name != "default"}
    if isinstance(made.get("properties"), dict):
        properties: Obj = made["properties"]
        made["properties"] = {name: _without_defaults(each) for name, each in properties.items()}
    for name in ("openAPIV3Schema", "items", "additionalProperties"):
        if isinstance(made.get(name), dict):
            made[name] = _without_defaults(made[name])
    return made
