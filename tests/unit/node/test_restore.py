"""What runs became while no agent looked, by the records that they left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mizzen.base.objects import Obj
from mizzen.node.agent import Agent
from mizzen.node.core.events import Adopted, Event, Exited, Started
from mizzen.node.core.pod import new_pod, step
from mizzen.node.podfiles import PodFiles, write_json
from mizzen.node.restore import restore
from mizzen.node.runtimes.process.cgroups import Cgroups
from mizzen.node.runtimes.process.runtime import ProcessRuntime
from mizzen.node.slot import INTERRUPTED, Slot
from support.api_in_process import api_server
from support.waiting import until
from unit.node.test_agent import World, phase

S = 1_000_000_000
NOW = 1_700_000_000 * S


def slot_in(folder: Path) -> Slot:
    container = {"name": "main", "image": "mizzen.dev/python"}
    pod: Obj = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u"},
        "spec": {"containers": [container]},
    }
    runtime = ProcessRuntime(folder, Cgroups("best-effort", {}))
    return Slot("u", new_pod(pod, "127.99.0.2", NOW), PodFiles(folder, "u"), runtime)


def restored(slot: Slot, held: dict[str, tuple[int, int]] | None = None) -> list[Event]:
    """What follows once the pod's machine knows what was begun; `held` by the shim."""
    assert isinstance(slot.runtime, ProcessRuntime)
    slot.runtime.shim.running = held or {}
    adopted, *events = restore(slot, NOW)
    assert isinstance(adopted, Adopted) and step(slot.state, adopted) == []
    return events


def ran(slot: Slot, number: int, started: int, finished: int, code: int = 3) -> None:
    record: dict[str, Any] = {
        "pid": 0, "ticks": 0, "state": "exited", "code": code, "signal": 0,
        "started": started, "finished": finished,
    }  # fmt: skip
    write_json(slot.files.record("main", number), record)


def test_a_run_that_was_interrupted_says_so_and_its_failures_do_not_count(tmp_path: Path) -> None:
    slot = slot_in(tmp_path)
    ran(slot, 0, NOW - 20 * S, NOW - 19 * S)
    ran(slot, 1, NOW - 9 * S, NOW - 4 * S)
    slot.files.interrupt(NOW - 5 * S)
    (event,) = restored(slot)
    assert isinstance(event, Exited) and event.reason == INTERRUPTED
    assert slot.state.containers[0].failures == 0


def test_a_run_begun_after_the_instance_came_up_again_fails_by_itself(tmp_path: Path) -> None:
    slot = slot_in(tmp_path)
    ran(slot, 0, NOW - 9 * S, NOW - 5 * S)
    slot.files.interrupt(NOW - 6 * S)
    ran(slot, 1, NOW - 3 * S, NOW - 2 * S)
    (event,) = restored(slot)
    assert isinstance(event, Exited) and event.reason == "" and event.code == 3
    last = slot.state.containers[0].last
    assert last is not None and last.reason == INTERRUPTED


def test_a_crash_loop_goes_on_where_it_was(tmp_path: Path) -> None:
    slot = slot_in(tmp_path)
    for number in range(5):
        ran(slot, number, NOW - (20 - number) * S, NOW - (19 - number) * S)
    restored(slot)
    assert slot.state.containers[0].failures == 4


def test_a_run_that_lasted_clears_what_came_before(tmp_path: Path) -> None:
    slot = slot_in(tmp_path)
    for number, length in enumerate((1, 90, 1, 1)):
        ran(slot, number, NOW - 200 * S, NOW - (200 - length) * S)
    restored(slot)
    assert slot.state.containers[0].failures == 1


def test_an_end_in_the_future_is_heard_now(tmp_path: Path) -> None:
    """The clock was set back while no agent ran: the pause is no hour long."""
    slot = slot_in(tmp_path)
    ran(slot, 0, NOW + 3600 * S, NOW + 3601 * S)
    (event,) = restored(slot)
    assert isinstance(event, Exited) and event.heard == NOW


def test_records_that_were_damaged_count_as_lost(tmp_path: Path) -> None:
    odd: list[Obj] = [
        {},
        {"pid": "1", "ticks": None, "state": "exited"},
        {"pid": -1, "ticks": 5, "state": "running", "started": "x"},
        {"pid": 1, "ticks": 0, "state": "exited", "code": [], "started": -5, "finished": {}},
        {"state": "exited", "code": 10**40, "started": True, "finished": 10**40},
    ]
    for content in odd:
        slot = slot_in(tmp_path)
        write_json(slot.files.record("main", 0), content)
        (event,) = restored(slot)
        assert isinstance(event, Exited)
        assert (event.code, event.reason) == (137, "ContainerStatusUnknown"), content


def test_what_a_runtime_holds_runs_whatever_its_records_say(tmp_path: Path) -> None:
    """None, because the pod removed its folder; older ones, the disk was full; forged ones."""
    slot = slot_in(tmp_path)
    (event,) = restored(slot, {"u/main/3": (77, 5), "other/main/4": (78, 5)})
    assert (event, slot.state.containers[0].number) == (Started("main", 3, "process://77", NOW), 3)
    slot = slot_in(tmp_path)
    ran(slot, 2, NOW - 9 * S, NOW - 5 * S)
    ran(slot, 999_999_999, NOW - 9 * S, NOW - 5 * S)
    (event,) = restored(slot, {"u/main/3": (77, 5)})
    assert (event, slot.state.containers[0].number) == (Started("main", 3, "process://77", NOW), 3)
    last = slot.state.containers[0].last
    assert last is not None and last.number == 2


def test_a_live_run_has_the_id_that_its_runtime_says(tmp_path: Path) -> None:
    slot = slot_in(tmp_path)
    forged = {"pid": 1, "ticks": 1, "state": "exited", "code": 0, "started": 10**40, "finished": 1}
    write_json(slot.files.record("main", 0), forged)
    (event,) = restored(slot, {"u/main/0": (77, 5)})
    assert event == Started("main", 0, "process://77", NOW)


def test_a_pod_that_was_never_begun_is_not_adopted(tmp_path: Path) -> None:
    assert restore(slot_in(tmp_path), NOW) == []


async def test_what_comes_after_an_init_container_that_ended_unseen_is_prepared_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.02; done"
    init = {"name": "init", "image": "mizzen.dev/python", "command": ["sh", "-c", script]}
    async with api_server(tmp_path / "home") as client:
        world = World(client, tmp_path)
        await world.start()
        await world.pod("p", "echo", "after", initContainers=[init])
        pod = await world.until("p", lambda p: "initContainerStatuses" in str(p.get("status")))
        record = world.config.pods_dir / pod["metadata"]["uid"] / "init" / "0.run.json"
        await until(record.exists, "it runs")
        with monkeypatch.context() as patch:
            patch.setattr(Agent, "stop", Agent.close)
            await world.stop()
        go.touch()
        await until(lambda: "exited" in record.read_text(), "it ended")
        await world.start()
        await world.until("p", phase("Succeeded"))
        assert await world.log("p") == ["after"]
        await world.stop()
