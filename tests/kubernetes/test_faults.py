"""The world changes under a running decision, and the server stumbles: all ends well or is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest

from support.proxy import Proxy, Write
from support.second_home import Stage, component, until_ready

GANG = 3


def a_few(
    status: int, times: int, matches: str = ""
) -> Callable[[Write], tuple[int, bytes] | None]:
    """Answers the first writes (of paths that end so) itself: the server never sees them."""
    left = [times]

    def before(write: Write) -> tuple[int, bytes] | None:
        if left[0] == 0 or not write.path.endswith(matches):
            return None
        left[0] -= 1
        return status, json.dumps({"message": f"the test answers {status}"}).encode()

    return before


@pytest.mark.parametrize("status", [429, 500, 503, 504])
async def test_a_server_that_stumbles_is_asked_again(
    stage: Stage, proxy: Proxy, status: int
) -> None:
    await stage.add_node("ours", GANG)
    proxy.before = a_few(status, 5)
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", GANG)
        await stage.until(lambda: bound(stage, GANG), "the gang is bound")
        await stage.until(lambda: no_intents(stage), "no record stays")
    await stage.assert_no_device_twice()


async def test_writes_that_took_effect_unheard_are_not_made_twice(
    stage: Stage, proxy: Proxy
) -> None:
    """Every write is carried out, and every second one answered with an error all the same."""
    await stage.add_node("ours", GANG)
    proxy.spoil_answer = lambda write: (500, b'{"message": "lost"}') if write.number % 2 else None
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", GANG)
        await stage.until(lambda: bound(stage, GANG), "the gang is bound")
        await stage.until(lambda: no_intents(stage), "no record stays")
    await stage.assert_no_device_twice()
    binds = [w.path for w in proxy.writes if w.path.endswith("/binding")]
    assert len(binds) == len(set(binds)) == GANG


async def test_a_member_bound_by_somebody_else_undoes_the_gang(stage: Stage, proxy: Proxy) -> None:
    """When all is decided and a first claim is written, one member is bound elsewhere."""
    await stage.add_node("ours", GANG)
    await stage.add_node("theirs", 0, ours=False)
    stolen: list[str] = []

    def before(write: Write) -> tuple[int, bytes] | None:
        if "resourceclaims" in write.path and not stolen:
            stolen.append("train-0")
            namespace, name = stage.namespace, stolen[0]
            body = {
                "metadata": {"name": name, "namespace": namespace},
                "target": {"kind": "Node", "name": "theirs"},
            }
            path = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
            status, answer = stage.cluster.call("POST", path, body)
            assert status == 201, answer
        return None

    proxy.before = before
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", GANG)

        async def only_the_stolen_one_is_bound() -> bool:
            await stage.bury()
            return list(await stage.bound()) == stolen and not await stage.held()

        await stage.until(only_the_stolen_one_is_bound, "the others are taken back")

        async def is_told() -> bool:
            return "was bound to theirs by somebody else" in scheduler.log

        await stage.until(is_told, "the log says why")
        await stage.until(lambda: no_intents(stage), "no record stays")


async def test_a_pod_deleted_as_it_is_bound_gives_its_device_back(
    stage: Stage, proxy: Proxy
) -> None:
    await stage.add_node("ours", 1)
    await stage.add_claim("one")

    def before(write: Write) -> tuple[int, bytes] | None:
        if write.path.endswith("/pods/one/binding"):
            path = f"/api/v1/namespaces/{stage.namespace}/pods/one"
            stage.cluster.call("DELETE", path, {"gracePeriodSeconds": 0})
        return None

    proxy.before = before
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_pod("one", claims=("one",))

        async def next_has_the_device() -> bool:
            return "two" in await stage.bound()

        await stage.until(lambda: is_gone(stage, "one"), "it is deleted")
        await stage.add_claim("two")
        await stage.add_pod("two", claims=("two",))
        await stage.until(next_has_the_device, "the device is free again")
    await stage.assert_no_device_twice()


async def test_watches_that_are_too_old_are_begun_anew(stage: Stage, proxy: Proxy) -> None:
    """410 Gone to watches, again and again: nothing is missed, nothing is done twice."""
    await stage.add_node("ours", GANG)
    gone = [12]

    def read(path: str, query: str) -> tuple[int, bytes] | None:
        if "resourceVersion=" in query and "watch=true" in query and gone[0]:
            gone[0] -= 1
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
            return 410, json.dumps(status).encode()
        return None

    proxy.read = read
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        for count in range(1, 4):
            await proxy.cut_watches()
            await stage.add_gang(f"train-{count}", 1)
            await stage.until(partial(bound, stage, count), "it is bound")
        assert gone[0] < 12, "no watch was refused: the test tests nothing"
    await stage.assert_no_device_twice()


async def test_optional_apis_may_be_absent(stage: Stage, proxy: Proxy) -> None:
    """No PodGroups on this cluster: said once, and plain pods are placed all the same."""
    await stage.add_node("ours", 1)

    def read(path: str, query: str) -> tuple[int, bytes] | None:
        return (404, b"404 page not found") if "podgroups" in path else None

    proxy.read = read
    async with component("scheduler", stage.cluster.kubeconfig(server=proxy.url)) as scheduler:
        await until_ready(scheduler)
        await stage.add_claim("one")
        await stage.add_pod("one", claims=("one",))
        await stage.until(lambda: bound(stage, 1), "it is bound")
    told = [line for line in scheduler.lines if "are not served here" in line]
    assert len([line for line in told if "scheduling.k8s.io" in line]) == 1, told


async def bound(stage: Stage, members: int) -> bool:
    return len(await stage.bound()) == members


async def no_intents(stage: Stage) -> bool:
    return not await stage.intents()


async def is_gone(stage: Stage, name: str) -> bool:
    return name not in await stage.pods()
