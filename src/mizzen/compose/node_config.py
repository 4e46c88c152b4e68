"""Writes what a kubelet needs to be a node of this instance: credentials and configuration.

Each folder is one node's: the kubelet is `system:node:NAME`, to whom the Node authorizer gives what
its own pods refer to, and lets in who the API server says may.
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mizzen.apiserver.core.user import NODE_PREFIX, NODES
from mizzen.base.clock import Clock
from mizzen.base.names import KUBE_PROXY
from mizzen.compose import settings as settings_module
from mizzen.host import pki, private, service_ranges
from mizzen.host.files import write_atomically
from mizzen.host.home import Home

CONTAINERD = "unix:///run/containerd/containerd.sock"
KUBELET_PORT = 10250
CLUSTER_DOMAIN = "cluster.local"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # RFC 1123, as a Node's


class NotPossible(Exception):
    """Nothing was written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class NodeWish:
    """The node that is to join: its name, where its kubelet listens, what runs its containers."""

    name: str
    address: str
    runtime_endpoint: str = CONTAINERD
    cluster_dns: str = ""
    port: int = KUBELET_PORT


def write(home: Home, folder: Path, wish: NodeWish, clock: Clock) -> list[str]:
    """Writes the folder, mode 0700, and returns what is to be known, a sentence each.

    What lies there of an earlier call is replaced; its certificates count on until they end.
    Errors: NotPossible, settings.BadSettings, OSError.
    """
    if not _NAME.fullmatch(wish.name):
        raise NotPossible(
            f"{wish.name!r} is no name of a node: lower-case letters, digits, '-' and '.'"
        )
    for text in filter(None, (wish.address, wish.cluster_dns)):
        _check_address(text)
    if not (home.pki / "ca.key").exists():
        raise NotPossible(
            f"there is no instance at {home.root}: the first `mizzen up --detach` makes it"
        )
    settings = settings_module.current(home)
    folder = folder.absolute()
    private.make_folder(folder)
    tls = pki.certify_kubelet(home, clock, folder, wish.name, [wish.address])
    server = pki.server_url(settings.listen, settings.certificate_port)
    authority, now = tls.ca_file.read_bytes(), datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
    for file, user, groups in (
        ("kubeconfig", NODE_PREFIX + wish.name, (NODES,)),
        ("kube-proxy.kubeconfig", KUBE_PROXY, ()),
    ):
        certificate, key = pki.client_certificate(home, now, user, groups)
        text = pki.certificate_kubeconfig(server, authority, user, certificate, key)
        write_atomically(folder / file, text.encode(), mode=0o600)
    for file, config in (
        ("kubelet.yaml", kubelet_configuration(folder, wish)),
        ("kube-proxy.yaml", kube_proxy_configuration(folder, wish)),
    ):
        # JSON is YAML, too, and needs no quoting rules.
        write_atomically(folder / file, (json.dumps(config, indent=2) + "\n").encode())
    return list(_advice(settings))


def kubelet_configuration(folder: Path, wish: NodeWish) -> dict[str, Any]:
    """A KubeletConfiguration that leaves out what the kubelet's own defaults say."""
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": wish.address,
        "port": wish.port,
        "readOnlyPort": 0,
        "containerRuntimeEndpoint": wish.runtime_endpoint,
        "clusterDomain": CLUSTER_DOMAIN,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(folder / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "rotateCertificates": True,  # it asks for the next one by a CertificateSigningRequest
        "tlsCertFile": str(folder / "kubelet.crt"),
        "tlsPrivateKeyFile": str(folder / "kubelet.key"),
    }
    if wish.cluster_dns:
        config["clusterDNS"] = [wish.cluster_dns]
    return config


def kube_proxy_configuration(folder: Path, wish: NodeWish) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(folder / "kube-proxy.kubeconfig")},
        "hostnameOverride": wish.name,
        "mode": "nftables",
    }


def _check_address(text: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise NotPossible(f"{text!r} is no IP address: give the node's own") from None
    if address.is_loopback or address.is_unspecified:
        raise NotPossible(
            f"{text}: a kubelet takes no loopback or wildcard address for its node's: give one of "
            "an interface (`ip addr` shows them)"
        )


def _advice(settings: settings_module.Settings) -> list[str]:
    listens = ipaddress.ip_address(settings.listen)
    found: list[str] = []
    if listens.is_loopback or listens.is_unspecified:
        found.append(
            f"the API server listens on {settings.listen}: pods of this node reach it, and other "
            "machines' kubelets do, after `mizzen up --listen ADDRESS` with an address of this "
            "machine's (then write this folder again)"
        )
    if service_ranges.is_loopback(settings.service_cluster_ip_range):
        found.append(
            f"Services have loopback addresses ({settings.service_cluster_ip_range}), which this "
            "node's pods cannot reach: `mizzen up --service-cluster-ip-range 10.96.0.0/16`, and "
            "kube-proxy on each machine, give them others"
        )
    return found
