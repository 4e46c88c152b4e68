"""The stepping thread: loads the model, then steps the batch while it has requests.

It blocks without a timeout-driven loop: an idle engine wakes once a second to close a ledger
interval and does nothing else.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mizzen.engine.backend import Backend, BackendError, Handle, LoadedModel, Settings
from mizzen.engine.core.generation import Generation
from mizzen.engine.core.requests import Sampling
from mizzen.engine.ledger import ServingLedger
from mizzen.engine.model import EngineMissing, LoadError, ModelError, ModelFile

HAND_OVER_S = 0.05  # longest wait for the event loop between two steps
LEDGER_S = 1.0  # longest interval before it is recorded
SEED_MAX = 2**63 - 1
FAILURES_MAX = 3  # steps that fail one after another: the process is to be begun anew


@dataclass(frozen=True, slots=True)
class Piece:
    """New text of one job. `finish_reason` stop, length, cancelled or error ends it."""

    job: int
    text: str
    tokens: int
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """One request for the batch; `number` is never used twice."""

    number: int
    tokens: Sequence[int]
    sampling: Sampling
    max_tokens: int


@dataclass(slots=True)
class _Live:
    handle: Handle
    generation: Generation


class Worker:
    """Runs the model in its own thread.

    `deliver(pieces, done)` is called in that thread after each step that produced something; it
    must pass the pieces to the event loop and see that `done()` is called once the loop has
    dealt with them. Until then (or HAND_OVER_S) the thread waits: a step holds the GIL, so
    whoever wants to answer a client needs this pause.
    """

    def __init__(
        self,
        backend: Backend,
        model: ModelFile,
        settings: Settings,
        ledger: ServingLedger,
        deliver: Callable[[list[Piece], Callable[[], None]], None],
        on_loaded: Callable[[LoadError | None], None],
    ) -> None:
        self.backend = backend
        self._model = model
        self._settings = settings
        self._ledger = ledger
        self._deliver = deliver
        self._on_loaded = on_loaded
        self._wake = threading.Condition()
        self._inbox: list[Job] = []
        self._cancelled: set[int] = set()
        self._closing = False
        self._waiting: deque[Job] = deque()
        self._live: dict[int, _Live] = {}
        self._handed = threading.Event()
        self._steps = 0
        self._failures = 0  # since the last step that was completed
        self._cache_usage = 0.0
        self._random = random.Random()
        self._thread = threading.Thread(target=self._main, name="steps", daemon=True)
        self.loaded: LoadedModel | None = None

    # -- called by the event loop ----------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        with self._wake:
            self._inbox.append(job)
            self._wake.notify()

    def cancel(self, number: int) -> None:
        """Frees the job's slot before the next step; harmless when it is already over."""
        with self._wake:
            self._cancelled.add(number)
            self._wake.notify()

    def close(self) -> None:
        """Ends the thread after the current step; what still runs is dropped."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    @property
    def running(self) -> int:
        return len(self._live)

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._inbox)

    @property
    def steps(self) -> int:
        """The number of completed steps."""
        return self._steps

    @property
    def cache_usage(self) -> float:
        return self._cache_usage if self._live else 0.0

    def statistics(self) -> Mapping[str, int]:
        return {"running": self.running, "waiting": self.waiting, "steps": self._steps}

    # -- the thread ---------------------------------------------------------------------

    def _main(self) -> None:
        # Of a bug the traceback goes to stderr, and the process must not live on as a server that
        # accepts requests and never answers them.
        end: LoadError | None = ModelError(self._model.path, "its stepping thread died")
        try:
            self.loaded = loaded = self._load()
            self._ledger.loaded()
            self._on_loaded(None)
            self._serve(loaded)
            end = None
        except LoadError as error:
            end = error
        finally:
            if end is not None and not self._closing:
                self._on_loaded(end)

    def _serve(self, loaded: LoadedModel) -> None:
        while self._take():
            self._drop_cancelled()
            self._admit(loaded)
            self._ledger.mark(bool(self._live))
            if self._live:
                self._step(loaded)
        self._live.clear()
        self._ledger.mark(False)
        self._ledger.close()

    def _load(self) -> LoadedModel:
        """Loads and generates one token, so that the first request meets compiled kernels."""
        try:
            loaded = self.backend.load(self._model, self._settings)
        except ImportError as error:
            raise EngineMissing(error) from error
        try:
            prompt = loaded.tokenizer.encode("a", special=False)
            handle = loaded.add(0, prompt, Sampling(temperature=0.0), 1, 0)
            while loaded.is_busy():
                loaded.step()
            loaded.read(handle)
        except BackendError as error:
            raise ModelError(self._model.path, f"its first token failed: {error}") from error
        return loaded

    def _take(self) -> bool:
        """Waits for something to do and takes in what arrived; False when it is time to end."""
        with self._wake:
            while not (self._inbox or self._live or self._waiting or self._closing):
                self._cancelled.clear()
                self._ledger.mark(False)
                self._wake.wait(LEDGER_S)
            self._waiting.extend(self._inbox)
            self._inbox.clear()
            return not self._closing

    def _drop_cancelled(self) -> None:
        with self._wake:
            numbers, self._cancelled = self._cancelled, set()
        if not numbers:
            return
        self._waiting = deque(job for job in self._waiting if job.number not in numbers)
        for number in numbers:
            live = self._live.pop(number, None)
            if live:
                live.handle.cancel()
        if not self._live and self.loaded and self.loaded.is_busy():
            self.loaded.step()  # the library frees dropped sequences in its next step

    def _admit(self, loaded: LoadedModel) -> None:
        refused: list[Piece] = []
        while self._waiting and len(self._live) < self._settings.batch_max:
            job = self._waiting.popleft()
            seed = job.sampling.seed
            seed = self._random.randrange(SEED_MAX) if seed is None else seed % SEED_MAX
            try:
                handle = loaded.add(job.number, job.tokens, job.sampling, job.max_tokens, seed)
            except BackendError:
                refused.append(Piece(job.number, "", 0, "error"))
                continue
            self._live[job.number] = _Live(handle, Generation(job.sampling))
        if refused:
            self._hand_over(refused)

    def _step(self, loaded: LoadedModel) -> None:
        try:
            loaded.step()
        except BackendError:
            # The library's state is unknown after this; end every answer rather than hang it.
            self._hand_over([Piece(number, "", 0, "error") for number in self._live])
            for live in self._live.values():
                live.handle.cancel()
            self._live.clear()
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                raise
            return
        self._steps += 1
        self._failures = 0
        pieces = [
            piece
            for number, live in list(self._live.items())
            if (piece := self._advance(loaded, number, live)) is not None
        ]
        self._cache_usage = loaded.cache_usage()
        if pieces:
            self._hand_over(pieces)

    def _advance(self, loaded: LoadedModel, number: int, live: _Live) -> Piece | None:
        ids, reason = loaded.read(live.handle)
        if not ids and not reason:
            return None
        text = live.generation.feed(loaded.tokenizer.text_bytes(ids), len(ids), reason)
        if live.generation.finish_reason:
            del self._live[number]
            if not reason:
                live.handle.cancel()
        return Piece(number, text, len(ids), live.generation.finish_reason)

    def _hand_over(self, pieces: list[Piece]) -> None:
        self._handed.clear()
        self._deliver(pieces, self._handed.set)
        self._handed.wait(HAND_OVER_S)
