"""The pod machine's events and commands, as values."""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.base.objects import Obj
from mizzen.node.core.membership import Fact

# -- events: what happens to a pod carries `at`, nanoseconds since the epoch --------------------------------


@dataclass(frozen=True, slots=True)
class Observed:
    """The pod as the API has it now."""

    pod: Obj
    at: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """The pod is gone from the API: its processes are to end."""

    at: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a spawn needs is known, or `reason`/`message` say what is missing.

    `fatal`: waiting will not help (the pod fails); otherwise preparing is tried again.
    """

    at: int
    reason: str = ""
    message: str = ""
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    container: str
    number: int
    id: str  # what the runtime calls it
    at: int
    heard: int = 0  # by the agent's clock, where it heard at once; `at` is the wall's


@dataclass(frozen=True, slots=True)
class Exited:
    """A run ended, or never began (`reason` then is StartError or CreateContainerError).

    `heard` is the moment by the agent's clock, which never goes back, where it heard at once:
    pauses count from there. The others are the wall's, for people.
    """

    container: str
    number: int
    code: int
    signal: int
    started: int
    at: int
    reason: str = ""
    message: str = ""
    heard: int = 0


@dataclass(frozen=True, slots=True)
class ProbeDone:
    container: str
    number: int
    kind: str
    ok: bool
    message: str
    at: int


@dataclass(frozen=True, slots=True)
class PostStartDone:
    container: str
    number: int
    ok: bool
    message: str
    at: int


@dataclass(frozen=True, slots=True)
class PreStopDone:
    container: str
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class Tick:
    at: int


@dataclass(frozen=True, slots=True)
class DevicesChanged:
    """Devices were given or taken: what waits for its first run need not go on waiting."""

    at: int


@dataclass(frozen=True, slots=True)
class AdoptedRun:
    """The newest run of a container that was begun before this agent; how it is follows."""

    container: str
    number: int
    last: Exited | None  # the run before it
    failures: int  # how many runs in a row were short


@dataclass(frozen=True, slots=True)
class Adopted:
    """The pod's containers as an earlier agent left them; nothing is done before all are known."""

    runs: tuple[AdoptedRun, ...]


@dataclass(frozen=True, slots=True)
class GangRestart:
    """The member's gang starts anew: run again in place, not before `not_before`."""

    at: int
    not_before: int
    awaits: int


@dataclass(frozen=True, slots=True)
class GangFailed:
    """The member's gang has given up."""

    at: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class KillNow:
    """SIGKILL without grace: a worker that left, or that hangs with its gang."""

    at: int
    reason: str


PodEvent = (
    Observed | Vanished | Prepared | Started | Exited | ProbeDone | PostStartDone | PreStopDone | Tick
    | DevicesChanged | GangRestart | GangFailed | KillNow
)  # fmt: skip
Event = PodEvent | Adopted | Fact

# -- commands -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepare:
    """Resolve image, environment, claims and volumes; answer with `Prepared`."""


@dataclass(frozen=True, slots=True)
class Spawn:
    container: str
    number: int


@dataclass(frozen=True, slots=True)
class Signal:
    container: str
    number: int
    signal: int


@dataclass(frozen=True, slots=True)
class RunPostStart:
    container: str
    number: int


@dataclass(frozen=True, slots=True)
class RunPreStop:
    container: str
    number: int


@dataclass(frozen=True, slots=True)
class RunProbe:
    container: str
    number: int
    kind: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    at: int


@dataclass(frozen=True, slots=True)
class Remove:
    """All processes are gone and the pod is to be deleted from the API."""


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """An Event for people about the pod, or what `field_path` names in it."""

    type: str
    reason: str
    message: str
    field_path: str = ""


Command = (
    Prepare | Spawn | Signal | RunPostStart | RunPreStop | RunProbe | WakeAt | Remove | RecordEvent
)
