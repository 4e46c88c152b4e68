import base64

import pytest

from mizzen.base.errors import BadRequest
from mizzen.client.kubeconfig import Connection, load

YAML = """
current-context: two
clusters:
- name: c
  cluster: {server: "https://h:1/", certificate-authority: ca.pem}
users:
- name: u
  user: {token: secret}
- name: certified
  user: {client-certificate-data: CERT_DATA, client-key-data: KEY_DATA}
- name: fancy
  user: {exec: {command: x}}
contexts:
- name: one
  context: {cluster: c, user: certified}
- name: two
  context: {cluster: c, user: u, namespace: team}
- name: three
  context: {cluster: c, user: fancy}
- name: four
  context: {cluster: nope}
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "ca.pem").write_text("CA")
    file = tmp_path / "config"
    text = YAML
    for name in ("CERT", "KEY"):
        text = text.replace(f"{name}_DATA", base64.b64encode(name.encode()).decode())
    file.write_text(text)
    return file


def test_the_current_context(path):
    connection = load(path)
    assert connection.server == "https://h:1"
    assert connection.certificate_authority == "CA"
    assert (connection.token, connection.namespace) == ("secret", "team")


def test_a_named_context_with_a_client_certificate(path):
    connection = load(path, context="one")
    assert (connection.client_certificate, connection.client_key) == ("CERT", "KEY")
    assert connection.namespace == "default"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ("three", "user 'fancy' uses exec"),
        ("four", "no cluster named 'nope'; there are: c"),
        ("five", "no context named 'five'; there are: one, two, three, four"),
    ],
)
def test_what_cannot_be_used_is_named(path, context, message):
    with pytest.raises(BadRequest, match=message):
        load(path, context=context)


@pytest.mark.parametrize("text", ["a: [", "- just\n- a list", "{"])
def test_what_is_no_kubeconfig_is_told(path, text):
    path.write_text(text)
    with pytest.raises(BadRequest, match=str(path)):
        load(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadRequest, match="No such file"):
        load(tmp_path / "nope")


def test_a_token_from_a_file_is_read_again_when_the_cluster_renews_it(tmp_path):
    (tmp_path / "token").write_text("first\n")
    config = tmp_path / "kubeconfig"
    config.write_text(
        """
current-context: here
contexts: [{name: here, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {tokenFile: token}}]
"""
    )
    connection = load(config)
    assert connection.token == connection.fresh_token() == "first"
    (tmp_path / "token").write_text("second")
    assert connection.fresh_token() == "second"
    (tmp_path / "token").unlink()
    assert connection.fresh_token() == "first"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML: line 1: "),
        ("[]", "is not a mapping"),
        ("contexts: 5", "contexts is not a list of mappings"),
        ("contexts: [one]", "contexts is not a list of mappings"),
        ("{current-context: a, contexts: [{name: a, context: x}]}", "context 'a' is not a mapping"),
    ],
)
def test_what_is_no_kubeconfig_is_said_in_a_sentence(tmp_path, text, message):
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(BadRequest, match=f"kubeconfig {file}:? {message}"):
        load(file)


def test_certificates_that_are_none():
    with pytest.raises(BadRequest, match="certificate authority of https://h is no certificate"):
        Connection(server="https://h", certificate_authority="x").ssl_context()
    with pytest.raises(BadRequest, match="client certificate and key for https://h are no pair"):
        Connection(server="https://h", client_certificate="x", client_key="y").ssl_context()
