"""The folder of a node: what a kubelet is started with, and nothing that is another's."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mizzen.client import kubeconfig
from mizzen.compose import node_config
from mizzen.compose.settings import Settings, save
from mizzen.host import pki
from mizzen.host.home import Home
from support.clocks import Clocks

ADDRESS, RANGE = "192.0.2.7", "10.96.0.0/16"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.locate(str(tmp_path / "home"), {})
    home.make()
    pki.ensure(home, Clocks(), listen=ADDRESS, port=7443)
    save(home, Settings(listen=ADDRESS, service_cluster_ip_range=RANGE))
    return home


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def test_the_kubelet_is_its_node_and_asks_the_api_server_who_may(
    home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "n1"
    wish = node_config.NodeWish("n1", "192.0.2.9", cluster_dns="10.96.0.10")
    assert node_config.write(home, folder, wish, Clocks()) == []

    connection = kubeconfig.load(folder / "kubeconfig")
    assert connection.server == f"https://{ADDRESS}:{Settings().certificate_port}"
    certificate = x509.load_pem_x509_certificate(connection.client_certificate.encode())
    assert certificate.subject.rfc4514_string() in (
        "CN=system:node:n1,O=system:nodes", "O=system:nodes,CN=system:node:n1",
    )  # fmt: skip
    assert not connection.token

    config = read(folder / "kubelet.yaml")
    assert config["authentication"]["anonymous"] == {"enabled": False}
    assert config["authentication"]["webhook"] == {"enabled": True}
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["clusterDNS"] == ["10.96.0.10"] and config["address"] == "192.0.2.9"
    assert config["readOnlyPort"] == 0
    for named in (config["tlsCertFile"], config["authentication"]["x509"]["clientCAFile"]):
        assert Path(named).parent == folder
    assert read(folder / "kube-proxy.yaml")["hostnameOverride"] == "n1"
    assert all(
        (folder / name).stat().st_mode & 0o077 == 0
        for name in ("kubeconfig", "kube-proxy.kubeconfig", "kubelet.key")
    )


def test_the_certificate_serves_the_nodes_address_and_is_no_clients(
    home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "n1"
    node_config.write(home, folder, node_config.NodeWish("n1", "192.0.2.9"), Clocks())
    certificate = x509.load_pem_x509_certificate((folder / "kubelet.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(each.value) for each in names} == {"192.0.2.9", "n1"}
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "kubelet.crt", folder / "kubelet.key")


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [("N1", "192.0.2.9", "no name of a node"), ("n1", "here", "no IP address"),
     ("n1", "127.0.0.1", "no loopback"), ("n1", "0.0.0.0", "no loopback")],
)  # fmt: skip
def test_what_no_kubelet_takes_is_refused(
    home: Home, tmp_path: Path, name: str, address: str, said: str
) -> None:
    with pytest.raises(node_config.NotPossible, match=said):
        node_config.write(home, tmp_path / "n", node_config.NodeWish(name, address), Clocks())
    assert not (tmp_path / "n").exists()


def test_before_the_first_start_there_is_nothing_to_join(tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path / "none"), {})
    with pytest.raises(node_config.NotPossible, match="mizzen up"):
        node_config.write(home, tmp_path / "n", node_config.NodeWish("n", "192.0.2.9"), Clocks())


def test_what_keeps_pods_of_the_node_apart_is_said(home: Home, tmp_path: Path) -> None:
    save(home, Settings(service_cluster_ip_range="127.2.0.0/20"))
    said = node_config.write(home, tmp_path / "n", node_config.NodeWish("n", ADDRESS), Clocks())
    assert len(said) == 2
    assert "--listen" in said[0] and "--service-cluster-ip-range" in said[1]
