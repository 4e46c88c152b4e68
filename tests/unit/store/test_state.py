"""A list at an older revision is what a list was at that time: against a copy of everything."""

from __future__ import annotations

import random

from mizzen.store.state import State
from mizzen.store.store import Event, ObjectKey, Stored


def test_pages_at_older_revisions_are_as_they_were() -> None:
    chance = random.Random(7)
    state = State()
    now: dict[tuple[str, str], Stored] = {}
    known: dict[int, dict[tuple[str, str], Stored]] = {}
    for revision in range(1, 300):
        place = (chance.choice("ab"), f"n{chance.randrange(40):02}")
        before = now.get(place)
        stored = Stored(ObjectKey("pods", *place), revision, b"%d" % revision)
        if before is not None and chance.random() < 0.5:
            state.apply(Event("DELETED", stored, before))
            del now[place]
        else:
            state.apply(Event("MODIFIED" if before else "ADDED", stored, before))
            now[place] = stored
        known[revision] = dict(now)
    for _ in range(400):
        revision, namespace = chance.randrange(1, 300), chance.choice(["", "a", "b"])
        after = chance.choice([None, ("a", "n10"), ("b", "n05"), ("b", "zz")])
        limit = chance.choice([0, 1, 7, 100])
        was = known[revision]
        wanted = [
            was[place] for place in sorted(was)
            if (not namespace or place[0] == namespace) and (after is None or place > after)
        ]  # fmt: skip
        page = state.page("pods", namespace, after, limit, revision)
        shown = wanted[:limit] if limit else wanted
        assert list(page.items) == shown and page.revision == revision
        assert page.remaining == len(wanted) - len(shown)
        assert page.rest == (shown[-1].key[1:] if page.remaining else None)


def test_all_versions_of_an_object_have_one_key() -> None:
    """A key and a name for each write would be held as long as the object lives."""
    state = State()
    first = Stored(ObjectKey("pods", "a", "n"), 1, b"1")
    second = Stored(ObjectKey("pods", "a", "n"), 2, b"2")
    assert first.key is not second.key
    state.apply(Event("ADDED", first, None))
    state.apply(Event("MODIFIED", second, first))
    found = state.get(ObjectKey("pods", "a", "n"))
    assert found is not None and found is second and found.key is first.key
