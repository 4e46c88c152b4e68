"""Which runtime a pod gets, and what it is told where there is none."""

from __future__ import annotations

from pathlib import Path

from mizzen.base.objects import Key
from mizzen.node.runtimes.process.cgroups import Cgroups
from mizzen.node.runtimes.process.runtime import ProcessRuntime
from mizzen.node.runtimes.registry import Runtimes


def runtimes_in(folder: Path) -> Runtimes:
    processes = ProcessRuntime(folder, Cgroups("best-effort", {}))
    runtimes = Runtimes([processes], {"rocket": "no rocket is installed"})
    handlers = {"plain": "process", "mars": "saucer", "moon": "rocket"}
    runtimes.classes = {Key("", name): {"handler": handler} for name, handler in handlers.items()}
    return runtimes


def test_a_pod_gets_the_runtime_of_its_class_or_the_default_one(tmp_path: Path) -> None:
    runtimes = runtimes_in(tmp_path)
    for spec in ({}, {"runtimeClassName": "plain"}):
        assert runtimes.refusal({"spec": spec}) == ""
        assert runtimes.of({"spec": spec, "metadata": {"uid": "u"}}) is runtimes.default


def test_who_names_another_is_told_why_not_and_which_there_are(tmp_path: Path) -> None:
    runtimes = runtimes_in(tmp_path)
    for name, why in (
        ("mars", 'handler "saucer": there is no such runtime; this node has "process"'),
        ("moon", 'handler "rocket": no rocket is installed; this node has "process"'),
        ("process", "there is no such RuntimeClass; create it"),
    ):
        refused = runtimes.refusal({"spec": {"runtimeClassName": name}})
        assert refused == f'spec.runtimeClassName "{name}": {why}, or leave it out'
