"""Carries out what the pod machine asks of processes: prepare, spawn, signal, probe, hooks."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Mapping, Sequence

from mizzen.base.errors import ApiError
from mizzen.base.objects import Obj, has_condition, namespace_of
from mizzen.base.reading import part
from mizzen.base.resources import NODES
from mizzen.client.client import Client
from mizzen.node.boundary import describe
from mizzen.node.checks import call, check
from mizzen.node.config import HOST_IP
from mizzen.node.context import AgentContext
from mizzen.node.core import admission
from mizzen.node.core import devices as claims_core
from mizzen.node.core.environment import Sources, Unresolved
from mizzen.node.core.events import (
    PostStartDone,
    Prepared,
    PreStopDone,
    ProbeDone,
    RunPostStart,
    RunPreStop,
    RunProbe,
    Signal,
    Spawn,
)  # fmt: skip
from mizzen.node.core.pod import SIGKILL, Container, is_finished
from mizzen.node.core.pod_events import warning
from mizzen.node.core.projection import token_wishes
from mizzen.node.core.resources import cpu_limit, memory_limit
from mizzen.node.resolve import PodContext, containers, device_variables, host_names, read_sources
from mizzen.node.runtimes.interface import Bundle, Resources, run_key
from mizzen.node.services import Services
from mizzen.node.serving import ServingSockets
from mizzen.node.slot import Slot
from mizzen.node.tokens import PodTokens
from mizzen.node.training.gangs import Gangs
from mizzen.node.usage import UsageRecorder


class Executor:
    """The agent's hands; answers go back to the machine through `AgentContext.feed`."""

    def __init__(
        self,
        context: AgentContext,
        gangs: Gangs,
        usage: UsageRecorder,
        serving: ServingSockets,
        client: Client,
        allocatable: Mapping[str, str],
        services: Services,
        tokens: PodTokens,
    ) -> None:
        self._context = context
        self._gangs = gangs
        self._usage = usage
        self._serving = serving
        self._client = client
        self._allocatable = allocatable
        self._services = services
        self._tokens = tokens

    async def prepare(self, slot: Slot) -> None:
        pod, reason, message = slot.state.pod, "", ""
        try:
            if (refused := await self._refusal(slot)) is not None:
                self._prepared(slot, *refused, fatal=True)
                return
            if slot.uid not in self._context.slots:
                return  # it went meanwhile: nothing is made for it any more
            slot.make_folder()
            if not (slot.has_sandbox or slot.state.has_live):  # else it stays where it is
                if refused := self._context.runtimes.refusal(pod):
                    raise Unresolved(refused, "FailedCreatePodSandBox")
                slot.runtime = self._context.runtimes.of(pod)
            context = self._pod_context(slot)
            sources = await read_sources(self._client, pod, context, self._tokens)
            slot.bundles = await asyncio.to_thread(_bundles, slot, context, sources)
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
        """Why the pod cannot run here, evaluated once. Errors: ApiError."""
        if slot.is_admitted:
            return None
        node = await self._client.get(NODES, self._context.config.node_name)
        others = [
            s.state.pod
            for s in self._context.slots.values()
            if s.is_admitted and s is not slot and not (s.state.vanished or is_finished(s.state))
        ]
        refused = admission.refusal(slot.state.pod, node, others)
        slot.is_admitted = refused is None
        return refused

    def _prepared(self, slot: Slot, reason: str, message: str, fatal: bool = False) -> None:
        if slot.uid in self._context.slots:
            now = self._context.clock.now_ns()
            self._context.feed(slot, Prepared(now, reason, message, fatal))

    def _pod_context(self, slot: Slot) -> PodContext:
        """The context in which the pod runs. Errors: Unresolved while claims are not allocated."""
        pod = slot.state.pod
        wanted = claims_core.claim_names(pod)
        held = claims_core.held_by(pod, self._context.allocated)
        if wanted is None or (wanted and not held):
            strange = claims_core.without_driver(
                pod, self._context.claims.values(), self._context.devices
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
        slot.runtime.create(slot.uid, self.resources(pod, held))
        slot.has_sandbox = True
        extra = {**self._gangs.variables(slot), **self._serving.variables(pod)}
        if held:
            extra |= device_variables(held)
            extra["MIZZEN_RANK_FILE"] = str(self._gangs.rank_file(slot).path)
        namespace = namespace_of(pod)
        peers = [
            s.state for s in self._context.slots.values() if namespace_of(s.state.pod) == namespace
        ]
        return PodContext(
            self._context.config.node_name,
            HOST_IP,
            slot.state.ip,
            extra,
            host_names([(p.pod, p.ip) for p in peers]),
            self._allocatable,
            # A training's rendezvous is set for it. Libraries that find KUBERNETES_SERVICE_HOST
            # would rather ask the API server, for which a training has no token unless it says so.
            {}
            if slot.state.is_member and not token_wishes(pod["spec"])
            else self._services.variables(pod),
        )

    def resources(self, pod: Obj, held: Sequence[claims_core.Device]) -> Resources:
        """The pod's limits and cores with these devices, which are allocated to it now."""
        place = claims_core.placement(held, self._context.devices, self._context.allocated)
        milli = place.quota_milli or (None if held else cpu_limit(pod))
        return Resources(milli, memory_limit(pod), cpus=place.cpus)

    def spawn(self, slot: Slot, command: Spawn) -> None:
        name, number = command.container, command.number
        with contextlib.suppress(OSError):  # the container may have made it a folder
            slot.files.termination_log(name).unlink()
        slot.files.forget_old_runs(name, number)
        self._gangs.before_spawn(slot)
        self._usage.on_spawn(slot, self._context.clock.now_ns())
        slot.runtime.start(
            run_key(slot.uid, name, number),
            slot.bundles[name],
            slot.files.log(name, number),
            slot.files.record(name, number),
        )

    def signal(self, slot: Slot, command: Signal) -> None:
        if command.signal == SIGKILL:
            self._usage.on_kill(slot.uid, self._context.clock.now_ns())
        slot.runtime.signal(run_key(slot.uid, command.container, command.number), command.signal)

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
            unix = self._serving.of_probe(slot.state.pod, probe.spec)
            try:
                ok, message = await check(
                    probe.spec, run.spec, slot.state.ip, probe.timeout_s, unix,
                    lambda: slot.runtime.pids(slot.uid),
                )  # fmt: skip
            except OverflowError as error:  # a port that no port can be
                ok, message = False, str(error)
        if slot.uid in self._context.slots:
            now = self._context.clock.now_ns()
            self._context.feed(
                slot, ProbeDone(run.name, command.number, command.kind, ok, message, now)
            )

    async def post_start(self, slot: Slot, command: RunPostStart) -> None:
        run = slot.state.container(command.container)
        assert run is not None, command
        ok, message = await self._hook(
            slot, run, "postStart", math.inf
        )  # its container's end is it
        if slot.uid in self._context.slots:
            now = self._context.clock.now_ns()
            self._context.feed(slot, PostStartDone(run.name, command.number, ok, message, now))

    async def pre_stop(self, slot: Slot, command: RunPreStop) -> None:
        run = slot.state.container(command.container)
        assert run is not None, command
        left_s = max(run.stop_by - self._context.clock.now_ns(), 0) / 1e9
        ok, _ = await self._hook(slot, run, "preStop", left_s)
        if not ok:
            told = warning(run.spec, run.init, "FailedPreStopHook", "PreStopHook failed")
            self._context.events.event(
                slot.state.pod, "Warning", told.reason, told.message, told.field_path
            )
        if slot.uid in self._context.slots:
            self._context.feed(
                slot, PreStopDone(command.container, command.number, self._context.clock.now_ns())
            )

    async def _hook(
        self, slot: Slot, run: Container, moment: str, timeout_s: float
    ) -> tuple[bool, str]:
        """Carries out a hook of the container's life; why it failed."""
        hook: Obj = part(run.spec, "lifecycle", moment)
        if hook.get("sleep"):
            await asyncio.sleep(min(int(hook["sleep"]["seconds"]), timeout_s))
            return True, ""
        if hook.get("httpGet"):
            return await call(
                hook["httpGet"], run.spec, slot.state.ip, timeout_s,
                lambda: slot.runtime.pids(slot.uid),
            )  # fmt: skip
        argv: list[str] = part(hook, "exec").get("command") or []
        return await self._exec(slot, run.name, run.number, moment.lower(), argv, timeout_s)

    async def _exec(
        self, slot: Slot, name: str, number: int, what: str, argv: list[str], timeout_s: float
    ) -> tuple[bool, str]:
        """Runs a command beside a container, under its limits; its output on failure."""
        bundle = slot.bundles.get(name)
        if bundle is None or not argv:
            return False, "no command"
        key = run_key(slot.uid, name, number)
        try:
            ended = await slot.runtime.exec(key, what, bundle, argv, timeout_s)
        except TimeoutError:
            return False, f"command timed out after {timeout_s:g} s"
        except ValueError as error:  # longer than can be passed on
            return False, str(error)
        return ended.code == 0, f"command ended with {ended.code}: {ended.output.strip()}"


def _bundles(slot: Slot, context: PodContext, sources: Sources) -> dict[str, Bundle]:
    """The runtime's bundle of each container; for a thread. Errors: Unresolved, OSError."""
    specs = containers(slot.state.pod, context, sources, slot.files)
    return {spec.name: slot.runtime.bundle(spec) for spec in specs}
