"""The agent's view of what runs, from what a shim says in one breath."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from mizzen.node.runtimes.process.shim_client import Shim


def speak(listener: socket.socket) -> None:
    """As a shim whose run ends while the agent that asks is slow to read."""
    agent, _ = listener.accept()
    with agent:
        agent.sendall(b'{"event": "hello", "pid": 1, "ticks": 1}\n')
        agent.recv(4096)
        run = {"key": "u/main/0", "pid": 4, "ticks": 7, "started": 0}
        others = {**run, "key": "u/main/1"}
        listed = {"event": "processes", "processes": [run, others]}
        ended = {"event": "exited", **run, "code": 0}
        agent.sendall(b"".join(json.dumps(m).encode() + b"\n" for m in (listed, ended)))
        agent.recv(4096)


async def test_a_run_that_ends_as_it_is_listed_does_not_run(tmp_path: Path) -> None:
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "shim.sock"))
        listener.listen()
        speaking = asyncio.create_task(asyncio.to_thread(speak, listener))
        shim = Shim(tmp_path, lambda message: heard.append(message["event"]))
        await shim.connect()
        assert heard == ["exited"]
        assert shim.running == {"u/main/1": (4, 7)}
        await shim.close()
        await speaking
