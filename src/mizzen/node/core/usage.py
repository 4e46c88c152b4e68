"""The usage of one device as touching intervals: the only source of ledger records.

A log is told marks (allocated, spawned, killed, exited) and the intervals that the worker
recorded itself. What lies between is filled by a line that the marks imply, so the result has
no gap; and it is never written further than is known: while a worker that reports is in the
middle of something, the record ends where its last interval did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mizzen.base.ledger import RECORDED, STEP_LINES, DeviceId, Interval, Owner, record
from mizzen.base.objects import Obj
from mizzen.base.ring import Interval as RingInterval

CPUS_MAX = 4096  # that one process can have used at once
SILENT_NS = 10_000_000_000  # a process that has not reported by then is `running`, not `starting`


@dataclass(slots=True)
class DeviceLog:
    """One device's open record: `begin` is where the last written one ended."""

    device: DeviceId
    begin: int
    cursor: int
    owner: Owner | None = None
    since: int = 0  # when the owner, or nobody, got the device
    share: int = 1  # devices of the pod: CPU time is divided among them
    filler: str = "free"
    is_live: bool = False
    has_spoken: bool = False
    is_reporter: bool = False  # a worker known to report: waited for without limit
    spawned_at: int = 0
    killed_at: int = 0
    kernel_cpu: int = 0  # of the pod at `begin`
    pending: list[Interval] = field(default_factory=list[Interval])

    # -- marks -------------------------------------------------------------------------------

    def change_owner(
        self, owner: Owner | None, at: int, kernel_cpu: int, share: int = 1
    ) -> Obj | None:
        """The device changes hands; the record of the former owner, if it has any length."""
        self._end(at, is_clean=False)
        finished = self.flush(kernel_cpu)
        self.owner, self.since, self.share = owner, self.cursor, max(share, 1)
        self.filler = "starting" if owner is not None else "free"
        self.is_live = self.has_spoken = False
        self.killed_at = self.kernel_cpu = 0
        return finished

    def on_spawn(self, at: int, is_reporter: bool) -> None:
        """A process is started for the owner."""
        self._fill(at)
        self.is_live, self.has_spoken, self.is_reporter = True, False, is_reporter
        self.spawned_at, self.killed_at = at, 0
        self.filler = "starting"

    def on_intervals(self, intervals: Sequence[RingInterval], now: int) -> None:
        """Takes in the worker's new intervals. Those that end before the cursor are known already;
        those that end before they begin, or after now, are invalid: any program may write there."""
        for entry in intervals:
            line = RECORDED.get(entry.line, "unknown")
            if entry.end <= self.cursor or not entry.start < entry.end <= now:
                continue
            start = entry.start
            cpu = min(entry.cpu, (entry.end - start) * CPUS_MAX) // self.share
            if start < self.cursor:  # it began to speak after its silence was written down
                cpu = cpu * (entry.end - self.cursor) // (entry.end - start)
                start = self.cursor
            self._fill(start)
            step = entry.step if line in STEP_LINES else None
            self._add(Interval(line, start, entry.end, cpu, step))
            self.has_spoken, self.filler = True, "unknown"

    def on_kill(self, at: int) -> None:
        """SIGKILL was decided: from here on the device is waited for."""
        if self.is_live and not self.killed_at:
            self.killed_at = at

    def on_exit(self, at: int, is_clean: bool, again: bool) -> None:
        """The process ended; `is_clean`: it had finished or left. `again`: another one follows."""
        self._end(at, is_clean)
        self.filler = "starting" if again else "stopping"

    def on_downtime(self, since: int, until: int) -> None:
        """Records downtime: the instance did not run, whatever holds the device."""
        self._end(max(since, self.cursor), is_clean=True)
        self.filler = "down"
        self._fill(until)
        self.filler = "starting" if self.owner is not None else "free"
        self.has_spoken, self.killed_at, self.kernel_cpu = False, 0, 0

    def restore_owner(self, owner: Owner | None, since: int) -> Obj | None:
        """The device had changed hands before the agent was away, and no record says so yet."""
        if since < self.begin or (owner and owner.claim) == (self.owner and self.owner.claim):
            return None
        finished = self.change_owner(owner, since, 0)
        self.is_live, self.spawned_at = owner is not None, since
        return finished

    # -- writing -------------------------------------------------------------------------------

    def advance(self, now: int) -> None:
        """Fills up to `now` where that is known."""
        if self.is_live and (self.has_spoken or self.is_reporter):
            return
        if self.is_live:
            if now - self.spawned_at < SILENT_NS:
                return
            self.filler = "running"
        self._fill(now)

    def flush(self, kernel_cpu: int) -> Obj | None:
        """The record of everything up to the cursor; `kernel_cpu` is the pod's total there."""
        if not self.pending:
            return None
        used = max(kernel_cpu - self.kernel_cpu, 0) // self.share if self.owner else None
        body = record(self.device, self.owner, self.pending, used)
        self.begin, self.pending = self.cursor, []
        self.kernel_cpu = kernel_cpu
        return body

    def _end(self, at: int, is_clean: bool) -> None:
        if not self.is_live:
            self._fill(at)
            return
        self.is_live = False
        if not self.has_spoken and not self.is_reporter:
            self.filler = "running"
        if is_clean:
            self.filler = "stopping"
        if self.killed_at:
            self._fill(min(self.killed_at, at))
            self.filler = "stopping"
        self._fill(at)

    def _fill(self, until: int) -> None:
        if until > self.cursor:
            self._add(Interval(self.filler, self.cursor, until))

    def _add(self, new: Interval) -> None:
        assert new.start == self.cursor, (new, self.cursor)
        last = self.pending[-1] if self.pending else None
        if last is not None and last.line == new.line and new.line not in STEP_LINES:
            new = Interval(new.line, last.start, new.end, last.cpu + new.cpu)
            self.pending.pop()
        self.pending.append(new)
        self.cursor = new.end


@dataclass(slots=True)
class CpuSamples:
    """A pod's CPU total at some moments, to know it at the ends of intervals between them."""

    samples: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    kept: int = 512

    def add(self, at: int, cpu: int) -> None:
        if self.samples and (at <= self.samples[-1][0] or cpu < self.samples[-1][1]):
            return
        self.samples.append((at, cpu))
        del self.samples[: -self.kept]

    def is_older(self, moment: int) -> bool:
        """True if the last sample was taken before `moment`."""
        return not self.samples or self.samples[-1][0] < moment

    def at(self, moment: int) -> int:
        """The total at `moment`, straight between the samples around it."""
        before: tuple[int, int] | None = None
        for sample in reversed(self.samples):
            if sample[0] <= moment:
                if before is None:
                    return sample[1]
                span = before[0] - sample[0]
                return sample[1] + (before[1] - sample[1]) * (moment - sample[0]) // span
            before = sample
        return before[1] if before is not None else 0


def resumed(device: DeviceId, last: Obj | None, now: int) -> DeviceLog:
    """The log of a device after the agent was away: it continues where the last record ended."""
    if last is None:
        return DeviceLog(device, now, now, since=now)
    spec: Obj = last["spec"]
    end = int(spec["end"])
    log = DeviceLog(device, end, end, since=end)
    if spec.get("podUID") or spec.get("claim"):
        log.owner = Owner(
            spec.get("pod") or "",
            spec.get("podUID") or "",
            spec.get("workload") or "",
            spec.get("namespace") or "",
            spec.get("claim") or "",
        )
        line = spec["intervals"][-1]["line"]
        log.has_spoken = line in RECORDED.values() and line != "starting"
        log.is_live, log.spawned_at = True, log.cursor
        log.filler = "unknown" if log.has_spoken else line
    return log
