"""Which runtime a pod gets, and what it is told where there is none."""

from __future__ import annotations

from pathlib import Path

from mizzen.node.runtimes.process.cgroups import Cgroups
from mizzen.node.runtimes.process.runtime import ProcessRuntime
from mizzen.node.runtimes.registry import Runtimes


def runtimes_in(folder: Path) -> Runtimes:
    processes = ProcessRuntime(folder, Cgroups("best-effort", {}))
    return Runtimes([processes], {"moon": "no rocket is installed"})


def test_a_pod_gets_the_runtime_that_it_names_or_the_default_one(tmp_path: Path) -> None:
    runtimes = runtimes_in(tmp_path)
    for spec in ({}, {"runtimeClassName": "process"}):
        assert runtimes.refusal({"spec": spec}) == ""
        assert runtimes.of({"spec": spec}) is runtimes.default


def test_who_names_another_is_told_why_not_and_which_there_are(tmp_path: Path) -> None:
    runtimes = runtimes_in(tmp_path)
    for handler, why in (("mars", "there is no such runtime"), ("moon", "no rocket is installed")):
        refused = runtimes.refusal({"spec": {"runtimeClassName": handler}})
        assert refused == (
            f'spec.runtimeClassName "{handler}": {why}; this node has "process", or leave it out'
        )
