"""Pod Security Standards refuse and warn in upstream's words, version by version."""

from __future__ import annotations

import re
from typing import Any

from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api
from support.both_servers import Answer, Case, differences, refusals
from support.pod_security_cases import enforced, warned
from support.real_cluster import Cluster

_OF_FIELDS = re.compile(r'299 - "(spec|template|metadata)\b')


def shown(case: Case, answer: Answer) -> Any:
    """Without warnings of other plug-ins, which name a field first; accounts are there for pods
    alone, and ours come with the namespace."""
    if case.path.endswith("/serviceaccounts"):
        return None
    kept = [each for each in answer.warnings if not _OF_FIELDS.match(each)]
    return refusals(case, answer._replace(warnings=kept))


async def test_both_refuse_the_same_pods(cluster: Cluster) -> None:
    found = await differences(await an_api(MemoryStore()), cluster, enforced(), shown)
    assert found == [], "\n".join(found)


async def test_both_warn_of_the_same(cluster: Cluster) -> None:
    found = await differences(await an_api(MemoryStore()), cluster, warned(), shown)
    assert found == [], "\n".join(found)
