"""Versions that differ in names alone."""

from __future__ import annotations

from mizzen.base.resources import EVENTS
from mizzen.kinds.conversion import renaming


def test_what_is_renamed_comes_back_and_the_rest_stays() -> None:
    conversion = renaming(EVENTS, {"note": "message"})
    mine = {"kind": "Event", "note": "n", "reason": "R"}
    stored = conversion.to_stored(mine)
    assert stored == {"kind": "Event", "message": "n", "reason": "R"}
    assert conversion.from_stored(stored) == mine
    assert mine["note"] == "n", "what it gets stays as it is"
