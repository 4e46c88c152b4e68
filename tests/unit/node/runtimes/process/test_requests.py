"""From a container to the shim's request: what processes cannot be given is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mizzen.base.objects import Obj
from mizzen.base.service_accounts import MOUNT_PATH
from mizzen.node.core.environment import Unresolved
from mizzen.node.podfiles import PodFiles
from mizzen.node.runtimes.interface import ContainerSpec
from mizzen.node.runtimes.process.requests import request


def spec_of(
    folder: Path, variables: dict[str, str], volumes: tuple[Obj, ...] = (), **container: Any
) -> ContainerSpec:
    container = {"name": "main", "image": "mizzen.dev/python", **container}
    pod: Obj = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "spec": {"containers": [container], "volumes": list(volumes)},
    }
    hosts = {"p-0.job": "127.9.0.2"}
    return ContainerSpec(
        pod, container, {"POD_NAME": "p"}, variables, {}, hosts, PodFiles(folder, "u")
    )


def test_names_of_pods_are_addresses_and_commands_refer_to_what_is_declared(tmp_path: Path) -> None:
    args = ["--at", "$(PEER)", "$(POD_NAME)"]
    made = request(spec_of(tmp_path, {"PEER": "p-0.job.default:80"}, args=args))
    assert made["argv"] == [sys.executable, "--at", "127.9.0.2:80", "$(POD_NAME)"]
    assert made["env"]["PEER"] == "127.9.0.2:80" and made["env"]["POD_NAME"] == "p"
    assert made["cwd"] == str(tmp_path / "u" / "main" / "work")


def test_what_a_pod_says_wins_over_what_is_passed_on_from_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/of/the/user")
    assert request(spec_of(tmp_path, {}))["env"]["HOME"] == "/of/the/user"
    assert request(spec_of(tmp_path, {"HOME": "/own"}))["env"]["HOME"] == "/own"


def test_only_the_same_path_can_be_mounted(tmp_path: Path) -> None:
    mount = {"name": "v", "mountPath": "/data/"}
    host = {"name": "v", "hostPath": {"path": "/data"}}
    request(spec_of(tmp_path, {}, (host,), volumeMounts=[mount]))
    with pytest.raises(Unresolved, match=r"cannot appear at /data/.*use \$MIZZEN_VOLUME_V"):
        request(spec_of(tmp_path, {}, ({"name": "v", "emptyDir": {}},), volumeMounts=[mount]))


def test_the_token_of_the_account_is_shown_where_clients_look(tmp_path: Path) -> None:
    mount = {"name": "v", "mountPath": MOUNT_PATH, "readOnly": True}
    volume: Obj = {"name": "v", "projected": {"sources": []}}
    spec = replace(
        spec_of(tmp_path, {}, (volume,), volumeMounts=[mount]), volumes={"v": "/of/the/pod"}
    )
    made = request(spec)
    assert made["binds"] == [["/of/the/pod", MOUNT_PATH]]
    assert made["env"]["MIZZEN_SERVICE_ACCOUNT"] == "/of/the/pod"
    assert request(spec_of(tmp_path, {}))["binds"] == []
    mount["mountPath"] = "/elsewhere"
    with pytest.raises(Unresolved, match="cannot appear at /elsewhere"):
        request(spec)


def test_a_working_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unresolved, match="workingDir '/no/such' of container 'main'") as refused:
        request(spec_of(tmp_path, {}, workingDir="/no/such"))
    assert refused.value.reason == "CreateContainerError"
