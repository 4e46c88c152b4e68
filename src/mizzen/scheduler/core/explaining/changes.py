"""Changes that would place what waits, and which of them is smaller.

Smaller comes first: waiting for something named; pods that leave, by the devices they free; fewer
constraints relaxed before more, none of which gives up any of what is asked; less asked
for, by the share of the demand that is given up; last, what has to be added. All but the last were
tried (`is_verified`): made in the cluster as it stood, the very same placing found places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mizzen.base import quantity
from mizzen.base.objects import Key

NAMES_MAX = 3  # objects named in one sentence
SHOWN_CHARS = 200  # of a selector
Size = tuple[int, ...]


# -- constraints that may be relaxed -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OuterLevel:
    """Members may share a domain of `to` only; "": none, the level is merely preferred."""

    kind: ClassVar[str] = "OuterLevel"
    level: str
    to: str
    levels_out: int

    @property
    def sentence(self) -> str:
        if not self.to:
            return f"with {self.level} preferred instead of required"
        return f"with {self.to} required instead of {self.level}"


@dataclass(frozen=True, slots=True)
class Tolerate:
    """A toleration for a taint of nodes."""

    kind: ClassVar[str] = "Tolerate"
    key: str
    value: str
    effect: str

    @property
    def sentence(self) -> str:
        return f"with a toleration for {self.key}={self.value}:{self.effect}"


@dataclass(frozen=True, slots=True)
class DropNodeLabel:
    """One entry of the pod's nodeSelector goes."""

    kind: ClassVar[str] = "DropNodeLabel"
    key: str
    value: str

    @property
    def sentence(self) -> str:
        return f"without {self.key}={self.value} in its nodeSelector"


@dataclass(frozen=True, slots=True)
class DropAffinityTerm:
    """One requirement of one term of the required node affinity goes; `term` counts from 0."""

    kind: ClassVar[str] = "DropAffinityTerm"
    term: int
    key: str
    operator: str
    values: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return f"without {self.key} {self.operator} {','.join(self.values)} in its node affinity"


@dataclass(frozen=True, slots=True)
class DropDeviceSelector:
    """One CEL selector of a claim's request goes."""

    kind: ClassVar[str] = "DropDeviceSelector"
    claim: Key
    request: str
    expression: str

    @property
    def sentence(self) -> str:
        shown = shortened(self.expression)
        return f"without the selector {shown} of request {self.request} in {self.claim}"


@dataclass(frozen=True, slots=True)
class DropDeviceConstraint:
    """One matchAttribute or distinctAttribute of a claim goes."""

    kind: ClassVar[str] = "DropDeviceConstraint"
    claim: Key
    attribute: str

    @property
    def sentence(self) -> str:
        return f"without the constraint on {self.attribute} in {self.claim}"


@dataclass(frozen=True, slots=True)
class TolerateDevice:
    """A toleration of a claim's request for a taint of devices."""

    kind: ClassVar[str] = "TolerateDevice"
    claim: Key
    request: str
    key: str
    value: str
    effect: str

    @property
    def sentence(self) -> str:
        what = f"{self.key}={self.value}:{self.effect}"
        return f"with a toleration for {what} in request {self.request} of {self.claim}"


Constraint = (
    OuterLevel
    | Tolerate
    | DropNodeLabel
    | DropAffinityTerm
    | DropDeviceSelector
    | DropDeviceConstraint
    | TolerateDevice
)


# -- changes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing has to be changed: what is named is on its way."""

    kind: ClassVar[str] = "Wait"
    is_verified: ClassVar[bool] = False
    what: str

    @property
    def size(self) -> Size:
        return (0,)

    @property
    def sentence(self) -> str:
        return f"wait until {self.what}"


@dataclass(frozen=True, slots=True)
class Leave:
    """These pods leave, which frees `devices` on `nodes`, all in `domain` ("": of no level).

    `above`: a priority above it would evict them (None: it may not preempt, or has such a one);
    `priority`: what it has.
    """

    kind: ClassVar[str] = "Leave"
    is_verified: ClassVar[bool] = True
    pods: tuple[Key, ...]
    devices: int
    nodes: tuple[str, ...]
    domain: str = ""
    above: int | None = None
    priority: int = 0
    may_preempt: bool = False

    @property
    def size(self) -> Size:
        return (1, self.devices, len(self.pods))

    @property
    def sentence(self) -> str:
        text = f"it fits once {named(self.pods)} {'leaves' if len(self.pods) == 1 else 'leave'}"
        where = f"in {self.domain}" if self.domain else _on(self.nodes)
        if self.devices:
            text = f"{text} ({self.devices} device{'s'[: self.devices != 1]} {where})"
        if self.above is None:
            return text if self.may_preempt else f"{text}, which it may not preempt"
        return f"{text}, or with a priority above {self.above} (it has {self.priority})"


@dataclass(frozen=True, slots=True)
class Relax:
    """These constraints go or give way, all of them together."""

    kind: ClassVar[str] = "Relax"
    is_verified: ClassVar[bool] = True
    constraints: tuple[Constraint, ...]

    @property
    def size(self) -> Size:
        out = sum(c.levels_out for c in self.constraints if isinstance(c, OuterLevel))
        return (2, len(self.constraints), out)

    @property
    def sentence(self) -> str:
        return f"it fits {' and '.join(c.sentence for c in self.constraints)}"


@dataclass(frozen=True, slots=True)
class FewerMembers:
    """The gang starts with `most` members instead of `want`.

    Where even all devices `there`, in use or free, are fewer than the `needed` ones, both are said.
    `add` is what would serve as well.
    """

    kind: ClassVar[str] = "FewerMembers"
    is_verified: ClassVar[bool] = True
    most: int
    want: int
    needed: int = 0
    there: int = 0
    add: str = "devices"

    @property
    def size(self) -> Size:
        return (4, _given_up(self.most, self.want))

    @property
    def sentence(self) -> str:
        if self.there < self.needed:
            return (
                f"its {self.want} members need {self.needed} of them together and there are "
                f"{self.there}: ask for at most {self.most} members, or add {self.add}"
            )
        return f"ask for at most {self.most} members (it wants {self.want}), or add {self.add}"


@dataclass(frozen=True, slots=True)
class FewerDevices:
    """A claim's request asks for `most` devices instead of `want`.

    `there`: how many one node has at most, free or not.
    """

    kind: ClassVar[str] = "FewerDevices"
    is_verified: ClassVar[bool] = True
    claim: Key
    request: str
    most: int
    want: int
    there: int

    @property
    def size(self) -> Size:
        return (4, _given_up(self.most, self.want))

    @property
    def sentence(self) -> str:
        if self.there < self.want:
            return f"ask for at most {self.most}, or add a node with {self.want}"
        return f"ask for at most {self.most} devices in request {self.request} of {self.claim}"


@dataclass(frozen=True, slots=True)
class SmallerRequest:
    """The pod asks for `most` of a resource: no node could give it more now."""

    kind: ClassVar[str] = "SmallerRequest"
    is_verified: ClassVar[bool] = True
    resource: str
    most: int
    want: int

    @property
    def size(self) -> Size:
        return (4, _given_up(self.most, self.want))

    @property
    def sentence(self) -> str:
        most, want = amount(self.resource, self.most), amount(self.resource, self.want)
        return f"ask for at most {most} of {self.resource} (it wants {want})"


@dataclass(frozen=True, slots=True)
class Provide:
    """Something has to be added or freed that the cluster cannot show; `what` says it."""

    kind: ClassVar[str] = "Provide"
    is_verified: ClassVar[bool] = False
    what: str

    @property
    def size(self) -> Size:
        return (5,)

    @property
    def sentence(self) -> str:
        return self.what


Change = Wait | Leave | Relax | FewerMembers | FewerDevices | SmallerRequest | Provide


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Smallest first; equal ones by what they say."""
    return tuple(sorted(changes, key=lambda c: (c.size, c.sentence)))


def shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def named(keys: Sequence[Key]) -> str:
    """`Pod a/b and Pod a/c`; beyond a few only how many more."""
    shown = [f"Pod {key}" for key in keys[:NAMES_MAX]]
    more = len(keys) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def amount(resource: str, value: int) -> str:
    """An amount as people write it."""
    if resource == "cpu":
        return quantity.format_milli(value)
    return quantity.format_bytes(value) if resource == "memory" else str(value)


def _on(nodes: Sequence[str]) -> str:
    shown = ", ".join(nodes[:NAMES_MAX])
    more = len(nodes) - NAMES_MAX
    head = "node" if len(nodes) == 1 else "nodes"
    return f"on {head} {shown}{f' and {more} more' if more > 0 else ''}"


def _given_up(most: int, want: int) -> int:
    """Millionths of the demand."""
    return (want - most) * 1_000_000 // max(1, want)
