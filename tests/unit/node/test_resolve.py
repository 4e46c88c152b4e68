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


def test_what_is_there_already_is_never_missing_and_the_rest_is_put_in_its_place_whole(
    tmp_path: Path,
) -> None:
    """A program that runs may read its volumes while its pod is prepared again."""
    data = {"same": "1", "other": "2", "..unfinished-not": "3", "other.tmp": "4"}
    held: Obj = {"kind": "ConfigMap", "data": data}
    sources = Sources(config_maps={"c": held})
    pod = pod_with({"name": "v", "configMap": {"name": "c"}})
    files = PodFiles(tmp_path, "u")
    folder = Path(containers(pod, CONTEXT, sources, files)[0].volumes["v"])
    before = {each.name: each.stat().st_ino for each in folder.iterdir()}
    opened = (folder / "other").open()
    data["other"] = "new"
    containers(pod, CONTEXT, sources, files)
    after = {each.name: each.stat().st_ino for each in folder.iterdir()}
    assert {name for name in before if after[name] != before[name]} == {"other"}
    assert after.keys() == before.keys() == data.keys()
    assert opened.read() == "2", "who has it open has the whole of it"
    opened.close()
    assert (folder / "other").read_text() == "new"
    assert (folder / "other").stat().st_mode & 0o777 == 0o444
    (folder / "same").chmod(0o600)
    containers(pod, CONTEXT, sources, files)
    assert (folder / "same").stat().st_mode & 0o777 == 0o444


def test_a_path_that_leads_out_of_its_volume_is_refused(tmp_path: Path) -> None:
    sources = Sources(config_maps={"c": {"kind": "ConfigMap", "data": {"k": "v"}}})
    volume = {"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "../../k"}]}}
    with pytest.raises(Unresolved, match="leaves the volume"):
        containers(pod_with(volume), CONTEXT, sources, PodFiles(tmp_path, "u"))


def test_pods_with_a_subdomain_have_names() -> None:
    named: Obj = {"metadata": {"name": "p-0"}, "spec": {"subdomain": "job"}}
    assert host_names([(named, "127.9.0.2"), (pod_with(), "127.9.0.3")]) == {"p-0.job": "127.9.0.2"}
