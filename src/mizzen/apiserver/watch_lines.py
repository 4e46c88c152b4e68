"""The part of a watch that is made once for all watchers of a class."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Lines:
    """What a class of watchers shares: the batch that was encoded last.

    Batches of one class with the same first and last revision and length are the same, even where
    some watch a namespace and others all: each is a part of what was written in between.
    """

    watchers: int = 0
    extent: tuple[int, int, int] = (0, 0, 0)
    chunk: tuple[bytes, int] = (b"", 0)
