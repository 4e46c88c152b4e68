"""Pod Security Standards refuse and warn in upstream's words, version by version."""

from __future__ import annotations

from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api
from support.both_servers import differences
from support.pod_security_cases import enforced, warned
from support.real_cluster import Cluster


async def test_both_refuse_the_same_pods(cluster: Cluster) -> None:
    found = await differences(await an_api(MemoryStore()), cluster, enforced())
    assert found == [], "\n".join(found)


async def test_both_warn_of_the_same(cluster: Cluster) -> None:
    found = await differences(await an_api(MemoryStore()), cluster, warned())
    assert found == [], "\n".join(found)
