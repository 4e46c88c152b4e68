"""What a server answers itself has the APIServices that kube-apiserver makes, and groups their order."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import api_process
from support.real_cluster import real_cluster

Obj = dict[str, Any]
Call = Callable[[str, str], tuple[int, Any]]
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def services(call: Call) -> dict[str, Any]:
    ends = time.monotonic() + 30
    found: dict[str, Any] = {}
    while time.monotonic() < ends:
        _, listed = call("GET", SERVICES)
        found = {each["metadata"]["name"]: shown(each) for each in listed["items"]}
        if "v1.storage.k8s.io" in found and all(conditions for _, _, conditions in found.values()):
            return found
        time.sleep(0.2)
    return found


def shown(service: Obj) -> Any:
    conditions = [
        (each["type"], each["status"], each["reason"], each["message"])
        for each in service.get("status", {}).get("conditions", [])
    ]
    return service["metadata"].get("labels"), service["spec"], conditions


def order(call: Call) -> list[str]:
    return [each["name"] for each in call("GET", "/apis")[1]["groups"]]


def test_both_have_the_same(peers: Path, tmp_path: Path) -> None:
    for name in ("kubernetes", "mizzen"):
        (tmp_path / name).mkdir()
    with real_cluster(tmp_path / "kubernetes", gates=(), runtime_config=()) as real:
        theirs, their_order = services(real.call), order(real.call)
    with api_process.running(tmp_path / "mizzen") as mizzen:
        ours, our_order = services(mizzen.call), order(mizzen.call)
    assert {name: ours.get(name) for name in theirs} == theirs
    assert len(theirs) > 20
    assert [name for name in our_order if name in their_order] == their_order
