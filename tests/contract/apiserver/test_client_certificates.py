"""Clients are known by certificates of the instance's authority, at the port for them."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mizzen.compose import settings
from mizzen.host import pki
from support.api_process import ApiServer
from support.certificate_cases import KUBELET_CLIENT, key_pem, pem_request, wish

LONG_AGO = datetime.now(UTC) - timedelta(days=800)


def certified(api: ApiServer, folder: Path, user: str, *groups: str, now: Any = None) -> Path:
    """A file with a certificate and its key."""
    pair = pki.client_certificate(api.home, now or datetime.now(UTC), user, groups)
    file = folder / f"{user}.pem"
    file.write_bytes(b"".join(pair))
    return file


def ask(
    api: ApiServer, path: str, shown: Path | None, token: str = "", body: Any = None
) -> tuple[int, Any, int]:
    """Status, answer, number of headers."""
    context = ssl.create_default_context(cafile=str(api.home.pki / "ca.crt"))
    if shown is not None:
        context.load_cert_chain(shown)
    port = settings.load(api.home).certificate_port
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        data = None if body is None else json.dumps(body)
        headers["content-type"] = "application/json"
        connection.request("GET" if body is None else "POST", path, data, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read()), len(response.getheaders())
    finally:
        connection.close()


def who(api: ApiServer, shown: Path | None, token: str = "") -> Any:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    status, said, _ = ask(api, path, shown, token, review)
    return said["status"]["userInfo"] if status == 201 else status


def test_the_common_name_is_the_user_and_organizations_are_groups(
    api: ApiServer, tmp_path: Path
) -> None:
    user = who(api, certified(api, tmp_path, "jane", "devs", "ops"))
    assert (user["username"], user["groups"]) == ("jane", ["devs", "ops", "system:authenticated"])
    (identifier,) = user["extra"]["authentication.kubernetes.io/credential-id"]
    assert identifier.startswith("X509SHA256=") and len(identifier) == 75


def test_a_certificate_outranks_a_token_and_a_token_alone_counts(
    api: ApiServer, tmp_path: Path
) -> None:
    admin = api.tokens["admin"]
    assert who(api, certified(api, tmp_path, "jane"), admin)["username"] == "jane"
    assert who(api, None, admin)["username"] == "admin"
    assert ask(api, "/api/v1/namespaces", None)[0] == 401


def test_a_certificate_that_has_ended_is_nobodys(api: ApiServer, tmp_path: Path) -> None:
    ended = certified(api, tmp_path, "late", "system:masters", now=LONG_AGO)
    assert ask(api, "/api/v1/namespaces", ended)[0] == 401
    assert who(api, ended, api.tokens["admin"])["username"] == "admin"


def test_certificates_of_servers_and_of_other_authorities_are_refused(
    api: ApiServer, tmp_path: Path
) -> None:
    server = tmp_path / "server.pem"
    server.write_bytes(
        b"".join((api.home.pki / f"server.{end}").read_bytes() for end in ("crt", "key"))
    )
    foreign = tmp_path / "foreign.pem"
    foreign.write_bytes(pki.self_signed("jane", datetime.now(UTC)))
    for file in (server, foreign):
        with pytest.raises((ssl.SSLError, OSError)):
            ask(api, "/version", file)


def test_answers_have_as_many_headers_as_ever(api: ApiServer, tmp_path: Path) -> None:
    """Discovery is kept, and what is added to an answer is added to that one alone."""
    shown = certified(api, tmp_path, "jane")
    first, *_, last = [ask(api, "/apis/apps/v1", shown)[2] for _ in range(4)]
    assert first == last


def signed(api: ApiServer, name: str) -> str:
    """The certificate of a request, once it is there."""
    api.kubectl("wait", f"csr/{name}", "--for=jsonpath={.status.certificate}", "--timeout=20s")
    found = api.kubectl("get", "csr", name, "-o", "jsonpath={.status.certificate}")
    return base64.b64decode(found).decode()


def test_kubectl_approves_a_certificate_that_the_server_knows_then(
    api: ApiServer, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = pem_request("mary", ["devs"], key=key)
    body = wish(request, name="mary", expirationSeconds=3600)
    api.kubectl("create", "-f", "-", stdin=json.dumps(body))
    api.kubectl("certificate", "approve", "mary")
    file = tmp_path / "mary.pem"
    file.write_text(signed(api, "mary") + key_pem(key))
    assert who(api, file)["groups"] == ["devs", "system:authenticated"]
    api.kubectl("delete", "csr", "mary")


def test_a_kubelets_request_is_approved_by_itself_where_a_role_says_so(
    api: ApiServer, tmp_path: Path
) -> None:
    """As kubelets join: a bootstrap token's user asks, then the node for its renewal."""
    role = "system:certificates.k8s.io:certificatesigningrequests:nodeclient"
    api.kubectl("create", "clusterrolebinding", "join", f"--clusterrole={role}", "--group=join")
    api.kubectl("create", "clusterrolebinding", "ask", "--clusterrole=system:node-bootstrapper",
                "--group=join")  # fmt: skip
    node = pem_request("system:node:n1", ["system:nodes"])
    bodies = {name: wish(node, KUBELET_CLIENT, name=name) for name in ("node", "stranger")}
    asks = ("create", "-f", "-", "--validate=false")
    api.kubectl(*asks, "--as=boot", "--as-group=join", stdin=json.dumps(bodies["node"]))
    api.kubectl(*asks, stdin=json.dumps({**bodies["stranger"], "spec": {
        **bodies["stranger"]["spec"], "usages": ["client auth"]}}))  # fmt: skip
    assert signed(api, "node").startswith("-----BEGIN CERTIFICATE-----")
    conditions = api.kubectl("get", "csr", "node", "-o", "jsonpath={.status.conditions[0].reason}")
    assert conditions == "AutoApproved"
    assert "Pending" in api.kubectl("get", "csr", "stranger")
    api.kubectl("certificate", "approve", "stranger")
    api.kubectl("wait", "csr/stranger", "--for=condition=Failed", "--timeout=20s")
    failed = ("get", "csr", "stranger", "-o", "jsonpath={.status.conditions[1].message}")
    problem = api.kubectl(*failed)
    assert problem == "usages did not match [client auth digital signature key encipherment]"


def test_kubectl_shows_its_certificate(api: ApiServer, tmp_path: Path) -> None:
    file = str(certified(api, tmp_path, "root", "system:masters"))
    server = f"https://127.0.0.1:{settings.load(api.home).certificate_port}"
    shown = ("--client-certificate", file, "--client-key", file, "--server", server)
    config = tmp_path / "kubeconfig"
    config.write_text(pki.kubeconfig(server, (api.home.pki / "ca.crt").read_bytes(), "nobody", ""))
    own = ("--kubeconfig", str(config), *shown)
    said = json.loads(api.kubectl(*own, "auth", "whoami", "-o", "json"))
    assert said["status"]["userInfo"]["username"] == "root"
    api.kubectl(*own, "create", "configmap", "by-certificate")
    lines = api.kubectl(
        *own, "get", "configmap", "by-certificate", "-o", "name", "--watch-only=false"
    )
    assert lines == "configmap/by-certificate\n"
    watched = api.kubectl_run(
        *own, "wait", "--for=delete", "configmap/by-certificate", "--timeout=1s"
    )
    assert "timed out" in watched.stderr  # a watch, over HTTP/2
    api.kubectl(*own, "delete", "configmap", "by-certificate")
