"""Roles, reviews and impersonation, driven by kubectl; the audit log of a whole server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import api_process
from support.api_process import ApiServer

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: RequestResponse, resources: [{group: "", resources: [configmaps]}]}
- {level: Metadata}
"""


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    root = tmp_path_factory.mktemp("audited")
    (root / "config").mkdir(mode=0o700)
    (root / "config" / "audit-policy.yaml").write_text(POLICY)
    with api_process.running(root) as server:
        yield server


def answers(api: ApiServer, *arguments: str) -> str:
    """The first line of what kubectl says, whether it succeeds or not."""
    done = api.kubectl_run(*arguments)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def test_kubectl_makes_roles_and_asks_what_may_be_done(api: ApiServer, namespace: str) -> None:
    here = ("-n", namespace)
    api.kubectl(
        "create", "role", "reader", "--verb=get,list", "--resource=pods,deployments.apps", *here
    )
    api.kubectl("create", "rolebinding", "b", "--role=reader", "--user=jane", "--group=devs",
                f"--serviceaccount={namespace}:robot", *here)  # fmt: skip
    robot = f"system:serviceaccount:{namespace}:robot"
    for who in (("--as=jane",), ("--as=joe", "--as-group=devs"), (f"--as={robot}",)):
        assert answers(api, "auth", "can-i", "list", "pods", *here, *who) == "yes", who
        assert answers(api, "auth", "can-i", "delete", "pods", *here, *who) == "no", who
    assert answers(api, "auth", "can-i", "list", "pods", "-A", "--as=jane") == "no"
    assert answers(api, "auth", "can-i", "get", "/version", "--as=jane") == "yes"
    assert answers(api, "auth", "can-i", "*", "*", "-A") == "yes"
    listed = api.kubectl("auth", "can-i", "--list", *here, "--as=jane")
    assert "deployments.apps" in listed and "[/api/*]" in listed
    assert (
        answers(api, "get", "pods", *here, "--as=jane")
        == f"No resources found in {namespace} namespace."
    )
    assert answers(api, "get", "secrets", *here, "--as=jane") == (
        'Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource '
        f'"secrets" in API group "" in the namespace "{namespace}"'
    )
    wide = api.kubectl("get", "rolebinding", *here, "-o", "wide").splitlines()
    assert wide[0].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert wide[1].split()[3:] == ["jane", "devs", f"{namespace}/robot"]


def test_kubectl_reconciles_and_who_has_little_gives_little(api: ApiServer, namespace: str) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "r", "namespace": namespace},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}  # fmt: skip
    for verbs in (["get"], ["get", "list"]):
        role["rules"][0]["verbs"] = verbs  # type: ignore[index]
        api.kubectl("auth", "reconcile", "-f", "-", stdin=json.dumps(role))
    rules = json.loads(api.kubectl("get", "role", "r", "-n", namespace, "-o", "json"))["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}
    api.kubectl(
        "create", "rolebinding", "boss", "--clusterrole=admin", "--user=ann", "-n", namespace
    )
    as_ann = ("-n", namespace, "--as=ann")
    api.kubectl("create", "rolebinding", "fine", "--clusterrole=view", "--user=x", *as_ann)
    done = api.kubectl_run(
        "create", "rolebinding", "no", "--clusterrole=cluster-admin", "--user=x", *as_ann
    )
    assert 'user "ann" (groups=["system:authenticated"]) is attempting to grant' in done.stderr
    assert '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}' in done.stderr


def test_strangers_are_told_health_and_version_alone(api: ApiServer) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert api.call("GET", path, identity="")[0] == 200, path
    for path in ("/api", "/apis", "/metrics", "/openapi/v3", "/api/v1/namespaces"):
        assert api.call("GET", path, identity="")[0] == 401, path


def test_what_happens_is_in_the_audit_log(audited: ApiServer) -> None:
    path = "/api/v1/namespaces/default"
    body = {"metadata": {"name": "x"}, "data": {"key": "told"}}
    assert audited.call("POST", f"{path}/configmaps", body)[0] == 201
    secret = {"metadata": {"name": "x"}, "stringData": {"key": "hidden"}}
    assert audited.call("POST", f"{path}/secrets", secret)[0] == 201
    assert answers(audited, "get", "pods", "--as=jane").startswith("Error from server (Forbidden)")
    assert audited.call("GET", f"{path}/pods", identity="")[0] == 401
    log = Path(audited.home.logs / "audit.log")

    def lines() -> list[dict[str, object]]:
        return [json.loads(line) for line in log.read_text().splitlines()]

    def about(verb: str, resource: str) -> list[dict[str, object]]:
        return [e for e in lines()
                if e["verb"] == verb and e.get("objectRef", {}).get("resource") == resource]  # type: ignore[attr-defined]  # fmt: skip

    deadline = time.monotonic() + 30
    while not log.exists() or len(about("list", "pods")) < 2:
        assert time.monotonic() < deadline, "the log is not written"
        time.sleep(0.05)
    (made,) = about("create", "configmaps")
    assert made["requestObject"]["data"] == {"key": "told"}  # type: ignore[index]
    assert made["responseObject"]["metadata"]["uid"]  # type: ignore[index]
    (hidden,) = about("create", "secrets")
    assert hidden["level"] == "Metadata" and "hidden" not in log.read_text()
    refused = next(e for e in about("list", "pods") if e.get("impersonatedUser"))
    assert refused["annotations"] == {"authorization.k8s.io/decision": "forbid"}
    assert refused["user"]["username"] == "admin"  # type: ignore[index]
    stranger = next(e for e in about("list", "pods") if not e.get("impersonatedUser"))
    assert stranger["responseStatus"]["code"] == 401  # type: ignore[index]
    assert audited.tokens["admin"] not in log.read_text()
