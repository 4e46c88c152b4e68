"""A real control plane, started by the first test that asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.client.client import Client
from support.peers import NoPeers, programs
from support.proxy import Proxy, proxy_to
from support.real_cluster import Cluster, real_cluster
from support.second_home import Stage


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


@pytest_asyncio.fixture
async def stage(cluster: Cluster) -> AsyncIterator[Stage]:
    """The cluster with nothing on it but a DeviceClass; cleared again afterwards."""
    user_agent = "mizzen-test"
    async with Client.from_kubeconfig(cluster.kubeconfig(), user_agent=user_agent) as admin:
        stage = Stage(cluster, admin, "stage")
        await stage.set_up()
        try:
            yield stage
        finally:
            await stage.clear()


@pytest_asyncio.fixture
async def proxy(cluster: Cluster) -> AsyncIterator[Proxy]:
    async with proxy_to(cluster.url, cluster.authority) as proxy:
        yield proxy
