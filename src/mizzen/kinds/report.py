"""Collects the problems of an object with their paths, rendered only when they are needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from mizzen.base import go_text
from mizzen.base.errors import CAUSES_MAX, Cause
from mizzen.base.limits import OBJECT_BYTES_MAX
from mizzen.kinds.schema import Schema
from mizzen.kinds.treatment import Refused, RefusedByNode, Warned

# (parent, segment): a str is a field, an int a list index, a 1-tuple a map key.
Path = tuple["Path", "str | int | tuple[str]"] | None

# What checks of one object may take, in bytes of text times states of a pattern: a quarter of a
# second at worst.
CHECK_STEPS_MAX = 1 << 25
PREDICATE_STEPS = 128  # what asking one schema of a combination counts as
_SEGMENT_LENGTH_MAX = 256  # of a path as it is shown

_FORMATS = {int: "int64", float: "double"}  # that upstream sees in values
_NAMES = {
    str: "string", bool: "boolean", int: "integer", float: "number", dict: "object",
    list: "array", type(None): "null",
}  # fmt: skip


NOWHERE = "<nil>"  # the field that upstream names where it has none


@dataclass(frozen=True, slots=True)
class Unplaced(Cause):
    """A cause of which upstream does not say the field. `place`: where it is, for us."""

    place: str = ""


def _cut(name: str) -> str:
    return name if len(name) <= _SEGMENT_LENGTH_MAX else f"{name[:_SEGMENT_LENGTH_MAX]}..."


def render(path: Path) -> str:
    """The path as users write it: `spec.containers[0].ports[1].containerPort`."""
    parts: list[str] = []
    while path is not None:
        path, segment = path
        if isinstance(segment, str):
            name = _cut(segment)
            parts.append(name if path is None else f".{name}")
        else:
            parts.append(f"[{_cut(segment[0]) if isinstance(segment, tuple) else segment}]")
    return "".join(reversed(parts))


@dataclass(slots=True)
class Report:
    """Problems found while decoding: causes for a 422, and fields the schema does not know."""

    causes: list[Cause] = field(default_factory=list[Cause])
    unknown: list[Unknown] = field(default_factory=list["Unknown"])
    unserved: list[Unserved] = field(default_factory=list["Unserved"])
    mistyped: tuple[Path, Any] | None = None  # the first value that does not fit its field's type
    embedded: Embedded | None = None  # the first unreadable metadata of an object within it
    defaulted_bytes: int = 0  # what defaults have added, as JSON
    checked_steps: int = 0  # against CHECK_STEPS_MAX
    is_custom: bool = False  # of a user's schema, whose checks upstream words in another way
    is_default: bool = (
        False  # of such a schema itself: there formats count that it knows nothing of
    )
    keeps_nulls: bool = False  # null is a value like others, not a field left out

    def add(self, path: Path, message: str, reason: str = "FieldValueInvalid") -> None:
        if len(self.causes) < CAUSES_MAX:
            self.causes.append(Cause(render(path), message, reason))

    def take_cause(self, cause: Cause) -> None:
        if len(self.causes) < CAUSES_MAX:
            self.causes.append(cause)

    def take(self, other: Report) -> None:
        """Adds the problems of a part that was gone through with the counts of this report."""
        self.causes += other.causes[: CAUSES_MAX - len(self.causes)]
        self.unknown += other.unknown
        self.unserved += other.unserved
        self.mistyped = self.mistyped or other.mistyped
        self.embedded = self.embedded or other.embedded
        self.defaulted_bytes, self.checked_steps = other.defaulted_bytes, other.checked_steps

    def may_default(self, size_bytes: int) -> bool:
        """True if a default of this size may still be inserted; it counts as if it was."""
        before = self.defaulted_bytes
        self.defaulted_bytes = after = before + size_bytes
        if after <= OBJECT_BYTES_MAX:
            return True
        if before <= OBJECT_BYTES_MAX:
            self.add(
                None, f"Too long: with its defaults it has more than {OBJECT_BYTES_MAX} bytes",
                "FieldValueTooLong",
            )  # fmt: skip
        return False

    @property
    def is_spent(self) -> bool:
        """True if no more checks are made."""
        return self.checked_steps > CHECK_STEPS_MAX

    def may_check(self, steps: int) -> bool:
        """True if a check of so many steps may still be made; it counts as if it was."""
        before = self.checked_steps
        self.checked_steps = after = before + steps
        if after <= CHECK_STEPS_MAX:
            return True
        if before <= CHECK_STEPS_MAX:
            self.add(
                None,
                f"Too long: matching it with the patterns and combinations of its schema takes more "
                f"than {CHECK_STEPS_MAX} steps; make it smaller",
                "FieldValueTooLong",
            )
        return False

    def wrong(self, path: Path, value: Any, problem: str) -> None:
        self.add(path, f"Invalid value: {quoted(value)}: {problem}")

    def beyond(self, path: Path, value: Any, problem: str) -> None:
        """A value that `must` or `should be` otherwise, as `problem` begins."""
        where = f"{render(path)} in body " if self.is_custom else ""
        self.wrong(path, value, f"{where}should {problem}" if where else f"must {problem}")

    def wrong_format(self, path: Path, value: Any, name: str, plain: str) -> None:
        if not self.is_custom:
            self.wrong(path, value, plain)
            return
        shown = quoted(value)
        where = f"{render(path)} in body must be of type {name}: {shown}"
        self.add(path, f"Invalid value: {shown}: {where}", "FieldValueTypeInvalid")

    def unplaced(self, path: Path, shown: str, problem: str) -> None:
        """A problem of which upstream does not say the field."""
        place = render(path)
        self.take_cause(Unplaced(NOWHERE, f"Invalid value: {shown}: {problem}", place=place))

    def wrong_type(self, path: Path, value: Any, wanted: str, form: str = "") -> None:
        """`form`: the format that a user's schema asks for."""
        self.mistyped = self.mistyped or (path, value)
        got = _NAMES.get(cast("type[Any]", type(value)), "value")
        if self.is_custom and form and type(value) not in (str, list):
            got, wanted = _FORMATS.get(cast("type[Any]", type(value)), ""), form
        elif self.is_custom and form and wanted not in ("integer", "number"):
            return  # as upstream, where a format takes the place of the type
        if self.is_custom:
            wanted = wanted.replace(" or ", ",")
            where = f'{render(path)} in body must be of type {wanted}: "{got}"'
            self.add(path, f'Invalid value: "{got}": {where}', "FieldValueTypeInvalid")
            return
        self.add(
            path, f"Invalid value: {quoted(value)}: must be of type {wanted}, not {got}",
            "FieldValueTypeInvalid",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Embedded:
    """The metadata of an object within another, of which `mistyped`, at `inside`, does not fit."""

    path: Path
    value: Any
    schema: Schema
    inside: Path
    mistyped: Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """A field that the schema lacks, and the names it has at that place."""

    parent: Path
    name: str
    known: tuple[str, ...]

    @property
    def path(self) -> str:
        return render((self.parent, self.name))


@dataclass(frozen=True, slots=True)
class Unserved:
    """A field of an object that asks for what is not there."""

    path: str
    value: Any
    treatment: Warned | Refused | RefusedByNode

    @property
    def cause(self) -> Cause:
        message = f"Forbidden: {quoted(self.value)} is not served: {self.treatment.sentence}"
        return Cause(self.path, message, "FieldValueForbidden")

    @property
    def warning(self) -> str:
        by_node = isinstance(self.treatment, RefusedByNode)
        what = "is refused by Mizzen's own nodes" if by_node else "changes nothing"
        return f"{self.path}: {quoted(self.value)} {what}: {self.treatment.sentence}"


def quoted(value: Any) -> str:
    """A value as it appears in messages; of what has parts it shows that there are some."""
    if isinstance(value, str):
        return go_text.quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return "[...]" if value else "[]"
    return str(value)
