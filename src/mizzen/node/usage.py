"""Records what every device of the node is used for and writes it to the API as UsageRecords.

The logs are `core/usage.py`'s. Records are written when a device changes hands and every 5 s
while any is allocated (every 60 s while all are free: an idle machine should not fill its store).
They carry names fixed by device and start: one that was written already is refused, not doubled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import astuple, replace

from mizzen.base import names
from mizzen.base.engine import engine_of_image
from mizzen.base.errors import AlreadyExists, ApiError, Invalid, TooManyRequests, Unavailable
from mizzen.base.ledger import DeviceId, Owner
from mizzen.base.objects import Obj, controller_of, name_of
from mizzen.base.operations import Create
from mizzen.base.reading import part
from mizzen.base.resources import USAGE_RECORDS
from mizzen.base.segment import RankState
from mizzen.client.client import Client
from mizzen.node.context import AgentContext
from mizzen.node.core.devices import Allocated
from mizzen.node.core.usage import CpuSamples, DeviceLog, resumed
from mizzen.node.podfiles import read_json, write_json
from mizzen.node.runtimes.interface import BEST_EFFORT
from mizzen.node.slot import Slot
from mizzen.node.training.gangs import Gangs
from mizzen.node.training.segments import RankFile

log = logging.getLogger("mizzen.node")

LOOK_S = 0.2
FLUSH_S, FLUSH_IDLE_S = 5.0, 60.0
UNWRITTEN_MAX = 10_000  # records kept while the API is away; older intervals stay in the rings
BATCH = 200
WALK_NS = 1_000_000_000  # without groups each sample is a walk through /proc
WRITE_LAST_S = 1.0
NAMELESS_NS = 5_000_000_000


class UsageRecorder:
    """One log for each device; `run` until cancelled."""

    def __init__(self, context: AgentContext, gangs: Gangs, client: Client) -> None:
        self._context = context
        self._gangs = gangs
        self._client = client
        self._logs: dict[str, DeviceLog] = {}
        self._cpu: dict[str, CpuSamples] = {}  # pod uid ->
        self._last_state: dict[str, int] = {}  # of the worker that just ended
        self._read: dict[str, int] = {}  # pod uid -> next interval in its ring
        self._unwritten: list[Obj] = []
        self._is_held = False  # the API does not take records now, and the log says so
        self._begun: set[str] = set()  # devices whose present owner is in no record yet
        self._wake = asyncio.Event()
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {"unwritten": len(self._unwritten), **self._counts}

    async def resume(self) -> None:
        """Takes up each device's log where its last record ended. Errors: ApiError."""
        found, _ = await self._client.list(USAGE_RECORDS)
        node = self._context.config.node_name
        last: dict[str, Obj] = {}
        for entry in found:
            spec: Obj = entry["spec"]
            key = f"{spec['driver']}/{spec['device']}"
            if spec["node"] == node and (key not in last or last[key]["spec"]["end"] < spec["end"]):
                last[key] = entry
        saved = read_json(self._context.config.state_dir / "ledger.json") or {}
        stopped_at, _ = _pair([saved.get("stopped"), 0])
        now = self._context.clock.now_ns()
        for device in self._context.devices:
            key = f"{device.driver}/{device.name}"
            log = resumed(DeviceId(node, device.driver, device.name), last.get(key), now)
            self._keep(_restore_owner(log, saved, key))
            begin, kernel_cpu = _pair(saved.get(key))
            log.kernel_cpu = kernel_cpu if begin == log.begin else 0
            if stopped_at:
                log.on_downtime(stopped_at, now)
            self._logs[key] = log
        if stopped_at:
            self.flush(now)  # what was down is said once, whatever becomes of this agent

    # -- marks, from the agent ------------------------------------------------------------------

    def on_allocations(self, allocated: Mapping[str, Allocated], at: int) -> None:
        """Devices changed hands."""
        shares = Counter(a.pod_uid or a.claim for a in allocated.values())
        for key, log in self._logs.items():
            entry = allocated.get(key)
            new = self._owner(entry) if entry is not None else None
            if _is_same(log.owner, new):
                log.owner = new
                log.share = max(shares[entry.pod_uid or entry.claim], 1) if entry else 1
                continue
            old = log.owner
            if old is not None:
                self._sample(old.pod_uid, at)
            share = shares[entry.pod_uid or entry.claim] if entry is not None else 1
            finished = log.change_owner(new, at, self._total(old, at), share)
            if old is not None and not self._of(old.pod_uid):
                self._cpu.pop(old.pod_uid, None)
            self._begun.discard(key)
            if new is not None:
                log.kernel_cpu = self._total(new, at)
                self._begun.add(key)
            self._keep(finished)
        self._save()  # an agent that follows a killed one knows whose the devices are
        self._wake.set()

    def on_spawn(self, slot: Slot, at: int) -> None:
        """A process of the pod is about to start."""
        for log in self._of(slot.uid):
            log.on_spawn(at, is_reporter(slot))

    def on_adopt(self, slot: Slot) -> None:
        """The pod's process runs since before this agent: its ring tells what it did meanwhile."""
        for log in self._of(slot.uid):
            log.is_live, log.is_reporter = True, is_reporter(slot)

    def settle(self) -> None:
        """After adoption: devices whose pod has no process here wait for one, or for release."""
        now = self._context.clock.now_ns()
        for log in self._logs.values():
            slot = self._context.slots.get(log.owner.pod_uid) if log.owner is not None else None
            if log.owner is None or (slot is not None and slot.state.has_live):
                continue
            if slot is not None:
                self._read_ring(slot)
            log.on_exit(now, is_clean=False, again=slot is not None)

    def on_kill(self, uid: str, at: int) -> None:
        for log in self._of(uid):
            log.on_kill(at)

    def on_end(self, slot: Slot) -> None:
        """A process ended: its last intervals and CPU time, before anything is cleaned up."""
        now = self._context.clock.now_ns()
        self._last_state[slot.uid] = RankState.NONE
        with self._rank_file_of(slot) as file:
            if file is not None:
                file.settle(now)
                self._last_state[slot.uid] = file.look.state
        self._read_ring(slot)
        self._sample(slot.uid, now)

    def on_exit(self, slot: Slot, at: int, again: bool) -> None:
        """The pod machine has seen the end of a process; `again`: it will run once more."""
        if slot.state.has_live:
            return
        state = self._last_state.pop(slot.uid, RankState.NONE)
        for log in self._of(slot.uid):
            log.on_exit(at, state in (RankState.LEFT, RankState.FINISHED), again)

    def forget(self, slot: Slot) -> None:
        """The pod is gone and its files will be: what its devices wait for is their release."""
        self._read.pop(slot.uid, None)
        self._last_state.pop(slot.uid, None)

    # -- work ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Looks, flushes, writes, until cancelled."""
        flushed = 0.0
        loop = asyncio.get_running_loop()
        while True:
            busy = any(log.owner is not None for log in self._logs.values())
            now = self._context.clock.now_ns()
            self._poll(now)
            if loop.time() - flushed >= (FLUSH_S if busy else FLUSH_IDLE_S):
                flushed = loop.time()
                self.flush(now)
            elif self._begun:
                self._flush_begun(now)
            await self.write()
            with contextlib.suppress(TimeoutError):
                self._wake.clear()
                async with asyncio.timeout(LOOK_S if busy else 1.0):
                    await self._wake.wait()

    def flush(self, now: int, stopped: int = 0) -> None:
        """Closes every open record at the latest moment that is known; `stopped`: for good."""
        for key in self._logs:
            self._flush(key, now)
        self._save(stopped)

    def _flush_begun(self, now: int) -> None:
        """An owner's first record does not wait for its turn: an agent that follows a killed one
        knows from the records alone who had a device since when, and asks its ring from there."""
        told = [key for key in sorted(self._begun) if self._flush(key, now)]
        if told:
            self._save()

    def _flush(self, key: str, now: int) -> bool:
        """True if there was something to write."""
        log = self._logs[key]
        owner = log.owner
        if owner and owner.pod_uid not in self._context.slots and now - log.begin < NAMELESS_NS:
            return False  # its pod is not known yet, nor is what it belongs to
        log.advance(now)
        finished = log.flush(self._total(owner, log.cursor))
        self._keep(finished)
        if finished is not None:
            self._begun.discard(key)
        return finished is not None

    def _save(self, stopped: int = 0) -> None:
        content: Obj = {key: [log.begin, log.kernel_cpu] for key, log in self._logs.items()}
        content["owners"] = {
            key: [log.since, log.owner and astuple(log.owner)] for key, log in self._logs.items()
        }
        if stopped:
            content["stopped"] = stopped
        with contextlib.suppress(OSError):
            write_json(self._context.config.state_dir / "ledger.json", content)

    async def write(self) -> None:
        """Sends what is unwritten; what the API does not take now is kept and sent again."""
        while self._unwritten:
            batch = self._unwritten[:BATCH]
            try:
                await self._client.commit([Create(USAGE_RECORDS, r) for r in batch])
            except (Unavailable, TooManyRequests):
                self._counts["unavailable"] += 1
                return
            except (AlreadyExists, Invalid):
                if not await self._write_singly(batch):
                    return
            except ApiError as error:  # a full disk, an API that starts: all is kept
                if not self._is_held:
                    log.warning("usage records are kept back: %s", error.message)
                self._is_held = True
                return
            self._is_held = False
            self._counts["written"] += len(batch)
            del self._unwritten[: len(batch)]

    async def _write_singly(self, batch: list[Obj]) -> bool:
        """One of a batch cannot be written: which. False when the rest must wait."""
        for record in batch:
            try:
                await self._client.create(USAGE_RECORDS, record)
            except AlreadyExists:
                self._counts["repeated"] += 1
            except Invalid as error:
                self._counts["refused"] += 1
                log.error("usage record refused: %s", error.message)
            except ApiError:
                return False  # those before are found to exist the next time
        return True

    async def stop(self) -> None:
        """The instance goes down and no pod runs any more: all is written, and from when on."""
        now = self._context.clock.now_ns()
        for log in self._logs.values():
            if log.owner is not None:
                log.on_exit(now, is_clean=True, again=False)
        self.flush(now, stopped=now)
        with contextlib.suppress(TimeoutError, ApiError):
            async with asyncio.timeout(WRITE_LAST_S):
                await self.write()

    def _poll(self, now: int) -> None:
        for uid in {log.owner.pod_uid for log in self._logs.values() if log.owner is not None}:
            slot = self._context.slots.get(uid)
            if slot is None or not slot.state.has_live:
                continue
            self._read_ring(slot)
            samples = self._cpu.setdefault(uid, CpuSamples())
            is_cheap = slot.runtime.guarantees.limits != BEST_EFFORT
            if is_cheap or samples.is_older(now - WALK_NS):
                self._sample(uid, now)

    def _read_ring(self, slot: Slot) -> None:
        with self._rank_file_of(slot) as file:
            if file is None:
                return
            intervals, following, lost = file.ring.read(self._read.get(slot.uid, 0))
            self._read[slot.uid] = following
            self._counts["lost"] += lost
            if intervals:
                now = self._context.clock.now_ns()
                for log in self._of(slot.uid):
                    log.on_intervals(intervals, now)

    def _sample(self, uid: str, at: int) -> None:
        slot = self._context.slots.get(uid)
        if slot is None or not slot.has_sandbox or not self._of(uid):
            return  # only what holds devices has intervals to be charged with it
        self._cpu.setdefault(uid, CpuSamples()).add(at, slot.runtime.stats(uid).cpu_ns)

    def _total(self, owner: Owner | None, at: int) -> int:
        samples = self._cpu.get(owner.pod_uid) if owner is not None else None
        return samples.at(at) if samples is not None else 0

    def _keep(self, record: Obj | None) -> None:
        if record is not None:
            self._unwritten.append(record)
            if len(self._unwritten) > UNWRITTEN_MAX:
                self._counts["dropped"] += 1
                del self._unwritten[0]

    def _of(self, uid: str) -> list[DeviceLog]:
        return [g for g in self._logs.values() if g.owner is not None and g.owner.pod_uid == uid]

    @contextlib.contextmanager
    def _rank_file_of(self, slot: Slot) -> Generator[RankFile | None]:
        """The file in which the pod's program reports, None for a pod without devices, or where
        none can be had: shared memory is full, or the program put something else in its place.

        What becomes of it in the block is counted: neither the pod nor the books of others wait.
        """
        file = None
        try:
            file = self._gangs.rank_file(slot) if self._of(slot.uid) else None
        except OSError:
            self._counts["unreadable"] += 1
        try:
            yield file
        except OSError:
            self._counts["unreadable"] += 1

    def _owner(self, entry: Allocated) -> Owner:
        namespace = entry.claim.split("/", 1)[0]
        slot = self._context.slots.get(entry.pod_uid)
        workload = f"Pod/{entry.pod_name}"
        if slot is not None:
            owner = controller_of(slot.state.pod)
            workload = (
                f"{owner['kind']}/{owner['name']}" if owner else f"Pod/{name_of(slot.state.pod)}"
            )
        return Owner(entry.pod_name, entry.pod_uid, workload, namespace, entry.claim)

    def name_owners(self, slot: Slot) -> None:
        """A pod was seen whose devices were allocated before: now its workload is known."""
        owner = controller_of(slot.state.pod)
        if owner is not None:
            for log in self._of(slot.uid):
                assert log.owner is not None
                log.owner = replace(log.owner, workload=f"{owner['kind']}/{owner['name']}")


def _pair(found: object) -> tuple[int, int]:
    """Two whole numbers, zeros where the file has something else."""
    match found:
        case [int(first), int(second)]:
            return first, second
        case _:
            return 0, 0


def _restore_owner(log: DeviceLog, saved: Obj, key: str) -> Obj | None:
    """Restores the owner of the log's device from the last write of `ledger.json`."""
    match part(saved, "owners").get(key):
        case [int(since), None]:
            return log.restore_owner(None, since)
        case [int(since), [str(), str(), str(), str(), str()] as owner]:
            return log.restore_owner(Owner(*owner), since)
        case _:
            return None


def is_reporter(slot: Slot) -> bool:
    """True for a pod whose program is known to record its own intervals."""
    if slot.state.is_member:
        return any(
            (c.spec.get("image") or "").startswith(names.IMAGE_PYTHON)
            for c in slot.state.containers
        )
    engines = (engine_of_image(c.spec.get("image") or "") for c in slot.state.containers)
    return any(engine is not None and engine.records_usage for engine in engines)


def _is_same(old: Owner | None, new: Owner | None) -> bool:
    if old is None or new is None:
        return old is new
    return old.claim == new.claim and old.pod_uid in ("", new.pod_uid)
