"""The components' table: least privilege, of subresources and paths as of objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from mizzen.apiserver.authorization import authorization
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import ApiServerConfig, Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.permissions import COMPONENTS
from mizzen.apiserver.core.user import MASTERS, User
from mizzen.base.names import IDENTITY_PREFIX
from mizzen.scheduler.queue_policies import optional_kinds
from mizzen.store.memory import MemoryStore
from support.api_handlers import NO_NODES, Clock

_CONFIG = ApiServerConfig("", 0, Path(), Path(), {}, NO_NODES)
ADMIN = User("admin", groups=(MASTERS,))
HISTORY = "/mizzen/v1/history"
_authorize = authorization(Context(_CONFIG, MemoryStore(), Catalog({}, {}), Clock())).allows


def allowed(user: User | str, verb: str, resource: str, subresource: str = "") -> bool:
    """`resource` as `plural[.group]`; a bare name is a component's."""
    asking = User(IDENTITY_PREFIX + user) if isinstance(user, str) else user
    plural, _, group = resource.partition(".")
    return _authorize(Access(asking, verb, group, plural, subresource, "default", "x"))


def test_masters_may_do_everything_and_strangers_nothing() -> None:
    assert allowed(ADMIN, "delete", "namespaces") and allowed(ADMIN, "get", "pods", "log")
    assert not allowed(User("stranger"), "get", "pods")
    assert not allowed(User("admin"), "get", "pods"), "a name alone makes nobody a master"


def test_a_subresource_needs_its_own_rule() -> None:
    assert allowed("gateway", "patch", "modelendpoints.mizzen.dev", "status")
    assert not allowed("gateway", "patch", "modelendpoints.mizzen.dev")
    assert not allowed("gateway", "get", "modelendpoints.mizzen.dev", "status")
    assert not allowed("gateway", "list", "secrets")
    assert not allowed("node", "get", "secrets"), "but those of its own pods (test_node.py)"
    assert not allowed("node", "create", "serviceaccounts", "token")
    assert allowed("scheduler", "create", "pods", "binding")
    assert not allowed("scheduler", "create", "pods")


@pytest.mark.parametrize("component", sorted(COMPONENTS))
@pytest.mark.parametrize("subresource", ["log", "exec", "attach", "portforward", "proxy"])
def test_who_may_read_a_pod_may_not_read_its_subresources(component: str, subresource: str) -> None:
    assert allowed(component, "get", "pods")
    assert not allowed(component, "get", "pods", subresource)


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_no_component_may_write_everything(component: str) -> None:
    for verb in ("create", "update", "patch", "delete", "deletecollection"):
        assert not allowed(component, verb, "customresourcedefinitions.apiextensions.k8s.io")


def test_components_discover_strangers_do_not_and_few_read_the_history() -> None:
    gateway, stranger = User(IDENTITY_PREFIX + "gateway"), User("stranger")
    for path in ("/api", "/apis", "/apis/batch/v1", "/openapi/v3/api/v1", "/version", "/metrics"):
        assert _authorize(Access(gateway, "get", path=path)), path
        assert not _authorize(Access(gateway, "post", path=path)), path
        assert not _authorize(Access(stranger, "get", path=path)), "as roles say, not the table"
    assert not _authorize(Access(stranger, "get", path=HISTORY))
    assert not _authorize(Access(User(IDENTITY_PREFIX + "scheduler"), "get", path=HISTORY))
    assert _authorize(Access(User(IDENTITY_PREFIX + "controllers"), "get", path=HISTORY))
    assert _authorize(Access(ADMIN, "get", path=HISTORY))


def test_the_scheduler_may_read_whatever_tells_of_gangs_and_queues() -> None:
    for kind in optional_kinds():
        assert allowed("scheduler", "watch", f"{kind.plural}.{kind.group}"), kind


def test_components_are_told_their_rules() -> None:
    authorizer = authorization(Context(_CONFIG, MemoryStore(), Catalog({}, {}), Clock()))
    rules, errors = authorizer.rules(User(IDENTITY_PREFIX + "scheduler"), "default")
    assert not errors
    bind = Access(User("x"), "create", "", "pods", "binding")
    assert any(rule.allows(bind) for rule in rules)
    assert not any(rule.allows(bind._replace(subresource="exec")) for rule in rules)
    assert authorizer.rules(User("scheduler"), "default") == ([], [])


def test_controllers_read_all_custom_metrics_whose_names_are_subresources() -> None:
    assert allowed("controllers", "get", "pods.custom.metrics.k8s.io", "requests")
    assert allowed("controllers", "get", "queue.external.metrics.k8s.io")
    assert not allowed("controllers", "create", "pods.custom.metrics.k8s.io", "requests")
    assert not allowed("controllers", "get", "pods", "exec")
    assert not allowed("gateway", "get", "pods.custom.metrics.k8s.io", "requests")
