from __future__ import annotations

import pytest

from mizzen.apiserver.core.authorize import RULES, is_allowed, may_read_history


def test_the_admin_may_do_everything_and_strangers_nothing() -> None:
    assert is_allowed("admin", "delete", "namespaces")
    assert not is_allowed("stranger", "get", "pods")
    assert may_read_history("admin") and not may_read_history("stranger")


def test_a_subresource_needs_its_own_rule() -> None:
    gateway = "system:mizzen:gateway"
    assert is_allowed(gateway, "patch", "modelendpoints.mizzen.dev", "status")
    assert not is_allowed(gateway, "patch", "modelendpoints.mizzen.dev")
    assert not is_allowed(gateway, "get", "modelendpoints.mizzen.dev", "status")
    assert not is_allowed(gateway, "list", "secrets")
    assert is_allowed("system:mizzen:scheduler", "create", "pods", "binding")
    assert not is_allowed("system:mizzen:scheduler", "create", "pods")


@pytest.mark.parametrize("identity", sorted(RULES))
def test_who_may_read_a_pod_may_not_read_its_log(identity: str) -> None:
    assert is_allowed(identity, "get", "pods")
    assert not is_allowed(identity, "get", "pods", "log")
    assert is_allowed("admin", "get", "pods", "log")


@pytest.mark.parametrize("identity", sorted(RULES))
def test_no_component_may_write_everything(identity: str) -> None:
    for verb in ("create", "update", "patch", "delete", "deletecollection"):
        assert not is_allowed(identity, verb, "customresourcedefinitions.apiextensions.k8s.io")
