"""Every rule of `support/api_rules`, asked of the real kube-apiserver."""

from __future__ import annotations

import pytest

from support.api_rules.registry import rules
from support.api_rules.talk import Talk
from support.real_cluster import ADMIN, Cluster


@pytest.fixture(scope="session")
def talk(cluster: Cluster) -> Talk:
    return Talk(cluster.url, cluster.authority, cluster.tokens[ADMIN])


@pytest.mark.parametrize("name", rules())
def test_rule(talk: Talk, name: str) -> None:
    rules()[name].ask(talk)
