"""What a list or watch selects, by labels and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.base.selectors import FieldSelector, LabelSelector, parse_fields, parse_labels
from mizzen.kinds.kind import Kind


class _Named(Protocol):
    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Stored(Protocol):
    @property
    def key(self) -> _Named: ...
    def object(self) -> Obj: ...


_BY_KEY = frozenset(("metadata.name", "metadata.namespace"))


@dataclass(frozen=True, slots=True)
class Selection:
    """Label and field selector of one request. Equal `text` means equal selection."""

    kind: Kind
    labels: LabelSelector
    fields: FieldSelector
    text: str
    is_everything: bool
    needs_object: bool  # False: name and namespace decide, nothing need be parsed

    @classmethod
    def parse(cls, kind: Kind, params: Mapping[str, str], name: str = "") -> Selection:
        """From the query; `name` selects one object more. Errors: BadRequest."""
        label_text = params.get("labelSelector", "")
        field_text = params.get("fieldSelector", "")
        if name:
            field_text = f"metadata.name={name}" + (f",{field_text}" if field_text else "")
        try:
            labels, fields = parse_labels(label_text), parse_fields(field_text)
        except ValueError as error:
            raise BadRequest(str(error)) from error
        for path in sorted(fields.paths):
            if not kind.is_selectable(path):
                raise BadRequest(f'field label not supported: "{path}"')
        return cls(
            kind,
            labels,
            fields,
            f"{label_text}\0{field_text}",
            labels.is_everything and fields.is_everything,
            not labels.is_everything or not fields.paths <= _BY_KEY,
        )

    def matches(self, obj: Obj) -> bool:
        return self.labels.matches(obj["metadata"].get("labels")) and self.fields.matches(
            lambda path: self.kind.field(obj, path)
        )

    def matches_stored(self, stored: _Stored) -> bool:
        """The same of bytes, which are parsed only where that is needed."""
        if self.is_everything:
            return True
        if self.needs_object:
            return self.matches(stored.object())
        key = stored.key
        return self.fields.matches(
            lambda path: key.name if path == "metadata.name" else key.namespace
        )
