"""Mizzen's minor versions: the binary's, the one it emulates, the oldest that may open its store.

The words are those of Kubernetes' compatibility versions (KEP-4330). A minor version is text such
as "0.2"; patch versions of one share a store.
"""

from __future__ import annotations

from dataclasses import dataclass

from mizzen import __version__

BINARY = ".".join(__version__.split(".")[:2])
# The store's format that each minor version writes, oldest first; it opens all below, too. A format
# says what may be in a store, its bytes as well as its kinds: who does not know it refuses it whole.
STORE_FORMATS = {"0.1": 2, "0.2": 3}


class NotEmulated(ValueError):
    """A version that this binary cannot emulate; the message says which it can."""


@dataclass(frozen=True, slots=True)
class EffectiveVersion:
    """What this binary behaves as. `emulation` is its own version or the minor version before."""

    emulation: str = BINARY

    @property
    def is_emulated(self) -> bool:
        return self.emulation != BINARY

    @property
    def store_format(self) -> int:
        return STORE_FORMATS[self.emulation]

    @property
    def min_compatibility(self) -> str:
        """The oldest minor version that may open the store that is written."""
        return next(v for v, known in STORE_FORMATS.items() if known >= self.store_format)


def allowed() -> list[str]:
    """The versions that can be emulated: the one before, and the binary's own."""
    known = list(STORE_FORMATS)
    return known[max(0, known.index(BINARY) - 1) : known.index(BINARY) + 1]


def effective(emulate: str) -> EffectiveVersion:
    """ "" stands for the binary's own version. Errors: NotEmulated."""
    if emulate and emulate not in allowed():
        raise NotEmulated(
            f"version {emulate!r} cannot be emulated by mizzen {__version__}: choose "
            + " or ".join(allowed())
        )
    return EffectiveVersion(emulate or BINARY)
