from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mizzen.node.serving import ServingSockets

PROBE = {"httpGet": {"path": "/health", "port": 8000}}


def pod(**container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "tiny-0", "uid": "u1"},
        "spec": {"containers": [{"name": "engine", "image": "mizzen.dev/engine", **container}]},
    }


def test_a_replica_is_told_its_socket_and_probed_there(tmp_path: Path) -> None:
    sockets = ServingSockets(tmp_path / "serving")
    told = sockets.variables(pod())
    assert told == {"MIZZEN_SERVING_SOCKET": str(tmp_path / "serving" / "u1.sock")}
    assert sockets.of_probe(pod(), PROBE).endswith("/u1.sock")


@pytest.mark.parametrize(
    "container", [{"image": "mizzen.dev/python"}, {"command": ["python", "-m", "http.server"]}]
)
def test_other_pods_get_none(tmp_path: Path, container: dict[str, Any]) -> None:
    sockets = ServingSockets(tmp_path / "serving")
    assert sockets.variables(pod(**container)) == {}
    assert sockets.of_probe(pod(**container), PROBE) == ""


@pytest.mark.parametrize(
    "probe",
    [
        {"httpGet": {"path": "/health", "port": 9000}},
        {"httpGet": {"path": "/health", "port": 8000, "host": "127.0.0.1"}},
        {"tcpSocket": {"port": 8000}},
    ],
)
def test_probes_of_other_things_go_where_they_say(tmp_path: Path, probe: dict[str, Any]) -> None:
    assert ServingSockets(tmp_path / "serving").of_probe(pod(), probe) == ""


def test_sockets_of_pods_that_are_gone_go(tmp_path: Path) -> None:
    sockets = ServingSockets(tmp_path / "serving")
    for name in ("u1", "u2", "u3"):
        (tmp_path / "serving" / f"{name}.sock").touch()
    sockets.remove("u1")
    sockets.remove("u1")
    sockets.sweep({"u2"})
    assert [path.name for path in (tmp_path / "serving").iterdir()] == ["u2.sock"]
