"""Requests are classified by the defaults as upstream's would be, and by other schemas."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.flow_schemas import FlowSchemas
from mizzen.apiserver.core.user import AUTHENTICATED, MASTERS, NODES, UNAUTHENTICATED, User
from mizzen.apiserver.flow_control import FLOW_SCHEMAS
from mizzen.apiserver.flow_defaults import default_objects

_OBJECTS = list(default_objects())
SCHEMAS = [obj for key, obj in _OBJECTS if key.resource == FLOW_SCHEMAS]
LEVELS = [obj for key, obj in _OBJECTS if key.resource != FLOW_SCHEMAS]
_LEASE = ("update", "coordination.k8s.io", "leases")


def user(name: str, *groups: str) -> User:
    return User(name, groups=(*groups, AUTHENTICATED))


ACCOUNT = "system:serviceaccounts"


@pytest.mark.parametrize(
    ("who", "what", "namespace", "schema", "level"),
    [
        (user("admin", MASTERS), ("get", "", "pods"), "a", "exempt", ""),
        (user("jane"), ("get", "", "pods"), "a", "global-default", "global-default"),
        (user("n", NODES), ("get", "", "pods"), "a", "system-nodes", "system"),
        (user("n", NODES), ("patch", "", "nodes"), "", "system-node-high", "node-high"),
        (user("n", NODES), _LEASE, "kube-node-lease", "system-node-high", "node-high"),
        (user("system:kube-scheduler"), _LEASE, "a", "system-leader-election", "leader-election"),
        (user("system:kube-scheduler"), ("list", "", "pods"), "", "kube-scheduler", "workload-high"),
        (user("system:mizzen:scheduler"), ("list", "", "pods"), "", "mizzen-components", "workload-high"),
        (user("system:serviceaccount:kube-system:x", ACCOUNT), ("list", "", "pods"), "",
         "kube-system-service-accounts", "workload-high"),
        (user("system:serviceaccount:a:x", ACCOUNT), ("list", "", "pods"), "",
         "service-accounts", "workload-low"),
        (User("system:anonymous", groups=(UNAUTHENTICATED,)), ("get", "", "pods"), "",
         "global-default", "global-default"),
    ],
)  # fmt: skip
def test_defaults(
    who: User, what: tuple[str, str, str], namespace: str, schema: str, level: str
) -> None:
    found = FlowSchemas(SCHEMAS, LEVELS).classify(Access(who, *what, "", namespace, "x"))
    assert found is not None and (found.schema, found.level) == (schema, level)


def test_probes_are_exempt_and_flows_are_by_user_or_namespace() -> None:
    made = FlowSchemas(SCHEMAS, LEVELS)
    probe = made.classify(Access(user("jane"), "get", path="/readyz"))
    other = made.classify(Access(user("jane"), "get", path="/apis"))
    assert probe is not None and probe.schema == "probes" and not probe.level
    assert other is not None and other.schema == "global-default"
    access = Access(user("system:kube-scheduler"), "list", "", "pods", "", "ns")
    by_namespace = made.classify(access)
    assert by_namespace is not None and by_namespace.flow_of(access).endswith("ns")
    assert other.flow_of(access._replace(user=user("jane"))).endswith("jane")
    assert made.limits["workload-low"].lendable_percent == 90
    assert made.limits["catch-all"].queues == 0 and "exempt" not in made.limits


def schema(name: str, level: str, precedence: int, **rule: Any) -> dict[str, Any]:
    rules = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], **rule}
    subjects = [{"kind": "User", "user": {"name": "*"}}]
    return {
        "metadata": {"name": name, "uid": f"uid-{name}"},
        "spec": {
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": precedence,
            "rules": [{"subjects": subjects, "resourceRules": [rules]}],
        },
    }


def test_precedence_then_name_decides_and_dangling_schemas_do_not_count() -> None:
    pods = Access(user("jane"), "get", "", "pods", "", "a", "x")
    mine = [
        schema("b", "system", 50), schema("a", "system", 50, resources=["secrets"]),
        schema("gone", "nowhere", 10), schema("c", "system", 50),
    ]  # fmt: skip
    made = FlowSchemas([*SCHEMAS, *mine], LEVELS)
    found = made.classify(pods)
    assert found is not None and found.schema == "b"
    assert found.headers[0] == ("x-kubernetes-pf-flowschema-uid", "uid-b")
    cluster = made.classify(pods._replace(namespace="", resource="nodes"))
    assert cluster is not None and cluster.schema == "global-default", "clusterScope is not said"
    secret = made.classify(pods._replace(resource="secrets"))
    assert secret is not None and secret.schema == "a"
    assert FlowSchemas([], []).classify(pods) is None
