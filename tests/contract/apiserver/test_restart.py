"""Nothing acknowledged is lost when the API server is killed."""

from __future__ import annotations

from pathlib import Path

from support import api_server


def test_kill_9_and_start_again(tmp_path: Path) -> None:
    server = api_server.start(tmp_path)
    path = "/api/v1/namespaces/default/configmaps"
    for n in range(5):
        assert server.call("POST", path, {"metadata": {"name": f"c{n}"}})[0] == 201
    _, before = server.call("GET", path)
    server.process.kill()
    server.process.wait()
    again = api_server.start(tmp_path)
    try:
        _, after = again.call("GET", path)
        assert after["items"] == before["items"]
    finally:
        again.process.terminate()
        assert again.process.wait(10) == 0


def test_open_watches_do_not_hold_up_the_end(tmp_path: Path) -> None:
    server = api_server.start(tmp_path)
    json_type = "application/json"
    with server.open("GET", "/api/v1/pods?watch=1", None, "admin", json_type, json_type) as watch:
        server.process.terminate()
        assert server.process.wait(1.5) == 0
        assert watch.read() == b""
