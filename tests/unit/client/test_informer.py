import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from mizzen.base.objects import Key
from mizzen.base.resources import PODS
from mizzen.client.compact import CompactObjects
from mizzen.client.informer import Informer
from mizzen.client.watching import INITIAL_EVENTS_END


def pod(name, revision):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "x", "resourceVersion": str(revision)},
    }


def event(type, name, revision):
    return {"type": type, "object": pod(name, revision)}


def bookmark(revision, end=False):
    metadata = {"resourceVersion": str(revision)}
    if end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    return {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": metadata}}


def stream(*lines, hold=None):
    return SimpleNamespace(status=200, body=None, lines=list(lines), hold=hold, headers={})


def refusal(code, reason=""):
    body = {"message": "no", "reason": reason, "code": code}
    return SimpleNamespace(status=code, body=body, lines=None, hold=None, headers={})


def plain(body):
    return SimpleNamespace(status=200, body=body, lines=None, hold=None, headers={})


PARSED = pytest.mark.parametrize("parsed_max", (0, 4))


@contextlib.asynccontextmanager
async def followed(server, answers, *, until, parsed_max=0):
    """Runs an informer until its told events have reached a number; yields both."""
    hold = asyncio.Event()
    answers[-1].hold = hold
    server.answers = answers
    cache = CompactObjects(parsed_max) if parsed_max else None
    informer = Informer(server.client, PODS, cache=cache)
    told = []
    reached = asyncio.Event()

    def note(type, old, new):
        told.append((type, new["metadata"]["name"], new["metadata"]["resourceVersion"]))
        if len(told) >= until:
            reached.set()

    informer.add_handler(note)
    task = asyncio.create_task(informer.run())
    try:
        await asyncio.wait_for(reached.wait(), 10)
        yield informer, told
    finally:
        hold.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@PARSED
async def test_streaming_list_then_changes(server, parsed_max):
    answers = [
        stream(
            event("ADDED", "a", 1),
            event("ADDED", "b", 2),
            bookmark(5, end=True),
            event("MODIFIED", "a", 6),
            event("DELETED", "b", 7),
        )
    ]
    async with followed(server, answers, until=4, parsed_max=parsed_max) as (informer, told):
        assert told == [
            ("ADDED", "a", "1"),
            ("ADDED", "b", "2"),
            ("MODIFIED", "a", "6"),
            ("DELETED", "b", "7"),
        ]
        assert list(informer.objects) == [Key("x", "a")]
        assert informer.is_synced
        assert informer.revision == 7
    assert server.seen[0].query["sendInitialEvents"] == "true"


async def test_resumes_at_the_last_revision_without_repeating(server):
    answers = [
        stream(event("ADDED", "a", 1), bookmark(5, end=True), bookmark(9)),
        stream(event("MODIFIED", "a", 10)),
    ]
    async with followed(server, answers, until=2) as (_, told):
        assert told[-1] == ("MODIFIED", "a", "10")
    assert server.seen[1].query["resourceVersion"] == "9"
    assert "sendInitialEvents" not in server.seen[1].query


@PARSED
async def test_expired_relists_and_tells_what_was_missed(server, parsed_max):
    expired = {
        "type": "ERROR",
        "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
    }
    answers = [
        stream(event("ADDED", "a", 1), event("ADDED", "b", 2), bookmark(5, end=True)),
        stream(expired),
        stream(event("ADDED", "b", 8), event("ADDED", "c", 9), bookmark(9, end=True)),
    ]
    async with followed(server, answers, until=5, parsed_max=parsed_max) as (_, told):
        assert told[2:] == [("DELETED", "a", "1"), ("MODIFIED", "b", "8"), ("ADDED", "c", "9")]


async def test_what_the_first_list_has_is_told_as_it_comes(server):
    """A long list is never there as a whole; what a list cut short had told is put right."""
    answers = [
        stream(event("ADDED", "a", 1), event("ADDED", "b", 2)),
        stream(event("ADDED", "b", 3), event("ADDED", "c", 4), bookmark(9, end=True)),
    ]
    async with followed(server, answers, until=5) as (informer, told):
        assert told == [
            ("ADDED", "a", "1"),
            ("ADDED", "b", "2"),
            ("MODIFIED", "b", "3"),
            ("ADDED", "c", "4"),
            ("DELETED", "a", "1"),
        ]
        assert informer.is_synced
        assert [key.name for key in informer.objects] == ["b", "c"]


async def test_packed_objects_are_followed_like_all_others(server):
    """Of ten objects four stay parsed: what is told and found is the same."""
    names = [f"pod-{number}" for number in range(10)]
    answers = [
        stream(
            *(event("ADDED", name, 1 + number) for number, name in enumerate(names)),
            bookmark(20, end=True),
            event("MODIFIED", "pod-0", 21),
            event("DELETED", "pod-1", 22),
        )
    ]
    async with followed(server, answers, until=12, parsed_max=4) as (informer, told):
        assert told[-2:] == [("MODIFIED", "pod-0", "21"), ("DELETED", "pod-1", "22")]
        assert informer.objects[Key("x", "pod-0")] == pod("pod-0", 21)
        assert informer.objects[Key("x", "pod-5")] == pod("pod-5", 6)
        late = []
        informer.add_handler(lambda type, old, new: late.append(new["metadata"]["name"]))
        assert sorted(late) == [name for name in names if name != "pod-1"]


async def test_falls_back_to_list_and_watch(server):
    answers = [
        refusal(422, "Invalid"),
        plain({"metadata": {"resourceVersion": "4"}, "items": [pod("a", 3)]}),
        stream(event("MODIFIED", "a", 5)),
    ]
    async with followed(server, answers, until=2) as (informer, told):
        assert told == [("ADDED", "a", "3"), ("MODIFIED", "a", "5")]
        assert informer.is_synced
    assert server.seen[2].query["resourceVersion"] == "4"


async def test_outage_is_waited_out(server):
    answers = [refusal(503), refusal(429), stream(event("ADDED", "a", 1), bookmark(1, end=True))]
    async with followed(server, answers, until=1) as (informer, told):
        assert told == [("ADDED", "a", "1")]
        assert informer.statistics()["errors"] == 2


async def test_a_late_handler_hears_of_what_is_there(server):
    answers = [stream(event("ADDED", "a", 1), bookmark(1, end=True))]
    async with followed(server, answers, until=1) as (informer, _):
        late = []
        informer.add_handler(lambda type, old, new: late.append((type, new["metadata"]["name"])))
        assert late == [("ADDED", "a")]
