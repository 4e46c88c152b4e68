"""Secrets with accounts' tokens come to the same end here and with kube-controller-manager's help."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mizzen.apiserver.core import token_secrets as rules
from support.api_process import running
from support.api_rules.talk import MERGE, Answer, Talk
from support.peers import NoPeers, programs
from support.real_cluster import ADMIN, Cluster

PROGRAM = "kube-controller-manager"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
KIND = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"
SETTLES_S = 20.0  # kube-apiserver keeps for ten seconds what it knows of a token


@contextlib.contextmanager
def controllers(cluster: Cluster) -> Iterator[None]:
    try:
        program = programs(PROGRAM) / PROGRAM
    except NoPeers as error:
        pytest.fail(str(error), pytrace=False)
    process = cluster.start(
        program,
        f"--kubeconfig={cluster.kubeconfig()}",
        "--controllers=serviceaccount-token-controller",
        f"--service-account-private-key-file={cluster.keys.key_file}",
        f"--root-ca-file={cluster.authority}",
        "--leader-elect=false",
        "--secure-port=0",
    )
    try:
        yield
    finally:
        cluster.stop(process)


def until(api: Talk, path: str, test: Any) -> Answer:
    ends = time.monotonic() + SETTLES_S
    while not test(found := api.get(path)):
        assert time.monotonic() < ends, found.raw[:500]
        time.sleep(0.05)
    return found


def is_filled(found: Answer) -> bool:
    return found.status == 200 and "token" in found.body.get("data", {})


def is_gone(found: Answer) -> bool:
    return found.status == 404


def played(api: Talk) -> dict[str, Any]:
    """What is seen on the way, with what differs by server or by chance left out."""
    space = api.namespace()
    accounts, secrets = f"{space}/serviceaccounts", f"{space}/secrets"
    account = api.post(accounts, {"metadata": {"name": "robot"}}).ok(201)
    uid, namespace = account["metadata"]["uid"], account["metadata"]["namespace"]

    def make(owner: str, **notes: str) -> None:
        metadata = {"name": "t", "annotations": {NAME: owner, **notes}}
        api.post(secrets, {"metadata": metadata, "type": KIND}).ok(201)

    def review(token: str, wanted: str = "") -> Any:
        """Its status, once it has this error; without uids and the namespace's name."""
        ends = time.monotonic() + SETTLES_S
        while True:
            status = api.post(REVIEWS, {"spec": {"token": token}}).ok(201)["status"]
            if wanted in status.get("error", "") and ("error" in status) is bool(wanted):
                status.pop("audiences", None)
                return json.loads(json.dumps(status).replace(uid, "U").replace(namespace, "N"))
            assert time.monotonic() < ends, status
            time.sleep(0.2)

    make("robot")
    made = until(api, f"{secrets}/t", is_filled).body
    token = base64.b64decode(made["data"]["token"]).decode()
    seen: dict[str, Any] = {
        "keys": sorted(made["data"]),
        "owner": made["metadata"]["annotations"][UID] == uid,
        "namespace": base64.b64decode(made["data"]["namespace"]).decode() == namespace,
        "user": review(token),
    }
    labels = until(api, f"{secrets}/t", lambda found: found.body["metadata"].get("labels")).body
    seen["labels"] = sorted(labels["metadata"]["labels"])
    marked = {"metadata": {"labels": {rules.INVALID_SINCE: "2026-01-01"}}}
    api.patch(f"{secrets}/t", marked, MERGE).ok()
    seen["marked"] = review(token, "has been marked invalid")
    api.delete(f"{secrets}/t").ok()
    seen["invalidated"] = review(token, "has been invalidated")
    make("nobody")
    until(api, f"{secrets}/t", is_gone)
    make("robot", **{UID: "11111111-1111-1111-1111-111111111111"})
    until(api, f"{secrets}/t", is_gone)
    make("robot")
    until(api, f"{secrets}/t", is_filled)
    api.delete(f"{accounts}/robot").ok()
    until(api, f"{secrets}/t", is_gone)
    return seen


def test_both_come_to_the_same_end(cluster: Cluster, tmp_path: Path) -> None:
    with running(tmp_path) as api:
        ours = played(Talk(api.url, api.home.pki / "ca.crt", api.tokens[ADMIN]))
    with controllers(cluster):
        theirs = played(Talk(cluster.url, cluster.authority, cluster.tokens[ADMIN]))
    assert ours == theirs
