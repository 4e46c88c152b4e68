"""The stepping thread over a library that the test breaks."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mizzen.engine.backend import Backend, BackendError, Settings
from mizzen.engine.core.requests import Sampling
from mizzen.engine.ledger import ServingLedger
from mizzen.engine.model import LoadError, ModelFile
from mizzen.engine.worker import FAILURES_MAX, Job, Piece, Worker
from mizzen.host.clock import RealClock

DEADLINE_S = 20.0


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Broken:
    """A model whose steps fail while `fails` says so; a good step ends every sequence."""

    fails: bool = False
    handles: list[Handle] = field(default_factory=list[Handle])
    blocks: int = 1
    tokenizer: Any = field(
        default_factory=lambda: SimpleNamespace(
            text_bytes=lambda _: b"a", encode=lambda *_, **__: [1]
        )
    )

    def add(self, *_: object) -> Handle:
        self.handles.append(Handle())
        return self.handles[-1]

    def step(self) -> None:
        if self.fails:
            raise BackendError("the library gives up")

    def read(self, _: Handle) -> tuple[list[int], str]:
        return [1], "length"

    def is_busy(self) -> bool:
        return False

    def cache_usage(self) -> float:
        return 0.0


@dataclass
class At:
    worker: Worker
    model: Broken
    pieces: queue.Queue[Piece]
    loaded: queue.Queue[LoadError | None]

    def ask(self, number: int) -> Piece:
        self.worker.submit(Job(number, [1], Sampling(), 4))
        return self.pieces.get(timeout=DEADLINE_S)


@pytest.fixture
def at() -> Iterator[At]:
    pieces: queue.Queue[Piece] = queue.Queue()
    loaded: queue.Queue[LoadError | None] = queue.Queue()
    broken = Broken()

    def deliver(new: list[Piece], done: Callable[[], None]) -> None:
        for piece in new:
            pieces.put(piece)
        done()

    ledger = ServingLedger(None, RealClock())
    model = ModelFile(Path("/m.gguf"), 64, False, 0)
    backend = Backend("broken", 1, lambda *_: model, lambda *_: broken)
    worker = Worker(backend, model, Settings(4, 1, 1 << 20), ledger, deliver, loaded.put)
    worker.start()
    assert loaded.get(timeout=DEADLINE_S) is None
    broken.handles.clear()  # the warm-up's
    broken.fails = True
    yield At(worker, broken, pieces, loaded)
    worker.close()


def test_a_step_that_fails_ends_the_answers_and_not_the_engine(at: At) -> None:
    for number in range(1, FAILURES_MAX):
        assert at.ask(number).finish_reason == "error"
    at.model.fails = False
    assert at.ask(10).finish_reason == "length"
    assert [handle.cancelled for handle in at.model.handles] == [True, True, False]
    at.model.fails = True  # they are counted anew
    for number in range(11, 10 + FAILURES_MAX):
        assert at.ask(number).finish_reason == "error"
    assert at.loaded.empty()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_whose_steps_all_fail_is_begun_anew(at: At) -> None:
    for number in range(1, 1 + FAILURES_MAX):
        assert at.ask(number).finish_reason == "error"
    error = at.loaded.get(timeout=DEADLINE_S)
    assert error is not None
    assert "thread died" in str(error)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("raised", [IndexError("unordered_map::at"), SystemError("a bug")])
def test_whatever_ends_the_load_is_told(raised: Exception) -> None:
    def load(*_: object) -> Any:
        raise raised

    told: queue.Queue[LoadError | None] = queue.Queue()
    ledger = ServingLedger(None, RealClock())
    model = ModelFile(Path("/m.gguf"), 64, False, 0)
    backend = Backend("broken", 1, lambda *_: model, load)
    worker = Worker(backend, model, Settings(4, 1, 1 << 20), ledger, lambda *_: None, told.put)
    worker.start()
    assert told.get(timeout=DEADLINE_S) is not None
    worker.close()
