"""A real control plane, started by the first test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.peers import NoPeers, programs
from support.real_cluster import Cluster, real_cluster


@pytest.fixture(scope="session")
def peers() -> Path:
    """The folder of etcd, kube-apiserver and kube-scheduler; their absence is a failure."""
    try:
        return programs()
    except NoPeers as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def cluster(peers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """etcd and kube-apiserver of the whole session: tests tidy up after themselves."""
    with real_cluster(tmp_path_factory.mktemp("kubernetes")) as cluster:
        yield cluster
