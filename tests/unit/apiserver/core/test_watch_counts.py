"""Writes know their watches: those of all, of the namespace, of the object."""

from __future__ import annotations

from mizzen.apiserver.core.watch_counts import WatchCounts, Watched


def test_who_hears_of_a_write() -> None:
    counts = WatchCounts()
    assert counts.interested("pods", "a", "x") == 0
    everything, namespace = Watched("pods", "", ""), Watched("pods", "a", "")
    one = Watched("pods", "a", "x")
    for watched in (everything, everything, namespace, one, Watched("nodes", "", "")):
        counts.begin(watched)
    assert counts.interested("pods", "a", "x") == 4
    assert counts.interested("pods", "a", "") == 3 and counts.interested("pods", "b", "x") == 2
    for watched in (everything, everything, one):
        counts.end(watched)
    assert counts.interested("pods", "a", "x") == 1
