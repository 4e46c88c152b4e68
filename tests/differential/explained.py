"""Differences that stay, each with its reason; as narrow as they can be said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explained:
    """Covers a difference if all four expressions match: `step` and the values are searched,
    `where` is matched whole."""

    reason: str
    step: str = ""
    where: str = ".*"
    ours: str = ""
    theirs: str = ""


# Warnings that upstream has no reason for: they are taken out of ours before the comparison.
ADDED_WARNINGS = (
    r"Mizzen's own nodes|pods use the machine's network as it is",
    # Fields that only agents of ours do not carry out.
)

EXPLAINED: tuple[Explained, ...] = ()
