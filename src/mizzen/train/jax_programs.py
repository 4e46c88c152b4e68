# pyright: basic
"""Compiled JAX programs, kept in a folder that outlives the process and is shared by ranks.

A program is named by the digest of its lowered text, so a changed script can never run an old
one. Ranks that start together share the work: each begins with another size and leaves
alone what a neighbour holds the lock of.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
from jax.experimental import serialize_executable

_DIGEST_BYTES = 32


class Programs:
    """One function, compiled once for each combination of argument shapes."""

    def __init__(self, function: Callable[..., Any], folder: Path | None) -> None:
        self._jitted = jax.jit(function)
        self._folder = folder
        self._loaded: dict[Any, Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        key = _shapes(arguments)
        program = self._loaded.get(key)
        if program is None:
            program = self._loaded[key] = self._load_or_compile(arguments)
        return program(*arguments)

    def prepare(self, examples: list[tuple[Any, ...]], first: int) -> Programs:
        """Has the program of every example ready, starting with number `first`."""
        distinct = list({_shapes(example): example for example in examples}.items())
        turn = first % len(distinct) if distinct else 0
        waiting = [(key, self._jitted.lower(*example)) for key, example in distinct[turn:] + distinct[:turn]]  # fmt: skip
        for patient in (False, True):
            for key, lowered in list(waiting):
                program = self._obtain(lowered, wait=patient)
                if program is not None:
                    self._loaded[key] = program
                    waiting.remove((key, lowered))
        return self

    def _load_or_compile(self, arguments: tuple[Any, ...]) -> Any:
        return self._obtain(self._jitted.lower(*arguments), wait=True)

    def _obtain(self, lowered: Any, *, wait: bool) -> Any:
        """The program: read, or compiled and written; None when a neighbour compiles it now."""
        if self._folder is None:
            return lowered.compile()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / _digest(lowered)
        if (program := _read(path, lowered)) is not None:
            return program
        with _lock(path.with_suffix(".lock"), wait=wait) as held:
            if not held:
                return None
            if (program := _read(path, lowered)) is None:
                program = lowered.compile()
                _write(path, program)
            return program


def _shapes(tree: Any) -> Any:
    leaves, structure = jax.tree_util.tree_flatten(tree)
    return structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves)


def _digest(lowered: Any) -> str:
    """Names text, versions, flags and the processor: all that the machine code depends on."""
    parts = (
        lowered.as_text(),
        jax.__version__,
        jaxlib.version.__version__,
        os.environ.get("XLA_FLAGS", ""),
        _processor(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return "".join(
        line for line in lines[:40] if line.startswith(("model name", "flags", "Features"))
    )


def _read(path: Path, lowered: Any) -> Any:
    """The program in this file; None when there is none or it is not whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
        return None
    return serialize_executable.deserialize_and_load(
        data[_DIGEST_BYTES:],
        lowered.in_tree,
        lowered.out_tree,
        execution_devices=jax.local_devices()[:1],
    )


def _write(path: Path, program: Any) -> None:
    """Keeps it, whole or not at all; a full disk costs the next start time, nothing else."""
    data, _, _ = serialize_executable.serialize(program)
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        draft.write_bytes(hashlib.sha256(data).digest() + data)
        draft.rename(path)
    except OSError:
        draft.unlink(missing_ok=True)


@contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """True if this process got the lock; its death frees it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
