"""The job as this process takes part in it: from one formation to the next."""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Any

from mizzen.base import rendezvous, segment
from mizzen.base.segment import Line, RankState
from mizzen.train import adapters
from mizzen.train import state as form
from mizzen.train.activity import Activity
from mizzen.train.environment import Environment, read
from mizzen.train.errors import TrainError
from mizzen.train.files import open_gang, open_rank
from mizzen.train.framework import Formation, Framework
from mizzen.train.staging import Stage
from mizzen.train.world import World

_POLL_S = 0.002  # between looks at the gang page while waiting to join
_HEARTBEAT_NS = 1_000_000_000


def init(*, steps: int, seed: int = 0, framework: str | None = None, stage_every: int = 1) -> Job:
    """Takes this process's place in its job; alone, without Mizzen's environment, a world of one.

    `steps` is the length of the whole training. `seed` fixes the order of the data. `framework`
    is "jax" or None (numpy, one process). `stage_every` steps the state is staged in shared memory;
    at the last step of a formation always. Call it once, before the framework computes anything.
    Errors: TrainError for an environment, segment file or argument that cannot be used.
    """
    if steps < 1 or stage_every < 1 or seed < 0:
        raise TrainError(
            f"init(steps={steps}, stage_every={stage_every}, seed={seed}):"
            " steps and stage_every must be at least 1, seed at least 0"
        )
    sys.excepthook = _say
    environment = read(os.environ)
    if not environment.alone:
        sys.excepthook = _say_and_leave
    return Job(environment, steps, seed, stage_every, adapters.load(framework, environment))


class Job:
    """One process of the training. Use `worlds`; the rest is what worlds need of it."""

    def __init__(
        self,
        environment: Environment,
        steps: int,
        seed: int,
        stage_every: int,
        framework: Framework,
    ) -> None:
        self.environment = environment
        self.steps, self.seed, self.stage_every = steps, seed, stage_every
        self.framework = framework
        self.gang = open_gang(environment.segments / "gang")
        self.words = open_rank(environment.rank_file, write=True)
        self.stage = Stage(self.words)
        self.activity = Activity(self.words)
        self._template: tuple[Any, form.Layout] | None = None
        self._generation = 0
        self._pause = Line.STARTING
        self._not_durable = 0  # errno of the last durable copy that failed, as it was told
        self.words.set(segment.RANK_OFFSET_STEPS_TOTAL, steps)
        self._enter(RankState.STARTING)
        atexit.register(self.activity.end, Line.FINISHING)

    @property
    def output(self) -> Path:
        """The folder for what the training makes, such as an exported model."""
        self.environment.output.mkdir(parents=True, exist_ok=True)
        return self.environment.output

    def compile(
        self, function: Callable[..., Any], examples: Callable[[int], tuple[Any, ...]]
    ) -> Callable[..., Any]:
        """`function` compiled beforehand for every size the world may take, so that changes are quick.

        `examples(size)` gives arguments (or anything with their shapes and dtypes) as one rank of
        a world of `size` will pass them. Programs are kept beside the job's checkpoints, so a
        worker that starts later only loads them.
        """
        sizes = range(1, self.environment.size_max + 1)
        return self.framework.compile(function, [examples(size) for size in sizes])

    def worlds(self) -> Iterator[World]:
        """Each formation this rank is part of; ends when the job is done or this rank has left."""
        self._enter(RankState.AWAITING)
        while (formation := self._next_formation()) is not None:
            self.framework.connect(formation)
            self._generation = formation.generation
            self.words.set(segment.RANK_OFFSET_OWN_STEPS, 0)
            self.words.set(segment.RANK_OFFSET_GENERATION, formation.generation)
            self._enter(RankState.JOINED)
            world = World(self, formation)
            yield world
            if not world.leaving:
                raise TrainError(
                    f"the loop over world.data ended by itself after step {world.done - 1};"
                    " let it run until it ends, or leave both loops to give up the training"
                )
            self.framework.disconnect()
            if world.done >= self.steps:
                self._enter(RankState.FINISHED)
                return
            self._pause = Line.REFORMING
        self.activity.end(self._pause)
        self._enter(RankState.LEFT)

    def begin(self, init_state: Callable[[], Any]) -> tuple[Any, form.Layout]:
        """A fresh state and its layout."""
        state = init_state()
        leaves = self.framework.flatten(state)
        layout = form.Layout.of(leaves)
        self._template = (self.framework.unflatten(state, {name: name for name in leaves}), layout)
        return state, layout

    def template(self, init_state: Callable[[], Any]) -> tuple[Any, form.Layout]:
        """The state's structure (paths in place of arrays) and layout, found out once."""
        if self._template is None:
            self.begin(init_state)
        assert self._template is not None
        return self._template

    def end_of_pause(self) -> None:
        """Steps begin: what came before was starting, or re-forming."""
        self.activity.end(self._pause)

    def change_wanted(self, generation: int) -> bool:
        """True if the agent wants another formation than this one, or a stop."""
        control = segment.unpack_control(self.gang.get(segment.GANG_OFFSET_CONTROL))
        return control.generation > generation or bool(control.flags & segment.FLAG_STOP)

    def say_durability(self) -> None:
        """In the log, once for each change: that staged state cannot be made durable, and why."""
        code = self.words.get(segment.RANK_OFFSET_NOT_DURABLE)
        if code == self._not_durable:
            return
        self._not_durable = code
        text = "staged state is made durable again"
        if code:
            text = (
                f"staged state is not made durable in {self.environment.checkpoints}:"
                f" {os.strerror(code)}; it is lost with this machine's memory"
            )
        print(f"mizzen.train: {text}", file=sys.stderr, flush=True)

    def _next_formation(self) -> Formation | None:
        """Waits for the formation to join; None when this rank is to leave."""
        least = max(self.words.get(segment.RANK_OFFSET_AWAITS), self._generation + 1)
        beat = 0
        while True:
            formed = self._formed(least)
            if formed is not None and formed.generation >= least:
                if formed.size > self.environment.rank:
                    return self._formation(formed)
                if self._generation or formed.flags & segment.FLAG_STOP:
                    return None
            if (now := time.time_ns()) - beat > _HEARTBEAT_NS:
                self.words.set(segment.RANK_OFFSET_HEARTBEAT, beat := now)
            time.sleep(_POLL_S)

    def _formed(self, least: int) -> segment.Control | None:
        """The formation that assembles: rank 0 decides it from the control word, others follow."""
        control = segment.unpack_control(self.gang.get(segment.GANG_OFFSET_CONTROL))
        stop = bool(control.flags & segment.FLAG_STOP)
        if self.environment.rank == 0:
            if stop:
                control = segment.Control(max(control.generation, least), 0, segment.FLAG_STOP)
            elif control.generation < least:
                return None
            self.gang.set(segment.GANG_OFFSET_FORMED, segment.pack_control(control))
            return control
        if stop and not self._generation:
            return segment.Control(least, 0, segment.FLAG_STOP)
        # A stop in it may be of workers that are gone: only the control word stops those who wait.
        formed = segment.unpack_control(self.gang.get(segment.GANG_OFFSET_FORMED))
        return segment.Control(formed.generation, formed.size)

    def _formation(self, formed: segment.Control) -> Formation:
        address = self.gang.get(segment.GANG_OFFSET_COORDINATOR_IP)
        port = self.gang.get(segment.GANG_OFFSET_COORDINATOR_PORT) or rendezvous.PORT
        return Formation(
            generation=formed.generation,
            size=formed.size,
            rank=self.environment.rank,
            coordinator_ip=str(IPv4Address(address)) if address else self.environment.pod_ip,
            coordinator_port=port + formed.generation % segment.PORT_SPREAD,
        )

    def _enter(self, state: int) -> None:
        self.words.set(segment.RANK_OFFSET_HEARTBEAT, time.time_ns())
        self.words.set(segment.RANK_OFFSET_STATE, state)


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A refusal is for the user to read: its message alone, not the library's stack."""
    if issubclass(kind, TrainError):
        print(f"mizzen.train: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _say_and_leave(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Prints the error and ends the process with code 1, without waiting for other ranks.

    An ordinary end of the interpreter would meet, in the communicator's destructor, a barrier with
    ranks that hang or are gone: many seconds, then an abort whose text hides the first error.
    """
    _say(kind, error, trace)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
