"""Nothing acknowledged is lost when the API server is killed."""

from __future__ import annotations

from pathlib import Path

from support import api_process


def test_kill_9_and_start_again(tmp_path: Path) -> None:
    server = api_process.start(tmp_path)
    path = "/api/v1/namespaces/default/configmaps"
    for n in range(5):
        assert server.call("POST", path, {"metadata": {"name": f"c{n}"}})[0] == 201
    _, before = server.call("GET", path)
    server.process.kill()
    server.process.wait()
    again = api_process.start(tmp_path)
    try:
        _, after = again.call("GET", path)
        assert after["items"] == before["items"]
    finally:
        again.process.terminate()
        assert again.process.wait(60) == 0


def test_open_watches_do_not_hold_up_the_end(tmp_path: Path) -> None:
    server = api_process.start(tmp_path)
    json_type = "application/json"
    with server.open("GET", "/api/v1/pods?watch=1", None, "admin", json_type, json_type) as watch:
        server.process.terminate()
        assert server.process.wait(1.5) == 0
        assert watch.read() == b""


def test_a_device_given_before_is_not_given_again(tmp_path: Path) -> None:
    server = api_process.start(tmp_path)
    path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims"
    wanted = {"name": "r", "exactly": {"deviceClassName": "cpu-core.mizzen.dev"}}
    given = {"request": "r", "driver": "cpu.mizzen.dev", "pool": "n1", "device": "core-0"}
    for name in ("a", "b"):
        body = {"metadata": {"name": name}, "spec": {"devices": {"requests": [wanted]}}}
        assert server.call("POST", path, body)[0] == 201
    status = {"status": {"allocation": {"devices": {"results": [given]}}}}

    def give(api: api_process.ApiServer, name: str) -> int:
        merge = "application/merge-patch+json"
        return api.call("PATCH", f"{path}/{name}/status", status, content_type=merge)[0]

    assert give(server, "a") == 200
    server.process.kill()
    server.process.wait()
    again = api_process.start(tmp_path)
    try:
        assert give(again, "b") == 409
    finally:
        again.process.terminate()
        assert again.process.wait(60) == 0
