"""A real cluster with two real nodes, on which Mizzen is installed from an image built here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mizzen.base.names import SYSTEM_NAMESPACE
from support.real_cluster import real_cluster
from support.real_node import (
    ROOT,
    NoNode,
    controller_manager,
    node_programs,
    real_node,
    service_address,
    write_image,
)
from support.real_site import REPOSITORY, Site

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}  # the namespace of Mizzen's pods


@pytest.fixture(scope="session")
def programs() -> Path:
    try:
        return node_programs()
    except NoNode as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def image(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of this tree, as version 1."""
    output = tmp_path_factory.mktemp("image") / "mizzen.tar"
    command = [sys.executable, str(ROOT / "image" / "build.py"), "--name", f"{REPOSITORY}:1"]
    subprocess.run([*command, "--output", str(output)], check=True)
    return output


@pytest.fixture(scope="module")  # a module beside has a node of its own, at the same address
def site(programs: Path, image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Version 1 is installed and available; the same, as version 2, is known to the nodes, and a
    third, which ends as soon as it is started."""
    folder = tmp_path_factory.mktemp("kubernetes")
    broken = write_image(folder, f"{REPOSITORY}:broken", "usr/local/bin/python3", "return 1;")
    with (
        pytest.MonkeyPatch.context() as patch,
        service_address() as address,
    ):
        patch.setenv("MIZZEN_PEERS", str(programs / "bin"))
        with (
            real_cluster(folder, address=address, port=443) as cluster,
            controller_manager(cluster),
            cluster.kube_scheduler(),
            real_node(cluster, "system", 1) as system,
            real_node(cluster, "accelerated", 2) as accelerated,
        ):
            for node in (system, accelerated):
                node.import_image(image)
                node.import_image(broken)
                node.ctr("images", "tag", f"{REPOSITORY}:1", f"{REPOSITORY}:2")
            site = Site(cluster, system, accelerated)
            site.hand_over()
            restricted = {"metadata": {"name": SYSTEM_NAMESPACE, "labels": RESTRICTED}}
            status, answer = cluster.call("POST", "/api/v1/namespaces", restricted)
            assert status == 201, answer
            said = site.install("1")
            assert f"image/build.py --name {REPOSITORY}:1" in said
            site.until(lambda: site.is_available("1"), "version 1 is available")
            yield site
