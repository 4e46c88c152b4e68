"""The API server's knowledge of a kind, so that it has no code of its own for any of them.

How a write goes through it, in this order:

    decoded = kind.decode(body)        # fresh copy: types checked, defaults set, unknown fields out
    strict.strict_error(...)           # decoded.unknown, if fieldValidation=Strict
    decoded.mistyped                   # 400 if any: what follows relies on right types
    kind.prepare_create(new)           # or prepare_update(new, old), prepare_status(new, old)
    kind.default(new)                  # defaults that depend on other fields; may be repeated
    kind.stamp(new, old, now)          # moments that the server fills in
    causes = kind.check(new, old, decoded.causes)  # 422 if any (check_status for /status)

Decoding is lenient, as Go's is: a field that is missing holds its zero, and that it is missed is one
of the causes that decoding notes; validators look at all the rest and tell it together.

A binding is no update: whoever binds a pod sets spec.nodeName and checks nothing here.

The metadata that the server owns (uid, resourceVersion, creationTimestamp, ...) is the server's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import names
from mizzen.kinds.conversion import Conversion
from mizzen.kinds.custom_scale import check_replicas, check_selector
from mizzen.kinds.decoding import Decoded, decode
from mizzen.kinds.managed_fields.reset_fields import reset_fields
from mizzen.kinds.metadata import check_metadata
from mizzen.kinds.ratcheting import is_of_status, unforgiven
from mizzen.kinds.reading import get
from mizzen.kinds.remembered import Memory, key_of
from mizzen.kinds.report import NOWHERE
from mizzen.kinds.schema import Schema, at, has_defaults
from mizzen.kinds.subresource import STATUS_SUBRESOURCE, Subresource
from mizzen.kinds.values import has_null, without_nulls

_BLOCKING = frozenset(
    f"FieldValue{each}"
    for each in ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid")
)
_UNCHECKED = Cause(
    NOWHERE,
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)
Cell = str | int | float | bool | None
Validator = Callable[[Obj, Obj | None], list[Cause]]


@dataclass(frozen=True, slots=True)
class Column:
    """A printed column. `cell` gets the object and the wall time in ns since the epoch."""

    name: str
    cell: Callable[[Obj, int], Cell]
    type: str = "string"
    format: str = ""
    priority: int = 0  # above 0: only with -o wide
    description: str = ""


@dataclass(frozen=True, slots=True)
class WritablePart:
    """A part of an object that a subresource of its own writes.

    `keep(new, old)` leaves all else as it was, in place; `validate` is `Kind.validate` for it.
    `is_update`: `Kind.on_update` has its say about what is kept.
    """

    keep: Callable[[Obj, Obj], None]
    validate: Validator
    is_update: bool = True


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """The dotted paths to the numbers of the `scale` subresource."""

    spec_replicas: str = "spec.replicas"
    status_replicas: str = "status.replicas"
    selector: str = ""  # of a label selector, serialised or not


_LOOSE_GROUPS = ("admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io")
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


def no_op(obj: Obj) -> None:
    """The hook of kinds that have nothing to add."""


def keep_no_field(new: Obj, old: Obj) -> None:
    """The hook of kinds whose writers own every field outside of metadata and status."""


def no_other_change(new: Obj, old: Obj) -> bool:
    """The rule of kinds whose generation counts changes outside of metadata and status alone."""
    return False


def no_warnings(obj: Obj) -> list[str]:
    """The hook of kinds in which nothing is allowed that is rarely meant."""
    return []


def no_stamp(new: Obj, old: Obj | None, now: str) -> None:
    """The hook of kinds that hold no moment of their own."""


def no_rules(new: Obj, old: Obj | None) -> list[Cause]:
    """The validator of kinds whose schema says all."""
    return []


@dataclass(frozen=True)
class Kind:
    """One API type in one version."""

    resource: Resource
    schema: Schema
    written: Obj | None = None  # a custom kind's schema as its definition has it, for OpenAPI
    is_stored: bool = True  # False: virtual, answered at once, such as a Plan
    conversion: Conversion | None = None  # of a version that is served beside the stored one
    deprecation: str = ""  # what clients of this version are warned of
    is_acted_upon: bool = True  # False: stored and checked, for others; no component here reads it
    columns: tuple[Column, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""  # "" = the kind in lower case
    subresources: tuple[Subresource, ...] = ()
    selectable_fields: tuple[str, ...] = ()  # beyond metadata.name and metadata.namespace
    field_aliases: Mapping[str, str] = field(default_factory=dict[str, str])  # selector -> path
    field_fallbacks: Mapping[str, str] = field(default_factory=dict[str, str])  # where that is ""
    default: Callable[[Obj], None] = no_op  # defaults beyond the schema's, in place
    stamp: Callable[[Obj, Obj | None, str], None] = no_stamp  # moments, in place; now is RFC 3339
    stamp_status: Callable[[Obj, Obj, str], None] = no_stamp  # the same of an update of the status
    validate: Validator = no_rules  # beyond the schema; types are right when it is called
    validate_status: Validator = no_rules
    warn: Callable[[Obj], list[str]] = no_warnings  # creators: of what is allowed, rarely meant
    warn_of_update: Callable[[Obj, Obj], list[str]] | None = None  # (new, old), instead of `warn`
    on_create: Callable[[Obj], None] = no_op  # e.g. the first status, in place
    # default, validate and warn look at the spec of a new object alone, but for its name.
    rules_on_spec_alone: bool = False
    # Maps whose values, strings as short as a body may be, decide nothing; their keys may.
    opaque: tuple[str, ...] = ()
    complete: Callable[[Obj], None] = no_op  # in place: what a new object has by nobody's wish
    on_update: Callable[[Obj, Obj], None] = keep_no_field  # (new, old): what the server keeps
    scale: ScalePaths | None = None
    parts: Mapping[str, WritablePart] = field(default_factory=dict[str, WritablePart])
    merges_strategically: bool = True  # strategic merge patch is served, and said to be
    keeps_first_status: bool = False  # a creator may say it, such as a kubelet of its Node
    generation: bool = True  # metadata.generation counts changes outside metadata and status
    counts_too: Callable[[Obj, Obj], bool] = no_other_change  # (new, old): so does this change
    name_rule: names.NameRule = names.dns_subdomain
    is_named_by_uid: bool = False  # where nobody names it
    any_finalizer: bool = False  # one without a domain may be any, not the standard ones alone
    verbs: tuple[str, ...] = (
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    )  # fmt: skip

    @property
    def singular_name(self) -> str:
        return self.singular or self.resource.kind.lower()

    @cached_property
    def has_defaults(self) -> bool:
        """True if its schema inserts anything outside the metadata."""
        fields = self.schema.fields.items()
        return any(has_defaults(child) for name, child in fields if name != "metadata")

    @property
    def patch_types(self) -> tuple[str, ...]:
        """The media types of the patches that it takes."""
        strategic = (STRATEGIC_PATCH,) if self.merges_strategically else ()
        return (JSON_PATCH, MERGE_PATCH, *strategic, APPLY_PATCH)

    @cached_property
    def has_status(self) -> bool:
        return STATUS_SUBRESOURCE in self.subresources

    def subresource(self, name: str) -> Subresource | None:
        return next((each for each in self.subresources if each.name == name), None)

    def decode(
        self, obj: Obj, kept: frozenset[str] = frozenset(), *, keeps_nulls: bool = False
    ) -> Decoded:
        """A complete copy of a body and what is wrong with it; never raises for bad input.

        Fields in `kept` were decoded before and are shared, not copied. `keeps_nulls`: of a custom
        object null is a value like others, as in one that was merged and not read from a body.
        """
        is_custom = self.written is not None
        if keeps_nulls and is_custom and has_null(obj):
            obj = {**obj, "metadata": _typed_metadata(obj["metadata"])}
            found = decode(self.schema, obj, kept, is_custom=True, keeps_nulls=True)
            if found.causes:
                return found
        return decode(self.schema, obj, kept, is_custom=is_custom)

    def prepare_create(self, new: Obj) -> None:
        """Drops what a creator must not set, gives the first status and generation; in place."""
        if self.has_status and not self.keeps_first_status:
            new.pop("status", None)
        if self.generation:  # of others upstream keeps what a creator says
            new["metadata"]["generation"] = 1
        self.on_create(new)

    def prepare_update(self, new: Obj, old: Obj) -> None:
        """Keeps the old status and counts the generation when the wish changed; in place.

        Defaults come first, or a manifest that leaves them out would count as a change.
        """
        if self.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        self.on_update(new, old)
        if not self.rules_on_spec_alone or new.get("spec") is not old.get("spec"):
            self.default(new)  # what was kept had its defaults when it was stored
        _keep_generation(new, old)
        if self.generation and (
            desired_state(new) != desired_state(old) or self.counts_too(new, old)
        ):
            new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1

    @cached_property
    def _kept_by_status(self) -> tuple[str, ...]:
        """The metadata that a write of the status leaves alone."""
        is_custom = self.written is not None
        reset = reset_fields(self.resource, "status", has_status=True, is_custom=is_custom)
        head = reset.get("f:metadata")
        if head is None:
            return ()
        return tuple(name for name in _WRITABLE if not head or f"f:{name}" in head)

    def prepare_status(self, new: Obj, old: Obj) -> None:
        """Keeps everything but the status and the metadata that people may set; in place.

        Source: upstream's status strategies, which let labels, annotations, finalizers pass for
        Pods and Nodes; the rest of the object stays as stored.
        """
        for name in [k for k in new if k not in ("metadata", "status")]:
            del new[name]
        for name, value in old.items():
            if name not in ("metadata", "status"):
                new[name] = value
        _keep_metadata(new["metadata"], old["metadata"], self._kept_by_status)
        _keep_generation(new, old)

    @cached_property
    def _settled(self) -> Memory[bool]:
        return Memory()

    def is_settled(self, new: Obj) -> bool:
        """True if others have had this very spec, complete, and nothing was to be said of it:
        then a new object need not be completed, and its metadata alone can be wrong."""
        if not self.rules_on_spec_alone:
            return False
        key = key_of(new["spec"])
        return key is not None and self._settled.find(key) is not None

    def settle(self, new: Obj) -> None:
        """Remembers that nothing was to be said of an object that has its defaults."""
        if not self.rules_on_spec_alone:
            return
        key = key_of(new["spec"])
        if key is not None and self._settled.recurs(key):
            self._settled.keep(key, True)

    def check(self, new: Obj, old: Obj | None, noted: Sequence[Cause] = ()) -> list[Cause]:
        """Every cause to refuse a create (old None) or an update, metadata included; `noted` are
        those that decoding has found."""
        if self.has_status and not self.keeps_first_status:  # it is the server's
            noted = [each for each in noted if not each.field.startswith("status")]
        return [*self._check_scale(new), *self._checked(self.validate, new, old, noted)]

    def _checked(
        self, validate: Validator, new: Obj, old: Obj | None, noted: Sequence[Cause]
    ) -> list[Cause]:
        of_metadata = self._check_metadata(new, old)
        if not noted:
            return of_metadata + validate(new, old)
        of_rules = validate(new, old)
        told = {(each.field, each.reason) for each in of_rules}
        left = [each for each in noted if (each.field, each.reason) not in told]
        return [*of_metadata, *left, *of_rules]

    def _check_scale(self, new: Obj, *, is_status: bool = False) -> list[Cause]:
        """Of a custom kind: that the numbers of its scale are numbers."""
        if self.scale is None or self.written is None:
            return []
        found = [] if is_status else list(check_replicas(new, self.scale.spec_replicas))
        found += check_replicas(new, self.scale.status_replicas)
        if self.scale.selector:
            found += check_selector(new, self.scale.selector)
        return found

    def _check_metadata(self, new: Obj, old: Obj | None) -> list[Cause]:
        namespaced = self.resource.namespaced
        # Upstream's servers of definitions and of other servers know no standard finalizers.
        is_loose = self.any_finalizer or self.resource.group in _LOOSE_GROUPS
        is_custom = self.written is not None or is_loose
        return check_metadata(new, old, namespaced, self.name_rule, is_custom=is_custom)

    def refusal(
        self, new: Obj, old: Obj | None, found: list[Cause], subresource: str = ""
    ) -> list[Cause]:
        """What is told of a custom object that its schema refuses, as `found` says: what upstream
        holds against the change, and what is wrong besides.

        Source: apiextensions `pkg/registry/customresource/strategy.go`.
        """
        is_status = subresource == STATUS_SUBRESOURCE.name
        if is_status or self.has_status:
            found = [each for each in found if is_of_status(each) == is_status]
        if old is not None:
            found = unforgiven(self.schema, new, old, found)
        if not found:
            return []
        if any(each.reason in _BLOCKING for each in found):
            rest = [_UNCHECKED] if self.validate is not no_rules else []
            numbers = self._check_scale(new, is_status=is_status)
            return [*self._check_metadata(new, old), *found, *numbers, *rest]
        return [*found, *self.check(new, old)]

    def prepare_part(self, name: str, new: Obj, old: Obj) -> None:
        """Keeps everything but the part of this subresource, and counts the generation; in place."""
        self.parts[name].keep(new, old)
        if self.parts[name].is_update:
            self.prepare_update(new, old)

    def check_part(self, name: str, new: Obj, old: Obj, noted: Sequence[Cause] = ()) -> list[Cause]:
        """Every cause to refuse an update of the part of this subresource."""
        return self._checked(self.parts[name].validate, new, old, noted)

    def check_new_metadata(self, new: Obj) -> list[Cause]:
        """Every cause to refuse the metadata of a create."""
        return self._check_metadata(new, None)

    def check_status(self, new: Obj, old: Obj, noted: Sequence[Cause] = ()) -> list[Cause]:
        """Every cause to refuse an update of the status subresource; what is noted of all else is
        of nothing that is written: Go's clients send whole objects, of which the rest is empty."""
        mine = [each for each in noted if each.field.startswith(("status", "metadata"))]
        numbers = self._check_scale(new, is_status=True)
        return [*numbers, *self._checked(self.validate_status, new, old, mine)]

    def field(self, obj: Mapping[str, Any], path: str) -> str:
        """The text a field selector compares with; absent fields have their type's zero."""
        real = self.field_aliases.get(path, path)
        node = get(obj, real)
        if not node and path in self.field_fallbacks:
            node = get(obj, self.field_fallbacks[path])
        if node is None:
            schema = at(self.schema, real)
            return {"boolean": "false", "integer": "0"}.get(schema.type if schema else "", "")
        if isinstance(node, bool):
            return "true" if node else "false"
        return str(node)

    def is_selectable(self, path: str) -> bool:
        if path == "metadata.namespace":
            is_plain = not self.selectable_fields and self.written is None
            return self.resource.namespaced or is_plain
        return path == "metadata.name" or path in self.selectable_fields


def desired_state(obj: Mapping[str, Any]) -> Obj:
    """Everything the generation counts: all but identity, metadata and status."""
    skip = ("apiVersion", "kind", "metadata", "status")
    return {name: value for name, value in obj.items() if name not in skip}


def _typed_metadata(metadata: Obj) -> Obj:
    """Without nulls, for which Go's types have no place."""
    made = without_nulls(metadata)
    for name in ("labels", "annotations"):
        if isinstance(metadata.get(name), dict):
            made[name] = {key: value or "" for key, value in metadata[name].items()}
    return made


_WRITABLE = ("labels", "annotations", "finalizers", "ownerReferences")


def _keep_metadata(new: Obj, old: Obj, names: Sequence[str]) -> None:
    for name in names:
        new.pop(name, None)
        if name in old:
            new[name] = old[name]


def _keep_generation(new: Obj, old: Obj) -> None:
    new["metadata"].pop("generation", None)
    if "generation" in old["metadata"]:
        new["metadata"]["generation"] = old["metadata"]["generation"]
