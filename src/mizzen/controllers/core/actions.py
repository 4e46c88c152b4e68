"""The actions that a reconciler may ask for, and the declaration of a controller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mizzen.base.errors import ApiError
from mizzen.base.objects import Key, Obj, controller_of, namespace_of
from mizzen.base.operations import Operation
from mizzen.base.resources import Resource
from mizzen.controllers.core.view import Digest, Index, View


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Reconcile this key again after so many seconds, even if nothing changes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell people about `object` (an Event); repeats are counted, not multiplied."""

    object: Obj
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class Ask(Exception):
    """A decision needs the answer to a GET of this path, which nobody watches."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


Answers = Mapping[str, Obj | ApiError]  # by path


# All operations of one reconcile are committed together or not at all.
Action = Operation | RequeueAfter | EmitEvent


@dataclass(frozen=True, slots=True)
class Watch:
    """Objects of `resource` concern the keys that `keys` names; asked for old and new state."""

    resource: Resource
    keys: Callable[[View, Obj], Iterable[Key]]


def owners(owner: Resource) -> Callable[[View, Obj], list[Key]]:
    """For a Watch: the object of this kind that controls the one that changed."""

    def keys(view: View, obj: Obj) -> list[Key]:
        reference = controller_of(obj)
        if reference is None or reference.get("kind") != owner.kind:
            return []
        return [Key(namespace_of(obj), str(reference["name"]))]

    return keys


def _idle(view: View, key: Key, now_ns: int) -> list[Action]:
    return []


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller: its kind, the other kinds that it watches, and its reconcile function.

    `predicate` is asked of each own object that is new or has changed: where it is False, no key is
    due. Of a hundred thousand pods that are at rest a start would go through all for each controller.
    `reads` are resources that it looks at but that never make a key due, `indexes` those by which
    it finds objects, `digests` what it reads of dependents without unpacking them.
    `report_stuck(obj, reason, message, now_ns)` writes on the object why nothing comes of it: its plan
    was refused, or a fault of ours. An Event among its actions is told in place of the usual one.
    `decide` stands in place of `reconcile` where facts are needed that must be asked for: it raises
    `Ask` and is called again with the answer, at the same moment.
    """

    name: str
    resource: Resource
    reconcile: Callable[[View, Key, int], list[Action]] = _idle
    decide: Callable[[View, Key, int, Answers], list[Action]] | None = None
    predicate: Callable[[View, Obj], bool] | None = None
    watches: tuple[Watch, ...] = ()
    reads: tuple[Resource, ...] = ()
    indexes: tuple[Index, ...] = ()
    digests: tuple[Digest[Any], ...] = ()
    report_stuck: Callable[[Obj, str, str, int], Sequence[Action]] | None = None

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (self.resource, *(watch.resource for watch in self.watches), *self.reads)
