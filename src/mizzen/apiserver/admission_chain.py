"""Admission of writes: mutate, default, validate, admit, by the plug-ins of a folder.

`operations` runs the four in this order: plug-ins may change what is written (mutate), the kind
completes it (default) and checks it (validate), then plug-ins look at all else (admit). Nothing is
changed once it is validated. What a plug-in writes into the draft is committed with it or not at
all, so none has to be the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mizzen.apiserver.catalog import Served
from mizzen.apiserver.context import Context, Epoch
from mizzen.apiserver.core.user import User
from mizzen.apiserver.reviews import Reviews
from mizzen.base.objects import Obj
from mizzen.base.registry import collect
from mizzen.store.store import ObjectKey, Stored

# A patch is an update.
CREATE, UPDATE, UPDATE_STATUS, UPDATE_APPROVAL, BIND, DELETE = (
    "create", "update", "update/status", "update/approval", "create/binding", "delete",
)  # fmt: skip
UPDATE_RESIZE, UPDATE_EPHEMERAL = "update/resize", "update/ephemeralcontainers"  # of pods
UPDATE_FINALIZE = "update/finalize"  # of namespaces
# What is asked by way of subresources (`admission_subjects.py`), of kinds of their own.
BINDING, EVICTION, TOKEN, SCALE = "bind", "create/eviction", "create/token", "update/scale"
CONNECT = {name: f"connect/{name}" for name in ("attach", "exec", "portforward", "proxy")}
_SUBJECTS = frozenset((BINDING, EVICTION, TOKEN, SCALE, *CONNECT.values()))
_MUTABLE = _SUBJECTS | {
    CREATE, UPDATE, UPDATE_STATUS, UPDATE_APPROVAL, UPDATE_RESIZE, UPDATE_EPHEMERAL,
    UPDATE_FINALIZE,
}  # fmt: skip
_OPERATIONS = _MUTABLE | {BIND, DELETE}
# Stages, one after the other; plug-ins of one stage in the order of their names.
BUILT_IN, POLICIES, WEBHOOKS, ACCOUNTING = range(4)
_SHARED_MAX = 256  # objects
_STEPS_MAX = 4096  # pairs of a kind's version and an operation


class Transaction(Protocol):
    """A draft as plug-ins see it: the store as if its writes had happened. Their reads are
    recorded. Objects returned are not to be changed."""

    user: User
    now_ns: int
    warnings: list[str]
    audit_annotations: dict[str, str]  # for the audit log, by key
    is_dry: bool  # nothing of it will be committed
    reviews: Reviews | None  # None: nobody is asked about these writes
    new_id: Callable[[], str]  # uids; the same ones where the work is done again

    def get(self, key: ObjectKey) -> Obj | None: ...

    def list(self, resource: str, namespace: str = "") -> Sequence[Obj]: ...

    def look(self, key: ObjectKey) -> Obj | None:
        """As `get`, for those who read and no more."""
        ...

    def look_at_all(self, resource: str) -> Sequence[Obj]:
        """As `list` of all namespaces, for those who read and no more."""
        ...

    def peek(self, key: ObjectKey) -> Stored | None: ...

    def shown(self, served: Served, obj: Obj) -> Obj:
        """A stored object in the version that is served. Errors: ApiError."""
        ...

    def in_version(self, served: Served, obj: Obj, api_version: str) -> Obj:
        """An object in another version of its kind. Errors: ApiError."""
        ...

    def rests_on(self, resource: str, namespace: str = "") -> None: ...

    def put(self, key: ObjectKey, obj: Obj, verb: str) -> None: ...

    def remove(self, key: ObjectKey, obj: Obj) -> None: ...

    def removes(self, key: ObjectKey) -> bool:
        """True if the object is in the store and these writes remove it."""
        ...

    def on_lost(self, call: Callable[[], None]) -> None: ...


@dataclass(slots=True)
class AdmissionRequest:
    """One write. `object` is the new form, to be changed by `mutate` alone; of a delete the one
    that goes. `old` is the form before, None of a create. `options` are those of a delete."""

    draft: Transaction
    served: Served
    operation: str
    key: ObjectKey
    object: Obj
    old: Obj | None
    options: Obj | None = None


Step = Callable[[AdmissionRequest], None]
Removal = Callable[["Transaction", ObjectKey, Obj], None]


@dataclass(frozen=True, slots=True)
class Plugin:
    """Takes part in these operations on the kinds that `concerns` says, asked once for each, and
    again after the context's epoch of admission has changed.

    `mutate` gets an object with right types and the schema's defaults and must leave such a one;
    `admit` a valid one. Both refuse by an ApiError. `remove` is told of every object that a draft
    removes, whatever its kind and whoever removes it, and refuses none.

    `by_template`: what becomes of a new object follows from what it says beside its name, uid and
    moments, from its namespace, from the name and groups of who asks, and from what is read by the
    draft, where objects of its own kind are read as a list, if at all. Then it is not asked again
    for the next one of a template while what it read stays as it is (`templates.py`).
    """

    operations: frozenset[str]
    concerns: Callable[[Served], bool]
    mutate: Step | None = None
    admit: Step | None = None
    remove: Removal | None = None
    stage: int = BUILT_IN
    by_template: bool = False

    def __post_init__(self) -> None:
        assert self.operations <= _OPERATIONS, f"unknown: {self.operations - _OPERATIONS}"
        assert self.mutate is None or self.operations & _MUTABLE, "there is nothing to mutate"


class SharedObjects:
    """The objects that every write is held against, as parsed from what is stored just now."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, tuple[Stored, Obj]] = {}

    def object(self, stored: Stored) -> Obj:
        """The object, for everybody: nothing of it may be changed."""
        known = self._known.get(stored.key)
        if known is not None and known[0] is stored:
            return known[1]
        if len(self._known) >= _SHARED_MAX:
            del self._known[next(iter(self._known))]
        obj = stored.object()
        self._known[stored.key] = (stored, obj)
        return obj


class _Steps(NamedTuple):
    """What is done at one operation on one kind."""

    mutate: list[Step]
    admit: list[Step]
    by_template: bool


class Admission:
    """The steps for each kind and operation, worked out at the first write."""

    def __init__(self, plugins: Sequence[Plugin], epoch: Epoch | None = None) -> None:
        self._plugins = sorted(plugins, key=lambda plugin: plugin.stage)
        self._epoch = epoch or Epoch()
        self._known = self._epoch.number
        self.shared = SharedObjects()
        self._removals = [p.remove for p in plugins if p.remove is not None]
        self._steps: dict[tuple[Served, str], _Steps] = {}

    def is_by_template(self, served: Served) -> bool:
        """True if all who take part in a create say so."""
        return self._of(served, CREATE).by_template

    def mutate(
        self, draft: Transaction, served: Served, operation: str, key: ObjectKey,
        new: Obj, old: Obj | None = None,
    ) -> None:  # fmt: skip
        """Changes `new` in place, or refuses. Errors: ApiError."""
        steps = self._of(served, operation)
        _take(steps.mutate, draft, served, operation, key, new, old)

    def admit(
        self, draft: Transaction, served: Served, operation: str, key: ObjectKey,
        new: Obj, old: Obj | None = None, options: Obj | None = None,
    ) -> None:  # fmt: skip
        """Refuses what one plug-in refuses. Errors: ApiError."""
        steps = self._of(served, operation)
        _take(steps.admit, draft, served, operation, key, new, old, options)

    def remove(self, draft: Transaction, key: ObjectKey, gone: Obj) -> None:
        """Tells of an object that this draft removes; `gone` is its last form."""
        for removal in self._removals:
            removal(draft, key, gone)

    def _of(self, served: Served, operation: str) -> _Steps:
        if self._known != self._epoch.number:
            self._steps.clear()
            self._known = self._epoch.number
        return self._steps.get((served, operation)) or self._find(served, operation)

    def _find(self, served: Served, operation: str) -> _Steps:
        if len(self._steps) >= _STEPS_MAX:  # of forms of custom kinds that are served no more
            self._steps.clear()
        chosen = [p for p in self._plugins if operation in p.operations and p.concerns(served)]
        mutators = [p.mutate for p in chosen if p.mutate is not None]
        steps = self._steps[served, operation] = _Steps(
            mutators if operation in _MUTABLE else [],
            [p.admit for p in chosen if p.admit is not None],
            all(p.by_template for p in chosen),
        )
        return steps


def _take(
    steps: list[Step], draft: Transaction, served: Served, operation: str, key: ObjectKey,
    new: Obj, old: Obj | None, options: Obj | None = None,
) -> None:  # fmt: skip
    if steps:
        request = AdmissionRequest(draft, served, operation, key, new, old, options)
        for step in steps:
            step(request)


def admission(context: Context, package: str = f"{__package__}.admission") -> Admission:
    """With every `PLUGIN` of the package, in name order; each is made of the context once, some as
    several plug-ins that share what they know."""
    plugins: list[Plugin] = []
    for _, make in collect(package, "PLUGIN"):
        made: Plugin | Sequence[Plugin] = make(context)
        plugins += [made] if isinstance(made, Plugin) else made
    return Admission(plugins, context.admission_epoch)
