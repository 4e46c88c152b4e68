"""Names that users type, against a real API server in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mizzen.base.resources import DEVICE_CLASSES, JOBS, PODS
from mizzen.cli.exits import NOT_FOUND, USAGE, CliError
from mizzen.cli.finding import find, find_device_class
from mizzen.client.client import Client
from support.api_in_process import api_server

POD = {"containers": [{"name": "main", "image": "mizzen.dev/python"}], "restartPolicy": "Never"}


def named(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "default"}


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with api_server(tmp_path) as client:
        await client.create(PODS, {"metadata": named("dup"), "spec": POD})
        await client.create(JOBS, {"metadata": named("dup"), "spec": {"template": {"spec": POD}}})
        await client.create(PODS, {"metadata": named("single"), "spec": POD})
        yield client


async def test_a_name_that_several_have_is_refused_with_all_of_them(client: Client) -> None:
    with pytest.raises(CliError, match="'dup' may be job/dup and pod/dup: say which") as caught:
        await find(client, "dup", "default")
    assert caught.value.code == USAGE
    assert (await find(client, "job/dup", "default"))[0] == JOBS


async def test_a_name_that_one_has_is_found_and_one_that_nobody_has_is_said_so(
    client: Client,
) -> None:
    assert (await find(client, "single", "default"))[0] == PODS
    with pytest.raises(CliError, match="`mizzen ps` lists") as caught:
        await find(client, "nobody", "default")
    assert caught.value.code == NOT_FOUND


async def test_a_device_class_that_is_not_there_is_told_beside_those_that_are(
    client: Client,
) -> None:
    spec = {"extendedResourceName": "example.com/fast"}
    await client.create(DEVICE_CLASSES, {"metadata": {"name": "fast"}, "spec": spec})
    assert (await find_device_class(client, "fast"))["spec"] == spec
    with pytest.raises(CliError, match="'nope' does not exist; there are: fast") as caught:
        await find_device_class(client, "nope")
    assert caught.value.code == NOT_FOUND
