"""Containers find Services by the variables that a kubelet would set."""

from __future__ import annotations

from typing import Any

from mizzen.node.core.service_variables import service_variables


def service(name: str, address: str, *ports: dict[str, Any], namespace: str = "default") -> Any:
    return {"metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": address, "ports": list(ports)}}  # fmt: skip


KUBERNETES = service("kubernetes", "127.2.0.1", {"name": "https", "port": 443, "protocol": "TCP"})
WEB = service(
    "my-web", "127.2.0.9", {"name": "http", "port": 80}, {"name": "dns-u", "port": 53,
    "protocol": "UDP"}, namespace="a",
)  # fmt: skip


def test_hosts_ports_and_links_of_each_service() -> None:
    found = service_variables([WEB], "a", True)
    assert found == {
        "MY_WEB_SERVICE_HOST": "127.2.0.9",
        "MY_WEB_SERVICE_PORT": "80",
        "MY_WEB_SERVICE_PORT_HTTP": "80",
        "MY_WEB_SERVICE_PORT_DNS_U": "53",
        "MY_WEB_PORT": "tcp://127.2.0.9:80",
        "MY_WEB_PORT_80_TCP": "tcp://127.2.0.9:80",
        "MY_WEB_PORT_80_TCP_PROTO": "tcp",
        "MY_WEB_PORT_80_TCP_PORT": "80",
        "MY_WEB_PORT_80_TCP_ADDR": "127.2.0.9",
        "MY_WEB_PORT_53_UDP": "udp://127.2.0.9:53",
        "MY_WEB_PORT_53_UDP_PROTO": "udp",
        "MY_WEB_PORT_53_UDP_PORT": "53",
        "MY_WEB_PORT_53_UDP_ADDR": "127.2.0.9",
    }


def test_kubernetes_is_for_all_and_others_for_their_namespace_if_it_wants_them() -> None:
    headless = service("none", "None", namespace="a")
    both = [KUBERNETES, WEB, headless]
    hosts = lambda *args: {  # noqa: E731
        k: v for k, v in service_variables(both, *args).items() if k.endswith("_SERVICE_HOST")
    }
    own = {"KUBERNETES_SERVICE_HOST": "127.2.0.1"}
    assert hosts("a", True) == {**own, "MY_WEB_SERVICE_HOST": "127.2.0.9"}
    assert hosts("a", False) == own
    assert hosts("b", True) == own
