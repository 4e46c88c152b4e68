"""The interface of libraries that compute models in this process, found by name in `backends`.

The stepping thread alone loads a model and calls its methods; its tokenizer encodes in another
thread at the same time, for one text after the other. Calls may hold the GIL: between two steps the
thread gives way. All of them raise BackendError for what the library cannot do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mizzen.base.registry import by_name
from mizzen.engine.core.requests import Message, Sampling
from mizzen.engine.model import LoadError, ModelFile

BACKEND_DEFAULT = "openvino-genai"


class BackendError(Exception):
    """The library failed, or refuses a text; the message is for the client."""


class Tokenizer(Protocol):
    """Texts to token ids and back: all of a text or an error, nothing is cut silently."""

    @property
    def vocabulary_size(self) -> int: ...

    def encode(self, text: str, *, special: bool) -> list[int]:
        """All token ids of a text, with those that begin a prompt if `special`. Errors: TooLong."""
        ...

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """The prompt for a conversation; control tokens in messages are text. Errors: TooLong."""
        ...

    def text_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes that these tokens stand for; control tokens stand for none."""
        ...


class Handle(Protocol):
    """A sequence in the batch."""

    def cancel(self) -> None:
        """Leaves the batch with the next step."""
        ...


class LoadedModel(Protocol):
    """One model and its batch, which sequences join and leave at any step."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def blocks(self) -> int:
        """Blocks of the KV cache."""
        ...

    def add(
        self, number: int, tokens: Sequence[int], sampling: Sampling, max_tokens: int, seed: int
    ) -> Handle:
        """Puts a sequence into the batch; it takes part from the next step on."""
        ...

    def step(self) -> None:
        """One step for all sequences of the batch: a part of a prompt, or a token."""
        ...

    def is_busy(self) -> bool: ...

    def read(self, handle: Handle) -> tuple[list[int], str]:
        """New token ids and the finish reason: stop, length, error, "" while it goes on."""
        ...

    def cache_usage(self) -> float:
        """Share of the KV cache's blocks in use, 0 to 1, as of the last step."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    batch_max: int
    threads: int
    kv_cache_bytes: int
    properties: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Backend:
    """A library. Its module imports it in `load` alone: that takes long.

    `find_model(path, context_length)` reads what is known without it. Errors: ModelError; of `load`
    ImportError, too, where the library is not installed. `block_tokens` is the KV cache's block.
    """

    name: str
    block_tokens: int
    find_model: Callable[[Path, int | None], ModelFile]
    load: Callable[[ModelFile, Settings], LoadedModel]


class UnknownBackend(LoadError):
    """There is no library of that name."""


def find_backends() -> Mapping[str, Backend]:
    """Every module of `backends` with a `BACKEND`, by its name."""
    return by_name("mizzen.engine.backends", "BACKEND")


def find_backend(name: str) -> Backend:
    """Errors: UnknownBackend."""
    known = find_backends()
    if name not in known:
        raise UnknownBackend(f'there is no backend "{name}"; there are {", ".join(known)}')
    return known[name]
