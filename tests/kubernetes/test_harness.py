"""The control plane itself answers, with the features the other tests rest on."""

from __future__ import annotations

from support.real_cluster import Cluster


def test_serves_the_version_built_and_the_alpha_groups(cluster: Cluster) -> None:
    status, version = cluster.call("GET", "/version")
    assert (status, version["gitVersion"]) == (200, "v1.36.3")
    for path in ("/apis/scheduling.k8s.io/v1alpha2", "/apis/resource.k8s.io/v1"):
        status, group = cluster.call("GET", path)
        assert status == 200, group
