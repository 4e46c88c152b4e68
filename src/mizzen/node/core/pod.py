"""The life of one pod on this node: events in, commands out.

Init containers run in order, then all containers together;
what ends is restarted as `restartPolicy` says, after 1, 2, 4 ... 60 s (upstream: 10 s to
5 min; a restart here costs no image pull). Members of a gang are restarted by their
gang alone (`core/gang.py`). The status is not kept: `core/status.py` derives it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mizzen.base import names
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj, annotations_of, controller_of, has_condition, is_terminating
from mizzen.base.reading import part, text
from mizzen.node.core import pod_events as telling
from mizzen.node.core import probes as probing
from mizzen.node.core.events import (
    Adopted,
    Command,
    DevicesChanged,
    Event,
    Exited,
    GangFailed,
    GangRestart,
    KillNow,
    Observed,
    PodEvent,
    PostStartDone,
    Prepare,
    Prepared,
    PreStopDone,
    ProbeDone,
    RecordEvent,
    Remove,
    RunPostStart,
    RunPreStop,
    RunProbe,
    Signal,
    Spawn,
    Started,
    Tick,
    Vanished,
    WakeAt,
)  # fmt: skip
from mizzen.node.core.membership import AwaitsFormation, Fact, Membership, take_fact
from mizzen.node.core.pod_events import DEADLINE_EXCEEDED, DEADLINE_TEXT

SECOND = 1_000_000_000
UNSTARTED = "CreateContainerError"  # upstream's word: no process was made, for want of something
START_ERROR = "StartError"  # upstream's word: the program could not be executed
BACKOFF_MAX_NS = 60 * SECOND
STABLE_NS = 60 * SECOND  # a run that lasted this long clears the backoff
PREPARE_AGAIN_NS = 100_000_000
PREPARE_AGAIN_MAX_NS = 10 * SECOND
SIGTERM, SIGKILL = 15, 9
Phase = Literal["waiting", "starting", "running", "exited"]


@dataclass(slots=True)
class Container:
    """One container and its current run."""

    name: str
    spec: Obj
    init: bool = False
    number: int = 0  # of the current or next run; restartCount in the status
    phase: Phase = "waiting"
    id: str = ""
    started_at: int = 0
    ended: Exited | None = None  # of the current run
    last: Exited | None = None  # of the run before
    not_before: int = 0
    failures: int = 0
    probes: dict[str, probing.Probe] = field(default_factory=dict[str, probing.Probe])
    stop_by: int = 0  # when SIGKILL follows; 0 = not being stopped
    is_post_starting: bool = False  # its hook runs: it is neither ready nor probed
    pre_stop: Literal["", "running", "done"] = ""
    killed_at: int = 0
    kill_reason: str = ""

    @property
    def is_live(self) -> bool:
        return self.phase in ("starting", "running")

    @property
    def succeeded(self) -> bool:
        return self.ended is not None and self.ended.code == 0


@dataclass(slots=True)
class PodState:
    """The complete state of a pod's state machine."""

    pod: Obj
    ip: str
    began_at: int
    containers: list[Container] = field(default_factory=list[Container])
    prepared: bool = False
    preparing: bool = False
    prepare_tries: int = 0
    problem: tuple[str, str] | None = None  # waiting reason and message
    verdict: tuple[str, str] | None = None  # failed for good: reason, message
    vanished: bool = False
    removed: bool = False
    member: Membership = field(default_factory=Membership)

    @property
    def is_member(self) -> bool:
        return is_member(self.pod)

    @property
    def is_stopping(self) -> bool:
        return self.vanished or is_terminating(self.pod) or self.verdict is not None

    @property
    def has_live(self) -> bool:
        return any(c.is_live for c in self.containers)

    def container(self, name: str) -> Container | None:
        return next((c for c in self.containers if c.name == name), None)


def is_member(pod: Obj) -> bool:
    """True for a rank of a TrainJob."""
    owner = controller_of(pod)
    return owner is not None and owner.get("kind") == "TrainJob"


def new_pod(pod: Obj, ip: str, at: int) -> PodState:
    """A pod seen for the first time."""
    spec: Obj = pod["spec"]
    containers = [Container(c["name"], c, init=True) for c in spec.get("initContainers") or ()]
    containers += [Container(c["name"], c) for c in spec["containers"]]
    begun: str = text(pod, "status", "startTime")
    state = PodState(pod, ip, parse_rfc3339(begun) if begun else at, containers)
    if state.is_member:
        state.member.join_ready = has_condition(pod, names.JOIN_READY)
    return state


def step(state: PodState, event: Event) -> list[Command]:
    """Takes one event and says what to do. Changes `state` and nothing else."""
    if isinstance(event, Fact):
        take_fact(state.member, event)
        return []
    if isinstance(event, Adopted):
        _take_adopted(state, event)
        return []
    heard = event.heard if isinstance(event, Exited | Started) else 0
    return _take(state, event) + _advance(state, heard or event.at)


def is_finished(state: PodState) -> bool:
    """True once the pod has its final phase: all containers ended, none will run again."""
    return phase_of(state) in ("Succeeded", "Failed")


def phase_of(state: PodState) -> str:
    """Pending, Running, Succeeded or Failed."""
    main = [c for c in state.containers if not c.init]
    if state.has_live:
        begun = any(c.phase == "running" or c.ended or c.last for c in main)
        return "Running" if begun else "Pending"
    if state.verdict is not None:
        return "Failed"
    if is_terminating(state.pod) and any(c.ended is not None for c in state.containers):
        done = all(c.succeeded for c in main)
        return "Succeeded" if done else "Failed"
    if any(
        c.init and c.ended and c.ended.code and not _may_restart(state, c) for c in state.containers
    ):
        return "Failed"
    if any(_may_restart(state, c) or c.phase == "waiting" for c in state.containers):
        started = any(c.ended or c.last for c in main)
        return "Running" if started else "Pending"
    return "Succeeded" if all(c.succeeded for c in main) else "Failed"


# -- events ---------------------------------------------------------------------------------


def _take(state: PodState, event: PodEvent) -> list[Command]:
    match event:
        case Observed(pod=pod):
            told = telling.refused_debuggers(state.pod, pod)
            state.pod = pod
            return list[Command](told)
        case Vanished():
            state.vanished = True
        case Prepared():
            return _take_prepared(state, event)
        case Started():
            return _take_started(state, event)
        case Exited():
            return _take_exited(state, event)
        case ProbeDone():
            return _take_probe(state, event)
        case PostStartDone():
            return _take_post_start(state, event)
        case PreStopDone():
            run = _current(state, event.container, event.number)
            if run is not None:
                run.pre_stop = "done"
        case GangRestart():
            _take_gang_restart(state, event)
        case GangFailed():
            state.verdict = (event.reason, event.message)
            return [RecordEvent("Warning", event.reason, event.message)]
        case KillNow():
            return _kill_all(state, event.at, event.reason)
        case DevicesChanged():
            for run in state.containers:
                run.not_before = 0 if run.number == 0 else run.not_before
        case Tick():
            pass
    return []


def _current(state: PodState, container: str, number: int) -> Container | None:
    found = state.container(container)
    return found if found is not None and found.number == number else None


def _take_adopted(state: PodState, event: Adopted) -> None:
    """Nothing is prepared by that: what has not begun yet needs this agent to prepare it."""
    for adopted in event.runs:
        run = state.container(adopted.container)
        if run is not None:
            run.number, run.last, run.failures = adopted.number, adopted.last, adopted.failures
            run.phase = "starting"


def _take_prepared(state: PodState, event: Prepared) -> list[Command]:
    state.preparing = False
    if not event.reason:
        state.prepared, state.problem, state.prepare_tries = True, None, 0
        return []
    new = state.problem != (event.reason, event.message)
    state.problem = (event.reason, event.message)
    if event.fatal:
        state.verdict = state.problem
    again = event.at + min(PREPARE_AGAIN_NS << min(state.prepare_tries, 8), PREPARE_AGAIN_MAX_NS)
    state.prepare_tries += 1
    for container in state.containers:
        container.not_before = max(container.not_before, again)
    return [telling.unprepared(event.reason, event.message)] if new else []


def _take_started(state: PodState, event: Started) -> list[Command]:
    run = _current(state, event.container, event.number)
    if run is None or run.phase == "exited":
        return []
    run.phase, run.id, run.started_at = "running", event.id, event.at
    # Of a run that an agent before this one started the hook has begun, too.
    run.is_post_starting = bool(event.heard and part(run.spec, "lifecycle", "postStart"))
    told: list[Command] = [*telling.begun(run.spec, run.init)] if event.heard else []
    if run.is_post_starting:
        return [*told, RunPostStart(run.name, run.number)]
    run.probes = probing.probes_of(run.spec, event.heard or event.at)
    return told


def _take_post_start(state: PodState, event: PostStartDone) -> list[Command]:
    """Probes begin once the hook has done its work; a container whose hook fails is ended."""
    run = _current(state, event.container, event.number)
    if run is None or not run.is_post_starting:
        return []
    run.is_post_starting = False
    if event.ok:
        run.probes = probing.probes_of(run.spec, event.at)
        return []
    hook = "FailedPostStartHook"
    told = telling.warning(run.spec, run.init, hook, "PostStartHook failed")
    if run.stop_by:
        return [told]
    run.kill_reason = f"postStart hook failed: {event.message}"
    return [told, *_stop(state, run, event.at, hook)]


def _take_exited(state: PodState, event: Exited) -> list[Command]:
    run = _current(state, event.container, event.number)
    if run is None or run.phase == "exited":
        return []
    run.phase, run.ended = "exited", event
    run.started_at = event.started
    run.probes = {}
    run.stop_by, run.pre_stop, run.is_post_starting = 0, "", False
    if event.at - event.started >= STABLE_NS:
        run.failures = 0
    delay = min(SECOND << min(run.failures, 10), BACKOFF_MAX_NS)
    begin = event.heard or event.at
    run.not_before = begin + (delay if event.code or run.failures else SECOND)
    run.failures += 1
    if event.heard and event.reason in (UNSTARTED, START_ERROR):
        return [telling.warning(run.spec, run.init, "Failed", f"Error: {event.message}")]
    return []


def _take_probe(state: PodState, event: ProbeDone) -> list[Command]:
    run = _current(state, event.container, event.number)
    probe = run.probes.get(event.kind) if run is not None else None
    if run is None or probe is None:
        return []
    was_passed, is_hasty = probe.passed, probe.is_hasty
    fatal = probe.take(event.ok, event.at)
    commands: list[Command] = []
    if event.kind == "startup" and probe.passed and not was_passed:
        for other in run.probes.values():
            other.next_at = min(other.next_at, event.at)
    if not event.ok and (fatal or not is_hasty):
        text = f"{event.kind.capitalize()} probe failed: {event.message}"
        commands.append(telling.warning(run.spec, run.init, "Unhealthy", text))
    if fatal and not run.stop_by:
        run.kill_reason = f"{event.kind} probe failed: {event.message}"
        again = state.is_member or state.pod["spec"].get("restartPolicy") != "Never"
        why = telling.failed_probe(run.name, event.kind, again)
        commands += _stop(state, run, event.at, why)
    return commands


def _take_gang_restart(state: PodState, event: GangRestart) -> None:
    for run in state.containers:
        if not run.init:
            is_unstarted = run.ended is not None and run.ended.reason == UNSTARTED
            _renew(state, run)
            own = run.not_before if is_unstarted else 0  # no hot loop while the machine is full
            run.not_before = max(event.not_before, own)
    take_fact(state.member, AwaitsFormation(event.awaits))


# -- what follows from the state -----------------------------------------------------------------


def _advance(state: PodState, at: int) -> list[Command]:
    commands = _expire(state, at)
    if state.is_stopping:
        return commands + _advance_stop(state, at)
    for run in _runnable(state):
        by_gang = state.is_member and not run.init
        if run.phase == "exited" and not by_gang and _may_restart(state, run):
            if run.ended is not None:
                text = telling.backoff(state.pod, run.name, run.ended)
                commands.append(telling.warning(run.spec, run.init, "BackOff", text))
            _renew(state, run)
        if run.phase == "waiting" and run.not_before <= at:
            commands += _begin(state, run)
        elif run.phase == "running":
            commands += _probe(run, at)
        if run.stop_by and at >= run.stop_by:
            commands += _kill(run, at)
        elif run.stop_by and run.pre_stop == "done":
            run.pre_stop = ""
            commands.append(Signal(run.name, run.number, SIGTERM))
    return commands + _wake(state, at)


def _expire(state: PodState, at: int) -> list[Command]:
    """The pod fails once it has been on the node for its activeDeadlineSeconds."""
    deadline = _deadline(state)
    if deadline is None or at < deadline or state.is_stopping or is_finished(state):
        return []
    state.verdict = (DEADLINE_EXCEEDED, DEADLINE_TEXT)
    return [RecordEvent("Normal", DEADLINE_EXCEEDED, DEADLINE_TEXT)]


def _deadline(state: PodState) -> int | None:
    seconds: int | None = state.pod["spec"].get("activeDeadlineSeconds")
    return None if seconds is None else state.began_at + seconds * SECOND


def _runnable(state: PodState) -> list[Container]:
    """The init container whose turn it is, or all containers once those succeeded."""
    for run in state.containers:
        if run.init and not run.succeeded:
            return [run]
    return [c for c in state.containers if not c.init]


def _may_restart(state: PodState, run: Container) -> bool:
    if run.ended is None or state.verdict is not None:
        return False
    if state.is_member and not run.init:
        return run.ended.code != 0  # when, says the gang; until then it counts as unfinished
    policy = state.pod["spec"].get("restartPolicy") or "Always"
    if run.ended.code == 0:
        return policy == "Always" and not run.init
    return policy != "Never"


def _renew(state: PodState, run: Container) -> None:
    """From an ended run to the wait for the next one, prepared anew: maps may have changed."""
    if run.ended is None:
        return
    state.prepared = False
    run.last, run.ended = run.ended, None
    run.phase, run.number, run.id = "waiting", run.number + 1, ""
    run.stop_by, run.killed_at, run.pre_stop, run.kill_reason = 0, 0, "", ""


def postpone(state: PodState, by: int) -> None:
    """Moves deadlines by a forward step of the wall clock: no time passed for the pod.

    Not activeDeadlineSeconds: it counts from status.startTime, which all can read.
    """
    for run in state.containers:
        run.stop_by += by if run.stop_by else 0
        run.not_before += by if run.not_before else 0
        for probe in run.probes.values():
            probe.begun_at += by
            probe.next_at += by


def backoff_text(run: Container, end: Exited) -> str:
    """Why a container waits for its next run: how the last one ended, its last output included.

    The same text for the same end, whichever run it was: repeats are one event.
    """
    text = f"container {run.name} ended with exit code {end.code} and starts again after a pause"
    if end.code == 0:
        text += " (restartPolicy is Always)"
    return f"{text}: {end.message}" if end.message else text


def _begin(state: PodState, run: Container) -> list[Command]:
    if not state.prepared:
        if state.preparing:
            return []
        state.preparing = True
        return [Prepare()]
    run.phase = "starting"
    return [telling.pulled(run.spec, run.init), Spawn(run.name, run.number)]


def _probe(run: Container, at: int) -> list[Command]:
    commands: list[Command] = []
    if run.stop_by:
        return commands
    for kind in probing.due(run.probes, at):
        run.probes[kind].in_flight = True
        commands.append(RunProbe(run.name, run.number, kind))
    return commands


def _wake(state: PodState, at: int) -> list[Command]:
    times: list[int] = []
    deadline = _deadline(state)
    if deadline is not None and not state.is_stopping and not is_finished(state):
        times.append(deadline)
    for run in state.containers:
        if run.phase == "waiting" and run.not_before > at and not state.is_stopping:
            times.append(run.not_before)
        if run.phase == "running":
            soon = probing.next_due(run.probes)
            times += [soon] if soon is not None else []
        if run.is_live and run.stop_by and not run.killed_at:
            times.append(run.stop_by)
    later = [t for t in times if t > at]
    return [WakeAt(min(later))] if later else []


# -- stopping ------------------------------------------------------------------------------------


def grace_ns(state: PodState) -> int:
    """The time the pod's processes have to end once asked."""
    value: Any = state.pod["metadata"].get("deletionGracePeriodSeconds")
    if value is None:
        value = state.pod["spec"].get("terminationGracePeriodSeconds")
    return int(30 if value is None else value) * SECOND


def _advance_stop(state: PodState, at: int) -> list[Command]:
    commands: list[Command] = []
    for run in state.containers:
        if not run.is_live:
            continue
        if not run.stop_by:
            commands += _stop(state, run, at)
        elif at >= run.stop_by:
            commands += _kill(run, at)
        elif run.pre_stop == "done":
            run.pre_stop = ""
            commands.append(Signal(run.name, run.number, SIGTERM))
    if not state.has_live:
        if (is_terminating(state.pod) or state.vanished) and not state.removed:
            state.removed = True
            commands.append(Remove())
        return commands
    return commands + _wake(state, at)


def _stop(state: PodState, run: Container, at: int, why: str = "") -> list[Command]:
    """Asks a run to end, and tells `why`; what it has not done by `stop_by` SIGKILL does.

    A gang member that attached gets no SIGTERM: its framework may swallow it, and a member of the
    running formation leaves by the control word (`core/gang.py`); the grace period bounds that. A
    member's program that knows of no formations is asked like that of any pod.
    """
    is_late = state.verdict is not None and state.verdict[0] == DEADLINE_EXCEEDED
    at_once = state.vanished or (state.verdict is not None and not is_late)
    grace = 0 if at_once else grace_ns(state)
    if is_terminating(state.pod):
        deadline = parse_rfc3339(state.pod["metadata"]["deletionTimestamp"])
        grace = min(grace, max(deadline + SECOND - at, 0))
    run.stop_by = at + grace
    told = telling.killing(run.spec, run.init, why)
    if grace == 0:
        return [told, *_kill(run, at)]
    if state.member.is_attached and not run.init:
        return [told]
    hook: Obj = part(run.spec, "lifecycle", "preStop")
    is_hooked = any(hook.get(action) for action in ("exec", "httpGet", "sleep"))
    if is_hooked and run.phase == "running":
        run.pre_stop = "running"
        return [told, RunPreStop(run.name, run.number)]
    return [told, Signal(run.name, run.number, SIGTERM)]


def _kill(run: Container, at: int) -> list[Command]:
    if run.killed_at:
        return []
    run.killed_at = at
    return [Signal(run.name, run.number, SIGKILL)]


def _kill_all(state: PodState, at: int, reason: str) -> list[Command]:
    commands: list[Command] = []
    for run in state.containers:
        if run.is_live:
            run.kill_reason = run.kill_reason or reason
            if not run.stop_by:
                commands.append(telling.killing(run.spec, run.init))
            run.stop_by = run.stop_by or at
            commands += _kill(run, at)
    return commands


def formation_of(pod: Obj) -> tuple[int, int]:
    """(generation, size) that the controller wrote on the pod, (0, 0) before the first."""
    found = annotations_of(pod)
    return int(found.get(names.FORMATION_GENERATION) or 0), int(
        found.get(names.FORMATION_SIZE) or 0
    )
