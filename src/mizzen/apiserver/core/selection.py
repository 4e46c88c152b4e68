"""Selects objects of a list or watch by labels and fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import orjson

from mizzen.base.errors import BadRequest
from mizzen.base.go_text import quoted
from mizzen.base.objects import Obj
from mizzen.base.resources import JOBS
from mizzen.base.selector_parser import parse_fields, parse_labels
from mizzen.base.selectors import FieldSelector, LabelSelector
from mizzen.kinds.kind import Kind


class _Named(Protocol):
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Stored(Protocol):
    @property
    def key(self) -> _Named: ...
    @property
    def data(self) -> bytes: ...
    def object(self) -> Obj: ...


_S = TypeVar("_S", bound=_Stored)
_BY_KEY = frozenset(("metadata.name", "metadata.namespace"))
_ZEROS = frozenset(("", "0", "false"))  # what an absent field may count as


@dataclass(frozen=True, slots=True)
class Selection:
    """Label and field selector of one request. Equal `text` means equal selection."""

    kind: Kind
    labels: LabelSelector
    fields: FieldSelector
    text: str
    is_everything: bool
    needs_object: bool  # False: name and namespace decide, nothing need be parsed
    needles: tuple[bytes, ...]  # the JSON of what matches holds all of these

    @staticmethod
    def read(params: Mapping[str, str]) -> tuple[LabelSelector, FieldSelector]:
        """The selectors of a query, of whatever fields. Errors: BadRequest."""
        try:
            labels = parse_labels(params.get("labelSelector", ""))
            return labels, parse_fields(params.get("fieldSelector", ""))
        except ValueError as error:
            raise BadRequest(str(error)) from error

    @classmethod
    def parse(cls, kind: Kind, params: Mapping[str, str]) -> Selection:
        """From the query. Errors: BadRequest."""
        return cls.of(kind, params, *cls.read(params))

    @classmethod
    def of(
        cls, kind: Kind, params: Mapping[str, str], labels: LabelSelector, fields: FieldSelector
    ) -> Selection:
        """Errors: BadRequest where the kind has no such field to select by."""
        for term in fields.terms:
            path = term.path
            if not kind.is_selectable(path):
                raise BadRequest(_unselectable(kind, path))
        label_text = params.get("labelSelector", "")
        field_text = params.get("fieldSelector", "")
        return cls(
            kind,
            labels,
            fields,
            f"{label_text}\0{field_text}",
            labels.is_everything and fields.is_everything,
            not labels.is_everything or not fields.paths <= _BY_KEY,
            tuple(_needles(labels, fields)),
        )

    def matches(self, obj: Obj) -> bool:
        return self.labels.matches(obj["metadata"].get("labels")) and self.fields.matches(
            lambda path: self.kind.field(obj, path)
        )

    def may_match(self, data: bytes) -> bool:
        """False if the JSON of an object shows, unparsed, that it does not match.

        A node's agent wants its own of a hundred thousand pods, and to search bytes costs a tenth
        of parsing them.
        """
        return all(needle in data for needle in self.needles)

    def candidates(self, items: Sequence[_S]) -> Sequence[_S]:
        """Those of the items that `may_match`."""
        for needle in self.needles:
            items = [stored for stored in items if needle in stored.data]
        return items

    def matches_stored(self, stored: _Stored) -> bool:
        """The same of bytes, which are parsed only where that is needed."""
        if self.is_everything:
            return True
        if self.needs_object:
            return self.may_match(stored.data) and self.matches(stored.object())
        key = stored.key
        return self.fields.matches(
            lambda path: key.name if path == "metadata.name" else key.namespace
        )


def _unselectable(kind: Kind, path: str) -> str:
    """Source: AddFieldLabelConversionFunc in pkg/apis."""
    resource = kind.resource
    if not kind.selectable_fields and kind.written is None:
        only = '"metadata.name", "metadata.namespace"'
        return f"{quoted(path)} is not a known field selector: only {only}"
    if resource == JOBS:
        return f"field label {quoted(path)} not supported for Job"
    if resource.plural == "resourceslices":
        shown = f"{resource.api_version}, Kind={resource.kind}"
        return f"field label not supported for {shown}: {path}"
    return f"field label not supported: {path}"


def _needles(labels: LabelSelector, fields: FieldSelector) -> Iterator[bytes]:
    """Parts of JSON as stored, compact, without which an object cannot match."""
    for requirement in labels.requirements:
        key = orjson.dumps(requirement.key)
        if requirement.operator == "in" and len(requirement.values) == 1:
            yield key + b":" + orjson.dumps(next(iter(requirement.values)))
        elif requirement.operator in ("in", "exists", "gt", "lt"):
            yield key
    for term in fields.terms:
        if term.negated or term.path in _BY_KEY or term.value in _ZEROS:
            continue
        if term.value.isascii():  # of what is not, JSON has more than one form
            yield orjson.dumps(term.value)[1:-1]  # a number or a boolean has no quotes
