"""pods/exec and pods/attach: streams, ends and refusals, from a websocket's client to a process."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from mizzen.base.resources import PODS
from support.pod_streams import DEADLINE_S, V4, V5, Said, StreamsWorld, binary, streams_world
from support.waiting import until

Params = list[tuple[str, str]]
ALL: Params = [("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
SUCCESS = {"metadata": {}, "status": "Success"}


def command(script: str, streams: Params = ALL) -> Params:
    return [*streams, ("command", "sh"), ("command", "-c"), ("command", script)]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[StreamsWorld]:
    async with streams_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize("protocol", [V5, V4])
async def test_streams_and_the_exit_code_come_back(world: StreamsWorld, protocol: str) -> None:
    await world.run("p", "exec sleep 600")
    script = 'read line; echo "got $line"; echo err >&2; exit 3'
    async with await world.dial("p", "exec", command(script), protocol) as socket:
        said = Said(socket, binary)
        await socket.send_bytes(b"\x00a lin")
        await socket.send_bytes(b"\x00e\n")
        status = await said.status()
    assert (said.by_channel[1], said.by_channel[2]) == (b"got a line\n", b"err\n")
    assert status == {
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": "command terminated with non-zero exit code: error executing command "
        f"[sh -c {script}], exit code 3",
        "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
    }  # fmt: skip
    assert socket.close_code == 1000


async def test_the_end_of_the_input_is_told_in_v5(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")
    async with await world.dial("p", "exec", command("cat; echo over")) as socket:
        said = Said(socket, binary)
        await socket.send_bytes(b"\x00all of it\n")
        await socket.send_bytes(b"\xff\x00")
        assert await said.status() == SUCCESS
    assert said.by_channel[1] == b"all of it\nover\n"


async def test_base64_and_the_protocols_before_v4(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")

    def text(message: str) -> tuple[int, bytes]:
        return int(message[0]), base64.b64decode(message[1:])

    dial = world.dial("p", "exec", command("read x; echo $x; exit 2"), "v4.base64.channel.k8s.io")
    async with await dial as socket:
        said = Said(socket, text)
        await socket.send_str("0" + base64.b64encode(b"hi\n").decode())
        assert (await said.status())["reason"] == "NonZeroExitCode"
    assert said.by_channel[1] == b"hi\n"
    async with await world.dial("p", "exec", command("exit 2"), "channel.k8s.io") as socket:
        assert b"exit code 2" in (await Said(socket, binary).all())[3]


async def test_a_terminal_and_its_size(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")
    params = command("read x; stty size; test -t 1", [*ALL, ("tty", "true")])
    async with await world.dial("p", "exec", params) as socket:
        said = Said(socket, binary)
        for odd in (b"", b"{", b"[]", b'{"Width":"x"}', b'{"Width":-1,"Height":5}', b"x" * 5000):
            await socket.send_bytes(b"\x04" + odd)
        await socket.send_bytes(b'\x04{"Width":120,"Height":40}')
        await socket.send_bytes(b"\x00\n")
        assert await said.status() == SUCCESS
    assert b"40 120" in said.by_channel[1]


async def test_a_program_that_is_not_there_is_an_internal_error(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")
    async with await world.dial("p", "exec", [*ALL, ("command", "no-such")]) as socket:
        status = await Said(socket, binary).status()
    assert (status["reason"], status["code"]) == ("InternalError", 500)
    assert "error executing command in container" in status["message"]
    assert "no-such" in status["message"]


async def test_much_comes_through_both_ways(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")
    sent = os.urandom(4 << 20)
    async with await world.dial("p", "exec", command("exec cat")) as socket:
        said = Said(socket, binary)

        async def send() -> None:
            for at in range(0, len(sent), 100_000):
                await socket.send_bytes(b"\x00" + sent[at : at + 100_000])
            await socket.send_bytes(b"\xff\x00")

        _, status = await asyncio.gather(send(), said.status())
    assert status == SUCCESS and said.by_channel[1] == sent


async def test_many_at_once_are_each_their_own(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")

    async def one(number: int) -> None:
        async with await world.dial("p", "exec", command(f"echo {number}")) as socket:
            said = Said(socket, binary)
            assert await said.status() == SUCCESS
            assert said.by_channel[1] == f"{number}\n".encode()

    await asyncio.gather(*(one(number) for number in range(20)))


async def test_who_leaves_hangs_up_on_what_runs(world: StreamsWorld, tmp_path: Path) -> None:
    await world.run("p", "exec sleep 600")
    mark = tmp_path / "mark"
    script = f"trap 'touch {mark}; exit' HUP; echo ready; while :; do sleep 0.05; done"
    async with await world.dial("p", "exec", command(script, [*ALL, ("tty", "1")])) as socket:
        await Said(socket, binary).until(1, b"ready")
    await until(mark.exists, "it was hung up on", DEADLINE_S)


async def test_a_command_ends_with_its_container(world: StreamsWorld) -> None:
    await world.run("p", "exec sleep 600")
    async with await world.dial("p", "exec", command("echo in; exec sleep 600")) as socket:
        said = Said(socket, binary)
        await said.until(1, b"in")
        await world.client.delete(PODS, "p", "default", grace_period_s=0)
        assert (await said.status())["details"]["causes"][0]["message"] == "137"


async def test_who_attaches_meets_the_containers_own_program(world: StreamsWorld) -> None:
    await world.run("p", "while read x; do echo got $x; done; echo over", stdin=True)
    async with await world.dial("p", "attach", ALL) as socket:
        said = Said(socket, binary)
        await socket.send_bytes(b"\x00one\n")
        await said.until(1, b"got one")
    async with await world.dial("p", "attach", ALL) as socket:
        said = Said(socket, binary)
        await socket.send_bytes(b"\x00two\n")
        assert await said.until(1, b"got two") == b"got two\n"
        await world.client.delete(PODS, "p", "default", grace_period_s=0)
        assert await said.status() == SUCCESS
    assert socket.close_code == 1000


@pytest.mark.parametrize(
    "message",
    [b"", b"\x00", b"\x09x", b"\xff", b"\xff\x09", b"\xff\x00\x00", "text", "", b"\x80" * 1000],
)
async def test_no_message_harms_the_node(world: StreamsWorld, message: Any) -> None:
    await world.run("p", "exec sleep 600")
    async with await world.dial("p", "exec", command("read x; echo $x")) as socket:
        send = socket.send_str if isinstance(message, str) else socket.send_bytes
        await send(message)
        await socket.send_bytes(b"\x00on\n")
        await Said(socket, binary).all()
    async with await world.dial("p", "exec", command("true")) as socket:
        assert await Said(socket, binary).status() == SUCCESS


@pytest.mark.parametrize("what", ["exec", "attach"])
async def test_refusals_are_upstreams(world: StreamsWorld, what: str) -> None:
    await world.run("p", "exec sleep 600")
    await world.client.create(
        PODS,
        {
            "metadata": {"name": "two", "namespace": "default"},
            "spec": {
                "schedulerName": "nobody",
                "containers": [{"name": name, "image": "mizzen.dev/python"} for name in ("a", "b")],
            },
        },
    )
    asked = command("true") if what == "exec" else ALL
    for post in (False, True):
        ask = world.post if post else world.refusal
        assert await ask("nobody", what, asked) == (404, 'pods "nobody" not found')
        assert await ask("two", what, [*asked, ("container", "a")]) == (
            400, "pod two does not have a host assigned",
        )  # fmt: skip
        assert await ask("p", what, [*asked, ("container", "x")]) == (
            400, "container x is not valid for pod p",
        )  # fmt: skip
    assert await world.refusal("p", what, []) == (
        400, "you must specify at least 1 of stdin, stdout, stderr",
    )  # fmt: skip
    assert (await world.post("p", what, asked))[1].startswith("SPDY is not spoken here")
    code, message = await world.refusal("p", what, asked, "v9.channel.k8s.io")
    assert code == 400 and "none of the subprotocols v9.channel.k8s.io" in message


async def test_a_container_that_has_ended_is_not_found(world: StreamsWorld) -> None:
    spec = {"restartPolicy": "Never"}
    await world.pod("p", "true", **spec)
    await world.until("p", lambda pod: "terminated" in str(pod.get("status")))
    for ask in (world.refusal, world.post):
        assert await ask("p", "exec", command("true")) == (500, 'container not found ("main")')


async def test_an_agent_that_goes_breaks_the_stream_and_not_the_container(
    world: StreamsWorld,
) -> None:
    await world.run("p", "while read x; do echo got $x; done", stdin=True)
    before = await world.client.get(PODS, "p", "default")
    async with await world.dial("p", "attach", ALL) as socket:
        said = Said(socket, binary)
        await socket.send_bytes(b"\x00one\n")
        await said.until(1, b"got one")
        await world.crash()
        assert 3 not in await said.all()
        assert socket.close_code == aiohttp.WSCloseCode.INTERNAL_ERROR
    code, message = await world.refusal("p", "attach", ALL)
    assert code == 503 and "does not answer" in message
    await world.start()
    async with await world.dial("p", "attach", ALL) as socket:
        await socket.send_bytes(b"\x00two\n")
        await Said(socket, binary).until(1, b"got two")
    after = await world.client.get(PODS, "p", "default")
    assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
