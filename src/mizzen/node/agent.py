"""The agent of one node: pods in, runs out; what they do, back into their status.

It decides nothing itself: events go to the pure machines in `core/`, whose commands it carries
out. Everything it must know after a crash is in the pods' folders, the runtimes and the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Container, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from mizzen.base import names
from mizzen.base.clock import Clock
from mizzen.base.clock_steps import ClockSteps
from mizzen.base.errors import ApiError
from mizzen.base.objects import (
    Obj,
    has_condition,
    is_terminating,
    namespace_of,
    revision_of,
    uid_of,
)
from mizzen.base.operations import Delete, Operation
from mizzen.base.reading import text
from mizzen.base.resources import PODS
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.node.addresses import Addresses
from mizzen.node.boundary import Boundary, describe
from mizzen.node.config import HOST_IP, NodeConfig
from mizzen.node.context import AgentContext
from mizzen.node.core import devices as claims_core
from mizzen.node.core.events import (
    Command,
    DevicesChanged,
    Event,
    Exited,
    Observed,
    Prepare,
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
from mizzen.node.core.pod import grace_ns, is_finished, new_pod, postpone, step
from mizzen.node.core.status import patch_of
from mizzen.node.executor import Executor
from mizzen.node.podfiles import PodFiles, prune, records_of
from mizzen.node.reporter import Reporter
from mizzen.node.restore import end_of, restore
from mizzen.node.runtimes.interface import (
    RunEnded,
    RunEvent,
    RunFailed,
    RunsListed,
    RunStarted,
    run_key,
    split_key,
)
from mizzen.node.runtimes.registry import Runtimes
from mizzen.node.services import Services
from mizzen.node.serving import ServingSockets
from mizzen.node.slot import Slot, exited_of
from mizzen.node.tokens import PodTokens
from mizzen.node.training.gangs import Gangs
from mizzen.node.usage import UsageRecorder

log = logging.getLogger("mizzen.node")
GRACE_DOWN_MEMBER_S = 2.0
GRACE_DOWN_MAX_S = 30.0  # `mizzen down` kills what still runs then, whatever its pod allows


class Agent:
    """Owns the slots; every method runs in the event loop's thread."""

    def __init__(
        self,
        client: Client,
        config: NodeConfig,
        clock: Clock,
        runtimes: Runtimes,
        devices: list[claims_core.Device],
        allocatable: Mapping[str, str],
    ) -> None:
        self.config = config
        self.clock = clock
        self.runtimes = runtimes
        self.events = EventRecorder(client, "kubelet", clock, config.node_name)
        self.reporter = Reporter(client, self, self._warn)
        self.boundary = Boundary(self.events, self.reporter.mark)
        self.context = AgentContext(
            config, clock, self.events, runtimes, devices, self.reporter, self.boundary, self.feed
        )
        self.slots = self.context.slots
        self.gangs = Gangs(self.context)
        self.usage = UsageRecorder(self.context, self.gangs, client)
        self.serving = ServingSockets(config.serving_dir)
        self.services = Services(
            client,
            config.node_name,
            config.node_port_address,
            self.events,
            self.boundary,
            config.state_dir / "forwarder.log",
        )
        self.tokens = PodTokens(client, clock, self.slots)
        self.executor = Executor(
            self.context,
            self.gangs,
            self.usage,
            self.serving,
            client,
            allocatable,
            self.services,
            self.tokens,
        )
        self._clock_steps = ClockSteps(clock)
        self._client = client
        self._addresses = Addresses(config.pod_network)
        self._tasks: set[asyncio.Task[None]] = set()
        self._shared_cpus: tuple[int, ...] = ()
        self.stopping = False

    def statistics(self) -> Mapping[str, int]:
        running = sum(slot.state.has_live for slot in self.slots.values())
        counts = {"pods": len(self.slots), "running_pods": running}
        return {**counts, **self._addresses.statistics()}

    # -- life of the agent -----------------------------------------------------------

    async def start(self) -> None:
        """Learns from the runtimes what runs; call before the first pod is observed."""
        for uid, record in records_of(self.config.pods_dir):
            self._addresses.restore(uid, str(record.get("ip")))
        await self.runtimes.connect(self._on_run)

    def settle(self, known: Container[str]) -> None:
        """After the first lists, `known` being the uids of all pods of this node: what outlived
        its pod goes, what ended meanwhile is judged."""
        gone = [uid for uid, _ in records_of(self.config.pods_dir) if uid not in known]
        for uid in gone:
            self._addresses.release(uid)
        self._retire(gone)
        self.observe_claims()
        self.gangs.sweep()
        self.serving.sweep(self.slots)
        self.usage.settle()
        for uid in {split_key(key)[0] for key in self.runtimes.running}:
            if uid not in self.slots:  # its pod went while no agent ran
                self.runtimes.remove(uid)

    def _find_ends(self) -> None:
        """Reads from the records what ended unheard."""
        running = self.runtimes.running
        for slot in list(self.slots.values()):
            for run in slot.state.containers:
                if run.is_live and run_key(slot.uid, run.name, run.number) not in running:
                    with self.boundary.around(slot.state.pod):
                        end = end_of(slot, run.name, run.number, self.clock.now_ns())
                        self._on_exit(slot, end)

    async def stop(self) -> None:
        """Ends every pod's runs and what holds them: the instance goes down."""
        self.stopping = True
        now = self.clock.now_ns()
        for slot in self.slots.values():
            if slot.state.has_live:
                slot.files.interrupt(now)
        graces = {key: self._grace_down_s(key) for key in self.runtimes.running}
        for key in graces:
            self.runtimes.signal(key, signal.SIGTERM)
        begun = asyncio.get_running_loop().time()
        while running := self.runtimes.running:
            past_s = asyncio.get_running_loop().time() - begun
            for key in [k for k in running if graces.get(k, 0.0) < past_s]:
                self.runtimes.signal(key, signal.SIGKILL)
                graces[key] = GRACE_DOWN_MAX_S
            if past_s > GRACE_DOWN_MAX_S:
                break
            await asyncio.sleep(0.02)
        await self.runtimes.shutdown()
        await self.usage.stop()
        await self.close()
        self.gangs.remove_pod_files()
        with contextlib.suppress(OSError):
            self.config.shm.rmdir()  # when no job's segments are in it

    def _grace_down_s(self, key: str) -> float:
        """A rank that trains has staged its state and JAX swallows SIGTERM: it is not waited for
        long. A member's program that knows of no formations has what its pod allows."""
        slot = self.slots.get(split_key(key)[0])
        if slot is not None:
            self.gangs.refresh(slot)
        if slot is None or slot.state.member.is_attached:
            return GRACE_DOWN_MEMBER_S
        return min(grace_ns(slot.state) / 1e9, GRACE_DOWN_MAX_S)

    async def close(self) -> None:
        """Leaves everything running."""
        self.stopping = True
        self.boundary.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for slot in self.slots.values():
            if slot.timer is not None:
                slot.timer.cancel()
        self.gangs.close()
        self._addresses.close()
        await self.runtimes.close()

    # -- what the API says ---------------------------------------------------------------

    def observe(self, kind: str, pod: Obj) -> None:
        """A pod of this node as the API has it (ADDED, MODIFIED) or had it (DELETED)."""
        again = partial(self._observe_again, kind, pod)
        with self.boundary.around(pod, again):
            self._observe(kind, pod)

    def _observe_again(self, kind: str, pod: Obj) -> None:
        slot = self.slots.get(uid_of(pod))
        if slot is None or kind == "DELETED":
            self._observe(kind, pod)
        else:
            self._resume(slot)

    def _resume(self, slot: Slot) -> None:
        """After a fault: the pod's newest state, and ends of processes that went unheard; a pod
        that went meanwhile does not come back."""
        if self.slots.get(slot.uid) is not slot:
            return
        for run in slot.state.containers:
            key = run_key(slot.uid, run.name, run.number)
            if run.phase == "running" and key not in slot.runtime.running:
                self._on_exit(slot, end_of(slot, run.name, run.number, self.clock.now_ns()))
        self._observe("MODIFIED", slot.state.pod)

    def _observe(self, kind: str, pod: Obj) -> None:
        uid, now = uid_of(pod), self.clock.now_ns()
        slot = self.slots.get(uid)
        if kind == "DELETED":
            if slot is not None:
                self._vanish(slot, now)
            else:  # it ended before this agent began, or was set aside before it was admitted
                self.boundary.forget(uid)
                self._addresses.release(uid)
                self._retire([uid])
            return
        if slot is None:
            slot = self._admit(uid, pod, now)
            if slot is None:
                return
        elif revision_of(pod) < revision_of(slot.state.pod):
            return
        self.gangs.refresh(slot)
        self.feed(slot, Observed(pod, now))
        self.gangs.observe(slot)

    def _admit(self, uid: str, pod: Obj, now: int) -> Slot | None:
        files = PodFiles(self.config.pods_dir, uid)
        phase = text(pod, "status", "phase")
        if phase in ("Succeeded", "Failed"):
            if is_terminating(pod):
                self._start(self._delete_finished(uid, pod))
            return None
        address = self._addresses.take(uid, text(pod, "status", "podIP"))
        slot = Slot(uid, new_pod(pod, address, now), files, self.runtimes.of(pod))
        self.slots[uid] = slot
        try:
            self._adopt(slot, now)
        except Exception:
            self.slots.pop(uid)  # whole or not at all: it is admitted again, its runs adopted then
            raise
        return slot

    def _adopt(self, slot: Slot, now: int) -> None:
        """Takes up a pod again; folders that cannot be made now are left to `Executor.prepare`."""
        with contextlib.suppress(OSError):
            self.gangs.admit(slot)
        self.usage.name_owners(slot)
        events = restore(slot, now)
        for event in events:
            self.feed(slot, event)
            if isinstance(event, Exited):
                self.gangs.ended_before(slot, event)
            elif isinstance(event, Started):
                self.gangs.adopted(slot)
                self.usage.on_adopt(slot)
        if (
            slot.state.has_live and not slot.state.preparing
        ):  # adopted: probes and hooks need the environment again
            self._start_for(slot, self.executor.prepare(slot))
        slot.is_admitted = bool(events) or has_condition(slot.state.pod, "PodScheduled")
        with contextlib.suppress(OSError):
            slot.make_folder()

    async def _delete_finished(self, uid: str, pod: Obj) -> None:
        with contextlib.suppress(ApiError):
            await self._client.delete(
                PODS, pod["metadata"]["name"], namespace_of(pod), grace_period_s=0, uid=uid
            )

    def observe_claims(self) -> None:
        """Claims changed: who holds which device, and which cores are shared."""
        new = claims_core.allocations(
            self.context.claims.values(), self.context.devices, self.config.node_name
        )
        if new == self.context.allocated:
            return
        self.context.allocated = new
        now = self.clock.now_ns()
        self.usage.on_allocations(new, now)
        for slot in list(self.slots.values()):
            if not slot.state.prepared and not slot.state.has_live:
                self.wake(slot, DevicesChanged(now))
        self._move_shared()

    def _move_shared(self) -> None:
        """Pods without claims leave the cores that were just claimed, and return to free ones."""
        cpus = claims_core.shared_cpus(self.context.devices, self.context.allocated)
        if cpus == self._shared_cpus:
            return
        self._shared_cpus = cpus
        for slot in self.slots.values():
            pod = slot.state.pod
            held = claims_core.held_by(pod, self.context.allocated)
            if not any(d.driver == names.CPU_DRIVER for d in held):
                slot.runtime.resize(slot.uid, self.executor.resources(pod, held))

    def wake(self, slot: Slot, event: Tick | DevicesChanged) -> None:
        """Time has passed for the pod, or what it waited for has come."""
        with self.boundary.around(slot.state.pod, partial(self._resume, slot)):
            self.gangs.refresh(slot)
            self.feed(slot, event)

    # -- the pure machine and its commands -------------------------------------------------

    def feed(self, slot: Slot, event: Event) -> None:
        """One event for one pod: decide, act, report."""
        if by := self._clock_steps.forward_ns():
            for each in self.slots.values():
                postpone(each.state, by)
        for command in step(slot.state, event):
            self._carry_out(slot, command)
        if not slot.removing:
            self.reporter.mark(slot.uid)

    def _carry_out(self, slot: Slot, command: Command) -> None:
        match command:
            case Prepare():
                self._start_for(slot, self.executor.prepare(slot))
            case Spawn():
                try:
                    self.executor.spawn(slot, command)
                except (OSError, ValueError) as error:
                    key = run_key(slot.uid, command.container, command.number)
                    failed = RunFailed(key, describe(error))
                    asyncio.get_running_loop().call_soon(self._on_run, failed)
            case Signal():
                self.executor.signal(slot, command)
            case RunPostStart():
                self._start_for(slot, self.executor.post_start(slot, command))
            case RunPreStop():
                self._start_for(slot, self.executor.pre_stop(slot, command))
            case RunProbe():
                self._start_for(slot, self.executor.probe(slot, command))
            case WakeAt():
                self._wake_at(slot, command.at)
            case Remove():
                slot.removing = True
                self.reporter.mark(slot.uid)
                if slot.state.vanished:
                    self._forget(slot)
            case RecordEvent():
                kind = "Warning" if command.type == "Warning" else "Normal"
                self.events.event(
                    slot.state.pod, kind, command.reason, command.message, command.field_path
                )

    def _start_for(self, slot: Slot, work: Coroutine[Any, Any, None]) -> None:
        async def bounded() -> None:
            if self.slots.get(slot.uid) is not slot:  # gone before its turn came
                work.close()
                return
            with self.boundary.around(slot.state.pod, partial(self._resume, slot)):
                await work

        self._start(bounded())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wake_at(self, slot: Slot, at: int) -> None:
        if slot.timer is not None:
            if slot.timer_at <= at and not slot.timer.cancelled():
                return
            slot.timer.cancel()
        delay = max(at - self.clock.now_ns(), 0) / 1e9

        def ring() -> None:
            slot.timer = None
            if slot.uid in self.slots:
                self.wake(slot, Tick(max(self.clock.now_ns(), at)))

        slot.timer_at = at
        slot.timer = asyncio.get_running_loop().call_later(delay, ring)

    # -- what runtimes say -----------------------------------------------------------------------

    def _on_run(self, event: RunEvent) -> None:
        if isinstance(event, RunsListed):
            self._find_ends()
            return
        uid, name, number, _ = split_key(event.key)
        slot = self.slots.get(uid)
        if slot is not None:
            with self.boundary.around(slot.state.pod, partial(self._resume, slot)):
                self._on_run_of(slot, name, number, event)

    def _on_run_of(
        self, slot: Slot, name: str, number: int, event: RunStarted | RunFailed | RunEnded
    ) -> None:
        now = self.clock.now_ns()
        if isinstance(event, RunStarted):
            self.feed(slot, Started(name, number, event.id, event.at, now))
        elif self.stopping:
            self.usage.on_end(slot)
        elif isinstance(event, RunFailed):
            said = {"failure": event.message, "unstarted": True}
            record = {"code": 128, "started": now, "finished": now, **said}
            self._on_exit(slot, exited_of(slot, name, number, record, now))
        else:
            self._on_exit(slot, exited_of(slot, name, number, event.record, now))

    def _on_exit(self, slot: Slot, event: Exited) -> None:
        event = self.gangs.judge(slot, event)
        self.usage.on_end(slot)
        stays = not slot.state.is_stopping
        self.feed(slot, event)
        again = stays and not is_finished(slot.state)
        self.usage.on_exit(slot, event.at, again)
        self.gangs.exited(slot, event)
        if is_finished(slot.state):
            slot.runtime.remove(slot.uid)

    # -- for the reporter ------------------------------------------------------------------------

    def due_writes(self, uid: str) -> list[Operation]:
        """The writes that make the API agree with the pod's state."""
        slot = self.slots.get(uid)
        if slot is None or self.stopping:
            return []
        with self.boundary.around(slot.state.pod, partial(self._resume, slot)):
            return self._writes_of(slot)
        return []

    def _writes_of(self, slot: Slot) -> list[Operation]:
        operations: list[Operation] = []
        aside = self.boundary.message_of(slot.uid)
        patch = patch_of(slot.state, HOST_IP, self.clock.now_ns(), aside)
        if patch is not None and not slot.state.vanished:
            operations.append(patch)
        if slot.removing and not slot.state.vanished:
            metadata = slot.state.pod["metadata"]
            operations.append(
                Delete(PODS, metadata.get("namespace") or "", metadata["name"], 0, slot.uid)
            )
        return operations

    def identity(self, uid: str) -> tuple[str, str] | None:
        slot = self.slots.get(uid)
        if slot is None:
            return None
        metadata = slot.state.pod["metadata"]
        return metadata.get("namespace") or "", metadata["name"]

    def on_written(self, uid: str, pod: Obj) -> None:
        """The API's answer to a write, or a fresh reading."""
        slot = self.slots.get(uid)
        if slot is not None and revision_of(pod) > revision_of(slot.state.pod):
            self.observe("MODIFIED", pod)

    def on_vanished(self, uid: str) -> None:
        slot = self.slots.get(uid)
        if slot is not None:
            self.observe("DELETED", slot.state.pod)

    def on_refused(self, uid: str, message: str) -> None:
        slot = self.slots.get(uid)
        if slot is not None:
            self._warn(f"the API refuses the status of pod {slot.name}: {message}")

    # -- the end of a pod --------------------------------------------------------------------------

    def _vanish(self, slot: Slot, now: int) -> None:
        """The pod is gone from the API; what still runs of it is killed first."""
        self.feed(slot, Vanished(now))
        if not slot.state.has_live:
            self._forget(slot)

    def _forget(self, slot: Slot) -> None:
        """The pod is gone from the API and has no process left."""
        if slot.uid not in self.slots:
            return
        if slot.timer is not None:
            slot.timer.cancel()
        self.slots.pop(slot.uid, None)
        self.boundary.forget(slot.uid)
        self.usage.forget(slot)
        slot.runtime.remove(slot.uid)
        self._addresses.release(slot.uid)
        self.serving.remove(slot.uid)
        self._retire([slot.uid])
        self.gangs.forget(slot)  # last: it looks into files, which may fail

    def _retire(self, uids: Sequence[str]) -> None:
        """Removes what pods that are gone leave on the disk, in a thread: it may be much."""

        def remove() -> None:
            for uid in uids:
                PodFiles(self.config.pods_dir, uid).retire()
            prune(self.config.pods_dir)

        self._start(asyncio.to_thread(remove))

    def _warn(self, message: str) -> None:
        log.warning("%s", message)
