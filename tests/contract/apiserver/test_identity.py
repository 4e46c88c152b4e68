"""Who somebody is, as kubectl and Python's client see it."""

from __future__ import annotations

import base64
import json

import pytest

from support.api_process import ApiServer
from support.certificate_cases import GOOD, OTHER, wish


def claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_kubectl_makes_tokens_and_says_who_has_them(api: ApiServer, namespace: str) -> None:
    here = ("-n", namespace)
    api.kubectl("create", "serviceaccount", "robot", *here)
    token = api.kubectl("create", "token", "robot", "--duration=20m", "--audience=vault", *here)
    said = claims(token.strip())
    assert said["aud"] == ["vault"] and int(str(said["exp"])) - int(str(said["iat"])) == 1200
    own = api.kubectl("create", "token", "robot", *here).strip()
    who = api.kubectl_run("--token", own, "auth", "whoami", "-o", "json")
    info = json.loads(who.stdout)["status"]["userInfo"]
    assert info["username"] == f"system:serviceaccount:{namespace}:robot"
    assert f"system:serviceaccounts:{namespace}" in info["groups"]


def test_kubectl_says_why_it_gets_no_token(api: ApiServer, namespace: str) -> None:
    done = api.kubectl_run("create", "token", "nobody", "-n", namespace)
    assert done.returncode and 'serviceaccounts "nobody" not found' in done.stderr


def test_a_token_ends_with_what_it_is_bound_to(api: ApiServer, namespace: str) -> None:
    here = ("-n", namespace)
    api.kubectl("create", "serviceaccount", "robot", *here)
    api.kubectl("create", "secret", "generic", "s", *here)
    bound = ("--bound-object-kind=Secret", "--bound-object-name=s")
    token = api.kubectl("create", "token", "robot", *bound, *here).strip()
    assert api.kubectl_run("--token", token, "auth", "whoami").returncode == 0
    api.kubectl("delete", "secret", "s", *here)
    done = api.kubectl_run("--token", token, "auth", "whoami")
    assert done.returncode and "Unauthorized" in done.stderr + done.stdout


def test_pythons_client_asks_for_tokens(api: ApiServer, namespace: str) -> None:
    client = pytest.importorskip("kubernetes.client")
    loader = pytest.importorskip("kubernetes.config")
    api.kubectl("create", "serviceaccount", "robot", "-n", namespace)
    with loader.new_client_from_config(config_file=str(api.home.kubeconfig)) as connection:
        body = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=["vault"], expiration_seconds=600)
        )
        core = client.CoreV1Api(connection)
        made = core.create_namespaced_service_account_token("robot", namespace, body)
        review = client.V1TokenReview(
            spec=client.V1TokenReviewSpec(token=made.status.token, audiences=["vault"])
        )
        said = client.AuthenticationV1Api(connection).create_token_review(review)
    assert said.status.authenticated
    assert said.status.user.username == f"system:serviceaccount:{namespace}:robot"


def test_kubectl_approves_and_denies_requests_for_certificates(api: ApiServer) -> None:
    for name in ("yes", "no"):
        body = wish(GOOD, OTHER, name=name)
        api.kubectl("create", "-f", "-", stdin=json.dumps(body))
    api.kubectl("certificate", "approve", "yes")
    api.kubectl("certificate", "deny", "no")
    shown = api.kubectl("get", "csr", "no", "yes", "--no-headers")
    assert [line.split()[-1] for line in shown.splitlines()] == ["Denied", "Approved"]
