"""One pod in the agent: the machine's state, its folder, its runtime, its pending work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from mizzen.base.objects import Obj
from mizzen.node.core.events import Exited
from mizzen.node.core.pod import SIGKILL, START_ERROR, UNSTARTED, Container, PodState
from mizzen.node.core.resources import memory_limit
from mizzen.node.podfiles import PodFiles, write_json
from mizzen.node.runtimes.interface import Bundle, Runtime

OOM_KILLED = "OOMKilled"  # upstream's word
INTERRUPTED = "InstanceDown"  # why a run ended that `mizzen down` stopped
LOST = "ContainerStatusUnknown"  # upstream's word: nothing held the run any more
DISRUPTIONS = frozenset({INTERRUPTED, LOST, UNSTARTED})  # no failure of a program
TERMINATED = 143  # the exit code of a program that SIGTERM ended


@dataclass(slots=True)
class Slot:
    uid: str
    state: PodState
    files: PodFiles
    runtime: Runtime
    bundles: Mapping[str, Bundle] = field(default_factory=dict[str, Bundle])  # container ->
    timer: asyncio.TimerHandle | None = None
    timer_at: int = 0
    removing: bool = False
    has_sandbox: bool = False
    is_admitted: bool = False  # it takes room here: the scheduler placed it, or `core/admission.py`

    def make_folder(self) -> None:
        """Writes what the next agent must know of the pod. Errors: OSError."""
        path = self.files.root / "pod.json"
        if path.exists():
            return
        self.files.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        metadata = self.state.pod["metadata"]
        record = {"namespace": metadata.get("namespace"), "name": metadata["name"]}
        write_json(path, {**record, "ip": self.state.ip})

    @property
    def name(self) -> str:
        metadata = self.state.pod["metadata"]
        return f"{metadata.get('namespace')}/{metadata['name']}"


def _out_of_memory(slot: Slot) -> str:
    limit = memory_limit(slot.state.pod)
    allowed = f"{limit / 2**20:g} MiB" if limit else "what its group may use"
    return f"out of memory: the kernel killed a process of the pod at its limit of {allowed}"


def _is_ended_by_us(slot: Slot, run: Container | None) -> bool:
    return slot.state.is_stopping or run is None or bool(run.killed_at)


def _killed_by_others(record: Obj) -> str:
    text = "killed by SIGKILL, which Mizzen did not send"
    if record.get("oom_anywhere"):
        text += "; the kernel killed processes of this machine for lack of memory while it ran"
    return text


def exited_of(slot: Slot, name: str, number: int, record: Obj, heard: int = 0) -> Exited:
    """The event for the end of a run, with its termination message; `heard`: just now."""
    run = slot.state.container(name)
    failure = str(record.get("failure") or "")
    reason, code = "", 128 if failure else record["code"]
    message = slot.files.last_words(name, number, record["code"] != 0)
    if failure:
        reason, message = UNSTARTED if record.get("unstarted") else START_ERROR, failure
    elif record["started"] < slot.files.interrupted_at <= record["finished"]:
        reason, message = INTERRUPTED, "the instance went down while it ran"
        if not code and slot.state.is_member and not slot.state.member.is_attached:
            code = TERMINATED  # it saved and left, as it was asked; its work may not be done
    elif record.get("lost"):
        reason, message = LOST, "the process ended while nothing watched it"
    elif record.get("oom") and record["code"]:
        reason, message = OOM_KILLED, f"{_out_of_memory(slot)}\n{message}".strip()
    elif run is not None and run.kill_reason:
        message = f"{run.kill_reason}\n{message}".strip()
    elif heard and record.get("signal") == SIGKILL and not _is_ended_by_us(slot, run):
        message = f"{_killed_by_others(record)}\n{message}".strip()
    return Exited(
        name,
        number,
        code,
        int(record.get("signal") or 0),
        record["started"],
        record["finished"],
        reason,
        message,
        heard,
    )
