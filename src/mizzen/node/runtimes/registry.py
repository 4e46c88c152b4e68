"""The runtimes of this machine, and which of them a pod asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from mizzen.base.clock import Clock
from mizzen.base.objects import Key, Obj, uid_of
from mizzen.base.reading import text
from mizzen.base.registry import collect
from mizzen.node.runtimes.interface import RunEvent, Runtime, split_key

DEFAULT_HANDLER = "process"


def found() -> list[type[Runtime]]:
    """Every runtime there is, in the order of their modules' names."""
    return [runtime for _, runtime in collect("mizzen.node.runtimes", "RUNTIME")]


def end_pods(state_dir: Path, clock: Clock) -> str:
    """Ends what an agent has left running, by whatever runtime; what was done, "" for nothing."""
    return "; ".join(filter(None, (r.end_all(state_dir, clock) for r in found())))


class Runtimes:
    """The runtimes that work here; lists come from each, runs are looked up in all."""

    def __init__(
        self, runtimes: Iterable[Runtime], lacking: Mapping[str, str] | None = None
    ) -> None:
        """`lacking`: by handler why one that there is does not work here."""
        self._by_handler = {runtime.handler: runtime for runtime in runtimes}
        self._lacking = lacking or {}
        self.classes: Mapping[Key, Obj] = {}  # RuntimeClasses, as the agent watches them

    @classmethod
    def of_this_machine(cls, state_dir: Path) -> Runtimes:
        probed = [(runtime, runtime.probe()) for runtime in found()]
        works = [runtime(state_dir) for runtime, lack in probed if not lack]
        return cls(works, {runtime.handler: lack for runtime, lack in probed if lack})

    def __iter__(self) -> Iterator[Runtime]:
        return iter(self._by_handler.values())

    @property
    def default(self) -> Runtime:
        return self._by_handler[DEFAULT_HANDLER]

    @property
    def running(self) -> Mapping[str, str]:
        """Id by key of what runs now, by whatever runtime."""
        return {key: id for runtime in self for key, id in runtime.running.items()}

    def of(self, pod: Obj) -> Runtime:
        """The runtime that holds the pod's runs, else that of its class; the default one for a
        pod that `refusal` refuses."""
        if not _class_of(pod):
            return self.default
        uid = uid_of(pod)
        for runtime in self:  # whatever has become of the class since
            if any(split_key(key)[0] == uid for key in runtime.running):
                return runtime
        return self._by_handler.get(self._handler_of(pod), self.default)

    def refusal(self, pod: Obj) -> str:
        """Why no runtime here runs the pod, "" if one does."""
        handler = self._handler_of(pod)
        if handler in self._by_handler:
            return ""
        subject = f'spec.runtimeClassName "{_class_of(pod)}"'
        if not handler:
            return f"{subject}: there is no such RuntimeClass; create it, or leave it out"
        lack = self._lacking.get(handler, "there is no such runtime")
        have = ", ".join(f'"{each}"' for each in sorted(self._by_handler))
        return f'{subject}: handler "{handler}": {lack}; this node has {have}, or leave it out'

    def _handler_of(self, pod: Obj) -> str:
        """The handler that the pod's class names, "" where there is no such class."""
        chosen = _class_of(pod)
        found = self.classes.get(Key("", chosen)) if chosen else {"handler": DEFAULT_HANDLER}
        return text(found or {}, "handler")

    def signal(self, key: str, number: int) -> None:
        for runtime in self:  # those that have no such run signal none
            runtime.signal(key, number)

    def remove(self, uid: str) -> None:
        """Removes this name from every runtime: the pod, and with it the choice, may be gone."""
        for runtime in self:
            runtime.remove(uid)

    async def connect(self, on_event: Callable[[RunEvent], None]) -> None:
        for runtime in self:
            await runtime.connect(on_event)

    async def watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for runtime in self:
                group.create_task(runtime.watch())

    async def shutdown(self) -> None:
        for runtime in self:
            await runtime.shutdown()

    async def close(self) -> None:
        for runtime in self:
            await runtime.close()


def _class_of(pod: Obj) -> str:
    return text(pod, "spec", "runtimeClassName")
