"""What every store keeps, whatever it keeps it on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.base.errors import AlreadyExists, Conflict, Expired, Invalid, NotFound, TooLarge
from mizzen.base.limits import OBJECT_BYTES_MAX
from mizzen.store import encoding, state, watchers
from mizzen.store.engine import Engine
from mizzen.store.local import LocalStore
from mizzen.store.memory import MemoryStore
from mizzen.store.store import (
    BATCH_BYTES_MAX,
    Event,
    ObjectKey,
    Put,
    Remove,
    Stored,
    Subscription,
)

Make = Callable[[int], Engine]


@pytest_asyncio.fixture(params=["memory", "local"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    made = MemoryStore(keep=50) if request.param == "memory" else LocalStore(tmp_path, keep=50)
    yield made
    await made.close()


def key(name: str, namespace: str = "ns", resource: str = "pods") -> ObjectKey:
    return ObjectKey(resource, namespace, name)


def put(
    name: str,
    value: int = 0,
    *,
    namespace: str = "ns",
    expect: int | None = None,
    uid: str = "",
    pad: int = 0,
) -> Put:
    obj = {"metadata": {"name": name, "uid": f"uid-{name}"}, "value": value, "pad": "x" * pad}
    return Put(key(name, namespace), obj, "update", expect, uid)


def remove(name: str, expect: int | None = None) -> Remove:
    return Remove(key(name), {"metadata": {"name": name}}, expect=expect)


def commit(
    store: Engine, *writes: Put | Remove, now_ns: int = 1, plan: str = ""
) -> asyncio.Future[list[Stored]]:
    return store.commit(writes, identity="me", now_ns=now_ns, plan=plan)


async def everything(watch: Subscription) -> list[Event]:
    """What a watcher is given until there is nothing more."""
    found: list[Event] = []
    while batch := watch.take_nowait():
        found += batch
    return found


def told(events: list[Event]) -> list[tuple[str, str, int]]:
    return [(e.type, e.key.name, e.revision) for e in events]


async def test_what_is_on_its_way_is_peeked_not_listed(store: Engine) -> None:
    await commit(store, put("a"), put("c"), put("d", namespace="other"))
    done = commit(store, put("b"), remove("c"), put("e", namespace="other"))
    listed = store.list("pods", "ns").items
    assert [stored.key.name for stored in listed] == ["a", "c"]
    assert [stored.key.name for stored in store.peek_all("pods", "ns")] == ["a", "b"]
    assert [stored.key.name for stored in store.peek_all("pods")] == ["a", "b", "d", "e"]
    await done
    assert store.peek_all("pods", "ns") == store.list("pods", "ns").items


async def test_revisions_grow_by_one_and_are_in_the_object(store: Engine) -> None:
    (a,) = await commit(store, put("a"))
    b, c = await commit(store, put("b"), put("c"))
    assert [a.revision, b.revision, c.revision] == [1, 2, 3]
    assert c.object()["metadata"]["resourceVersion"] == "3"
    assert store.revision == 3
    assert len(c.data) == len(bytes(c.data))


async def test_nothing_is_visible_before_it_is_durable_but_preconditions_see_it(
    store: Engine,
) -> None:
    done = commit(store, put("a", expect=0))
    assert store.get(key("a")) is None
    assert store.revision == 0
    pending = store.peek(key("a"))
    assert pending is not None and pending.revision == 1
    with pytest.raises(AlreadyExists):
        commit(store, put("a", expect=0))
    with pytest.raises(Conflict):
        commit(store, put("a", expect=7))
    second = commit(store, put("a", 2, expect=1))
    await done
    await second
    found = store.get(key("a"))
    assert found is not None and found.object()["value"] == 2


async def test_a_transaction_with_a_failed_precondition_writes_nothing(store: Engine) -> None:
    await commit(store, put("a"))
    with pytest.raises(Conflict):
        commit(store, put("b"), put("a", expect=99))
    with pytest.raises(Conflict):
        commit(store, put("b"), put("a", uid="another"))
    with pytest.raises(NotFound):
        commit(store, put("b"), remove("c"))
    assert store.peek(key("b")) is None
    await commit(store, put("a", 5, uid="uid-a"))
    assert store.revision == 2


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_transaction_that_cannot_be_stored_leaves_nothing(
    store: Engine, place: int
) -> None:
    """What fails late (no JSON, nested too deeply, too large) undoes what came before it."""
    await commit(store, put("kept"))
    nested: Any = 1
    for _ in range(300):
        nested = {"a": nested}
    for bad in (nested, {1, 2}, "x" * (OBJECT_BYTES_MAX + 1)):
        failing = Put(key("bad"), {"metadata": {"name": "bad"}, "value": bad}, "create")
        writes: list[Put | Remove] = [put("new"), remove("kept")]
        writes.insert(place, failing)
        with pytest.raises((Invalid, TooLarge), match="bad"):
            commit(store, *writes)
        with pytest.raises((Invalid, TooLarge), match="bad"):
            store.check(writes)
        assert [store.peek(key(name)) is not None for name in ("new", "kept", "bad")] == [
            False, True, False,
        ]  # fmt: skip
    await commit(store, put("new", expect=0), put("kept", expect=1))
    assert [r.revision for r in store.history(0, 10)] == [1, 2, 3]


async def test_what_is_too_large_already_may_shrink_or_go(store: Engine) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "OBJECT_BYTES_MAX", 2 * OBJECT_BYTES_MAX)
        await commit(store, put("a", 0, pad=OBJECT_BYTES_MAX + 1000))
    await commit(store, put("a", 0, pad=OBJECT_BYTES_MAX + 900))
    with pytest.raises(TooLarge):
        commit(store, put("a", 0, pad=OBJECT_BYTES_MAX + 1000))
    await commit(store, remove("a"))


async def test_listeners_hear_of_a_write_before_its_writer(store: Engine) -> None:
    heard: list[Event] = []
    order: list[str] = []

    def on_event(event: Event) -> None:
        assert store.get(event.key) is not None, "it is visible by then"
        heard.append(event)
        order.append("listener")

    store.listen("pods", on_event)
    done = asyncio.ensure_future(commit(store, put("a"), put("b")))
    done.add_done_callback(lambda _: order.append("writer"))
    await done
    await asyncio.sleep(0)
    assert told(heard) == [("ADDED", "a", 1), ("ADDED", "b", 2)]
    assert order == ["listener", "listener", "writer"]


async def test_a_removal_may_follow_what_is_put_in_its_place(store: Engine) -> None:
    await commit(store, put("a"))
    live = store.watch("pods", since=1)
    marked, gone = await commit(store, put("a", 2, expect=1), remove("a"))
    assert (marked.revision, gone.revision) == (2, 3)
    events = [("MODIFIED", "a", 2), ("DELETED", "a", 3)]
    assert told(await live.next_batch()) == events
    (last,) = store.watch("pods", since=2).take_nowait()
    assert told([last]) == events[1:]
    assert last.previous is not None and last.previous.revision == 2
    assert store.get(key("a")) is None
    with pytest.raises(NotFound):
        commit(store, put("b"), put("c", expect=9), remove("c"))
    assert store.revision == 3


async def test_watch_from_now_and_from_history(store: Engine) -> None:
    live = store.watch("pods", since=0)
    await commit(store, put("a"))
    await commit(store, put("a", 2), put("b", namespace="other"))
    await commit(store, remove("a"))
    expected = [("ADDED", "a", 1), ("MODIFIED", "a", 2), ("ADDED", "b", 3), ("DELETED", "a", 4)]
    assert told(await live.next_batch()) == expected
    assert told(store.watch("pods", since=1).take_nowait()) == expected[1:]
    assert told(store.watch("pods", "other", since=0).take_nowait()) == [expected[2]]
    assert store.watch("nodes", since=0).take_nowait() == []
    everything = store.watch("", since=3).take_nowait()
    assert told(everything) == [expected[3]]
    previous = everything[0].previous
    assert previous is not None and previous.revision == 2


async def test_replay_and_live_events_meet_without_gap_or_repeat(store: Engine) -> None:
    for n in range(5):
        await commit(store, put(f"p{n}"))
    watch = store.watch("pods", since=2)
    await commit(store, put("p5"))
    got = told(watch.take_nowait())
    while more := watch.take_nowait():
        got += told(more)
    assert [revision for _, _, revision in got] == [3, 4, 5, 6]


@pytest.mark.parametrize("limit", ["QUEUE_EVENTS", "QUEUE_BYTES_MAX", "QUEUES_BYTES_MAX"])
async def test_a_slow_watcher_goes_on_from_the_history(
    store: Engine, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(watchers, limit, 3 if limit == "QUEUE_EVENTS" else 3000)
    slow, quick = store.watch("pods", since=0), store.watch("pods", since=0)
    for n in range(10):
        await commit(store, put(f"p{n}"))
        assert len(quick.take_nowait()) == 1
    statistics = store.statistics()
    assert statistics["watchers_lagged"] >= 1 and slow.position < store.revision
    assert statistics["watchers_queued_bytes"] == 0
    got = list(await everything(slow))
    assert [revision for _, _, revision in told(got)] == list(range(1, 11))
    await commit(store, put("p0", 1))
    assert told(await slow.next_batch()) == [("MODIFIED", "p0", 11)]
    assert slow.position == quick.take_nowait()[0].revision == 11


async def test_a_watcher_that_lags_behind_the_history_is_told(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "QUEUE_EVENTS", 3)
    monkeypatch.setattr(state, "RECENT_EVENTS", 10)
    slow, rare = store.watch("pods", since=0), store.watch("nodes", since=0)
    for n in range(3000):
        commit(store, put("p", n))
        if n % 500 == 0:
            await commit(store, put("p", n))
    await commit(store, put("p"))
    assert store.oldest > 100
    with pytest.raises(Expired, match="too old"):
        slow.take_nowait()
    assert rare.take_nowait() == [] and rare.position == store.revision


async def test_events_come_in_batches_of_bounded_size(store: Engine) -> None:
    live = store.watch("pods", since=0)
    for n in range(40):
        await commit(store, put(f"p{n}", pad=50_000))
    late = store.watch("pods", since=1)
    for watcher, first in ((live, 1), (late, 2)):
        seen = 0
        while batch := watcher.take_nowait():
            assert sum(len(event.stored.data) for event in batch) <= BATCH_BYTES_MAX
            assert watcher.position == batch[-1].revision
            seen += len(batch)
        assert seen == 41 - first and watcher.position == store.revision


async def test_what_was_made_of_old_events_is_let_go(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "WARM_BYTES_MAX", 20_000)
    live = store.watch("pods", since=0)
    for n in range(10):
        await commit(store, put(f"p{n}", pad=5_000))
    events = live.take_nowait()
    assert [event.cache is None for event in events] == [True] * 7 + [False] * 3
    assert events[9].object() is events[9].object()
    assert events[0].object() is not events[0].object()


async def test_the_newest_events_are_kept_by_bytes(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "RECENT_BYTES_MAX", 30_000)
    for n in range(10):
        await commit(store, put(f"p{n}", pad=5_000))
    with pytest.raises(Expired):
        store.list("pods", revision=3)
    assert len(store.list("pods", revision=9).items) == 9
    assert len(await everything(store.watch("pods", since=2))) == 8  # the rest is on disk


async def test_pages_show_one_revision_while_objects_change(store: Engine) -> None:
    await commit(store, *(put(f"p{n}") for n in range(5)))
    first = store.list("pods", limit=2)
    assert [s.key.name for s in first.items] == ["p0", "p1"]
    assert (first.revision, first.remaining) == (5, 3)
    await commit(store, put("p2", 9), remove("p3"), put("p9"))
    second = store.list("pods", after=first.rest, limit=2, revision=first.revision)
    assert [(s.key.name, s.object()["value"]) for s in second.items] == [("p2", 0), ("p3", 0)]
    third = store.list("pods", after=second.rest, limit=2, revision=first.revision)
    assert [s.key.name for s in third.items] == ["p4"]
    assert third.rest is None
    assert [s.key.name for s in store.list("pods").items] == ["p0", "p1", "p2", "p4", "p9"]


async def test_namespaces_are_kept_apart(store: Engine) -> None:
    names = ("a", "a-b", "ab")
    await commit(store, *(put("p", namespace=name) for name in names))
    for name in names:
        assert [s.key.namespace for s in store.list("pods", name).items] == [name]


async def test_history_tells_who_did_what_and_time_never_runs_backwards(store: Engine) -> None:
    await commit(store, put("a"), now_ns=100)
    await commit(store, put("a", 1), put("b"), now_ns=50, plan="together")
    records = store.history(0, 10)
    assert [(r.revision, r.time_ns, r.plan, r.type) for r in records] == [
        (1, 100, "", "ADDED"),
        (2, 100, "together", "MODIFIED"),
        (3, 100, "together", "ADDED"),
    ]
    assert records[0].identity == "me" and records[1].previous == 1
    assert [r.revision for r in store.history(1, 1)] == [2]


async def test_no_step_of_the_clock_takes_history_or_keeps_it(store: Engine) -> None:
    """It is kept by number and bytes: a clock that is set far ahead, and back, changes nothing."""
    year = 365 * 86_400 * 10**9
    await asyncio.gather(
        commit(store, put("a"), now_ns=year),
        commit(store, put("b"), now_ns=11 * year),
        commit(store, put("c"), now_ns=year),
    )
    found = [event.key.name for event in await everything(store.watch("pods", since=0))]
    assert found == ["a", "b", "c"] and store.oldest == 0
    assert [record.time_ns // year for record in store.history(0, 9)] == [1, 11, 11]
    for n in range(15):
        await commit(store, *(put(f"p{i}", n) for i in range(100)), now_ns=year)
    assert store.oldest > 3, "the oldest goes all the same"


async def test_old_history_expires(store: Engine) -> None:
    for n in range(15):
        await commit(store, *(put(f"p{i}", n) for i in range(100)))
    assert store.oldest > 0
    with pytest.raises(Expired):
        store.watch("pods", since=0)
    with pytest.raises(Expired):
        store.history(0, 10)
    kept = store.history(store.oldest, 10_000)
    assert kept[0].revision == store.oldest + 1
    assert kept[-1].revision == store.revision == 1500


async def test_a_store_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    long = "n" * 253
    writes = [put("a"), put("b"), put(long, namespace=long[:63])]
    await store.commit(writes, identity="me", now_ns=10**18)
    await commit(store, remove("b"))
    await store.close()
    again = LocalStore(tmp_path)
    assert again.revision == 4
    assert [s.key.name for s in again.list("pods").items] == [long, "a"]
    assert told(again.watch("pods", since=1).take_nowait()) == [
        ("ADDED", "b", 2),
        ("ADDED", long, 3),
        ("DELETED", "b", 4),
    ]
    await commit(again, put("c"), now_ns=1)
    assert again.history(4, 1)[0].time_ns == 10**18
    await again.close()


async def test_only_one_process_may_write(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(BlockingIOError, match="in use by another process"):
        LocalStore(tmp_path)
    await store.close()
