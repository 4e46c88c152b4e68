"""Containers as runtimes take them: volumes are filled, variables say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.base.objects import Obj
from mizzen.node.core.environment import Sources, Unresolved
from mizzen.node.podfiles import PodFiles
from mizzen.node.resolve import PodContext, containers, host_names


def pod_with(*volumes: Obj) -> Obj:
    env = [{"name": "PLACE", "value": "$(MIZZEN_VOLUME_V)/x"}]
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "spec": {
            "initContainers": [{"name": "first"}],
            "containers": [{"name": "main", "env": env}],
            "volumes": list(volumes),
        },
    }


CONTEXT = PodContext("node", "127.0.0.1", "127.9.0.2", {"MIZZEN_RANK": "3"}, {}, {}, {})


def test_volumes_are_filled_and_may_be_referred_to(tmp_path: Path) -> None:
    sources = Sources(secrets={"s": {"kind": "Secret", "data": {"k": "aGk="}}})
    pod = pod_with({"name": "v", "secret": {"secretName": "s"}})
    first, main = containers(pod, CONTEXT, sources, PodFiles(tmp_path, "u"))
    assert (first.name, main.name) == ("first", "main")
    folder = Path(main.volumes["v"])
    assert (folder / "k").read_text() == "hi"
    assert main.variables["PLACE"] == f"{folder}/x"
    assert main.variables["MIZZEN_RANK"] == "3" and main.identity["POD_IP"] == "127.9.0.2"


def test_a_path_that_leads_out_of_its_volume_is_refused(tmp_path: Path) -> None:
    sources = Sources(config_maps={"c": {"kind": "ConfigMap", "data": {"k": "v"}}})
    volume = {"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "../../k"}]}}
    with pytest.raises(Unresolved, match="leaves the volume"):
        containers(pod_with(volume), CONTEXT, sources, PodFiles(tmp_path, "u"))


def test_pods_with_a_subdomain_have_names() -> None:
    named: Obj = {"metadata": {"name": "p-0"}, "spec": {"subdomain": "job"}}
    assert host_names([(named, "127.9.0.2"), (pod_with(), "127.9.0.3")]) == {"p-0.job": "127.9.0.2"}
