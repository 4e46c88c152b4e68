"""Carries out what the pod machine asks of processes: prepare, spawn, signal, probe, hooks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any, Protocol

from mizzen.base.errors import ApiError
from mizzen.base.objects import Obj, has_condition, namespace_of
from mizzen.base.reading import part
from mizzen.base.resources import NODES
from mizzen.client.client import Client
from mizzen.node.boundary import describe
from mizzen.node.checks import check
from mizzen.node.core import admission
from mizzen.node.core import devices as claims_core
from mizzen.node.core.environment import Unresolved
from mizzen.node.core.pod import SIGKILL, is_finished
from mizzen.node.core.words import (
    Prepared,
    PreStopDone,
    ProbeDone,
    RunPreStop,
    RunProbe,
    Signal,
    Spawn,
)  # fmt: skip
from mizzen.node.runtimes.process.cgroups import Limits
from mizzen.node.runtimes.process.processes import is_alive
from mizzen.node.runtimes.process.shim_client import Message
from mizzen.node.serving import ServingSockets
from mizzen.node.slot import Slot, run_key
from mizzen.node.spawning import (
    Context,
    cpu_limit,
    device_variables,
    host_names,
    memory_limit,
    prepare,
)  # fmt: skip
from mizzen.node.usage import Recorded, UsageRecorder

CAPTURE_BYTES = 4096
HOST_IP = "127.0.0.1"


class Directed(Recorded, Protocol):
    """The agent as its hands need it: with the recorder of what devices are used for."""

    usage: UsageRecorder
    serving: ServingSockets
    claims: Mapping[Any, Obj]  # every ResourceClaim that it watches


class Executor:
    """The agent's hands; answers go back to the machine through `Agent.feed`."""

    def __init__(self, agent: Directed, client: Client, allocatable: Mapping[str, str]) -> None:
        self._agent = agent
        self._client = client
        self._allocatable = allocatable
        self._checks: dict[str, asyncio.Future[Message]] = {}

    async def prepare(self, slot: Slot) -> None:
        pod, reason, message = slot.state.pod, "", ""
        try:
            if (refused := await self._refusal(slot)) is not None:
                self._prepared(slot, *refused, fatal=True)
                return
            if slot.uid not in self._agent.slots:
                return  # it went meanwhile: nothing is made for it any more
            slot.make_folder()
            slot.requests = await prepare(self._client, pod, self._context(slot), slot.files)
        except Unresolved as error:
            reason, message = error.reason, str(error)
        except ApiError as error:
            reason = "CreateContainerConfigError"
            message = f"the API server does not answer: {error.message}"
        except (OSError, ValueError) as error:
            reason, message = "CreateContainerError", describe(error)
        except Exception as error:  # a fault of ours, which the boundary tells, too
            self._prepared(slot, "CreateContainerError", describe(error))
            raise
        self._prepared(slot, reason, message)

    async def _refusal(self, slot: Slot) -> tuple[str, str] | None:
        """Why the pod cannot run here, where nobody has asked yet. Errors: ApiError."""
        if slot.is_admitted:
            return None
        node = await self._client.get(NODES, self._agent.config.node_name)
        others = [
            s.state.pod
            for s in self._agent.slots.values()
            if s.is_admitted and s is not slot and not (s.state.vanished or is_finished(s.state))
        ]
        refused = admission.refusal(slot.state.pod, node, others)
        slot.is_admitted = refused is None
        return refused

    def _prepared(self, slot: Slot, reason: str, message: str, fatal: bool = False) -> None:
        if slot.uid in self._agent.slots:
            now = self._agent.clock.now_ns()
            self._agent.feed(slot, Prepared(now, reason, message, fatal))

    def _context(self, slot: Slot) -> Context:
        """Where and with what the pod runs. Errors: Unresolved while claims are not allocated."""
        pod = slot.state.pod
        wanted = claims_core.claim_names(pod)
        held = claims_core.held_by(pod, self._agent.allocated)
        if wanted is None or (wanted and not held):
            strange = claims_core.without_driver(
                pod, self._agent.claims.values(), self._agent.devices
            )
            why = (
                f"no driver on this node prepares device {strange}; claim devices that it has"
                if strange
                else "waits for the allocation of its device claims"
                if has_condition(pod, "PodScheduled")
                else "its device claims are not allocated, and nobody allocates them for a pod that "
                "names its node itself; leave spec.nodeName out"
            )
            raise Unresolved(why, "WaitingForDevices")
        place = claims_core.placement(held, self._agent.devices, self._agent.allocated)
        limits = Limits(place.quota_milli or (None if held else cpu_limit(pod)), memory_limit(pod))
        joins = self._agent.cgroups.create(slot.uid, limits)
        slot.cgroup_made = True
        extra = {**self._agent.gangs.variables(slot), **self._agent.serving.variables(pod)}
        if held:
            extra |= device_variables(place)
            extra["MIZZEN_RANK_FILE"] = str(self._agent.gangs.rank_file(slot).path)
        namespace = namespace_of(pod)
        peers = [
            s.state for s in self._agent.slots.values() if namespace_of(s.state.pod) == namespace
        ]
        return Context(
            self._agent.config.node_name,
            HOST_IP,
            slot.state.ip,
            place,
            extra,
            host_names([(p.pod, p.ip) for p in peers]),
            tuple(joins),
            self._allocatable,
        )

    def spawn(self, slot: Slot, command: Spawn) -> None:
        name, number = command.container, command.number
        with contextlib.suppress(OSError):  # the container may have made it a folder
            slot.files.termination_log(name).unlink()
        slot.files.forget_old_runs(name, number)
        self._agent.gangs.before_spawn(slot)
        self._agent.usage.spawning(slot, self._agent.clock.now_ns())
        self._agent.shim.spawn(
            {
                **slot.requests[name],
                "key": run_key(slot.uid, name, number),
                "log": str(slot.files.log(name, number)),
                "record": str(slot.files.record(name, number)),
            }
        )

    def signal(self, slot: Slot, command: Signal) -> None:
        key = run_key(slot.uid, command.container, command.number)
        if command.signal == SIGKILL:
            self._agent.usage.killing(slot.uid, self._agent.clock.now_ns())
            pid, ticks = self._agent.running.get(key, (0, 0))
            if is_alive(pid, ticks):  # at once, without the way through the shim
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
        self._agent.shim.signal(key, command.signal)

    # -- probes and hooks -----------------------------------------------------------------------

    async def probe(self, slot: Slot, command: RunProbe) -> None:
        run = slot.state.container(command.container)
        if run is None or run.number != command.number or command.kind not in run.probes:
            return
        probe = run.probes[command.kind]
        if probe.spec.get("exec"):
            argv: list[str] = probe.spec["exec"].get("command") or []
            what = f"probe-{command.kind}"
            ok, message = await self._exec(slot, run.name, run.number, what, argv, probe.timeout_s)
        else:
            unix = self._agent.serving.of_probe(slot.state.pod, probe.spec)
            try:
                ok, message = await check(
                    probe.spec, run.spec, slot.state.ip, probe.timeout_s, unix,
                    lambda: self._agent.cgroups.members(slot.uid) or slot.pids,
                )  # fmt: skip
            except OverflowError as error:  # a port that no port can be
                ok, message = False, str(error)
        if slot.uid in self._agent.slots:
            now = self._agent.clock.now_ns()
            self._agent.feed(
                slot, ProbeDone(run.name, command.number, command.kind, ok, message, now)
            )

    async def pre_stop(self, slot: Slot, command: RunPreStop) -> None:
        run = slot.state.container(command.container)
        assert run is not None, command
        argv: list[str] = part(run.spec, "lifecycle", "preStop", "exec").get("command") or []
        left_s = max(run.stop_by - self._agent.clock.now_ns(), 0) / 1e9
        ok, message = await self._exec(slot, run.name, run.number, "prestop", argv, left_s)
        if not ok:
            self._agent.events.event(slot.state.pod, "Warning", "FailedPreStopHook", message)
        if slot.uid in self._agent.slots:
            self._agent.feed(
                slot, PreStopDone(command.container, command.number, self._agent.clock.now_ns())
            )

    async def _exec(
        self, slot: Slot, name: str, number: int, what: str, argv: list[str], timeout_s: float
    ) -> tuple[bool, str]:
        """Runs a command beside a container, under its limits; its output on failure."""
        key = f"{run_key(slot.uid, name, number)}/{what}"
        request = slot.requests.get(name)
        if request is None or not argv:
            return False, "no command"
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._checks[key] = future
        try:
            self._agent.shim.spawn({**request, "key": key, "argv": argv, "capture": CAPTURE_BYTES})
            async with asyncio.timeout(timeout_s):
                message = await future
        except TimeoutError:
            self._agent.shim.signal(key, signal.SIGKILL)
            return False, f"command timed out after {timeout_s:g} s"
        except ValueError as error:  # longer than can be passed on
            return False, str(error)
        finally:
            self._checks.pop(key, None)
        code = message.get("code", 1)
        words = str(message.get("failure") or message.get("output") or message.get("message") or "")
        return code == 0, f"command ended with {code}: {words.strip()}"

    def answer(self, message: Message) -> None:
        """What became of a command run beside a container."""
        future = self._checks.get(message["key"])
        if future is not None and not future.done() and message["event"] != "started":
            future.set_result(message)
