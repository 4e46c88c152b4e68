"""The treatment of each field that a user may set: no accepted field is ignored silently.

Each module of a kind gives every field of the types that it declares one of these, in its
`SERVED_FIELDS`; `served_fields.py` is the whole table. The decoder refuses and warns by it; `tests/unit/kinds/test_served_fields.py` holds it against the schemas and against the
code that reads the fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Acted:
    """A component acts on it: `readers` are packages of mizzen, one of which names the field.

    Without readers it only holds other fields, each of which has its own line in the table.
    """

    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """It may stand there and changes nothing, because nothing else would happen without it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Warned:
    """It is stored, and its author is warned of having no effect; `fine` values ask for nothing."""

    sentence: str
    fine: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """It is refused with this sentence, but for `fine` values, which ask for nothing."""

    sentence: str
    fine: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusedByNode:
    """It is stored, for a node that can do it (a real kubelet), and its author is warned; Mizzen's
    own agent runs no pod that asks for it, and says this sentence. `fine` values ask for nothing."""

    sentence: str
    fine: tuple[Any, ...] = ()


Treatment = Acted | Accepted | Warned | Refused | RefusedByNode
Fields = dict[str, Treatment]
SHOWN = "for people and their tools to read"


def acted(readers: str, fields: str) -> Fields:
    """Fields that at least one of these packages reads."""
    return dict.fromkeys(fields.split(), Acted(tuple(readers.split())))


def holding(fields: str) -> Fields:
    """Fields that only hold others, which all have a treatment of their own."""
    return dict.fromkeys(fields.split(), Acted(()))


def accepted(fields: str, reason: str) -> Fields:
    return dict.fromkeys(fields.split(), Accepted(reason))


def warned(fields: str, sentence: str, *fine: object) -> Fields:
    return dict.fromkeys(fields.split(), Warned(sentence, fine))


def refused(fields: str, sentence: str, *fine: object) -> Fields:
    return dict.fromkeys(fields.split(), Refused(sentence, fine))


def refused_by_node(fields: str, sentence: str, *fine: object) -> Fields:
    return dict.fromkeys(fields.split(), RefusedByNode(sentence, fine))


def asks_for_nothing(value: Any, fine: tuple[Any, ...]) -> bool:
    """True if a value asks for what would be so without it."""
    if value is False:
        return not any(known is True for known in fine)
    if value is None or value in ("", [], {}):
        return True
    return any(type(value) is type(known) and value == known for known in fine)
