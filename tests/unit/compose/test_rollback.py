"""Back to the version before: refused with what would be lost, else done and nothing lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mizzen.compose import rollback, settings, start
from mizzen.compose.settings import BadSettings, Settings, StartOptions
from mizzen.compose.state import take_lock
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.kinds.compatibility import Introduced
from mizzen.store.inspection import format_in
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put

CONFIG_MAPS = ("v1", "configmaps")
PODS = ("v1", "pods")


@pytest.fixture
async def home(tmp_path: Path) -> Home:
    home = Home.locate(str(tmp_path / "home"), {})
    home.make()
    store = LocalStore(home.store, mark=home.store_mark)
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    puts = [
        Put(ObjectKey("configmaps", "ns", "c"), {"metadata": {"name": "c"}}, "create"),
        Put(ObjectKey("pods", "ns", "p"), pod, "create"),
        Put(ObjectKey("widgets.example.org", "ns", "w"), {"metadata": {"name": "w"}}, "create"),
    ]
    await store.commit(puts, identity="me", now_ns=1)
    await store.close()
    return home


def introduce(monkeypatch: pytest.MonkeyPatch, new: Introduced) -> None:
    monkeypatch.setattr(rollback, "introduced_in", lambda version: new)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


def test_what_the_older_version_does_not_know_is_named_and_nothing_is_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = ("spec", "containers", "[]", "image")
    introduce(monkeypatch, Introduced(frozenset([CONFIG_MAPS]), {PODS: [image]}))
    outcome = rollback.rollback(home)
    assert outcome.lost == ["ConfigMap ns/c", "Pod ns/p: spec.containers[].image"]
    assert format_in(home.store) == 3


def test_where_nothing_would_be_lost_the_store_is_the_older_version_s(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    introduce(monkeypatch, Introduced(frozenset([("v1", "secrets")]), {}))
    for _ in range(2):  # the second finds it done
        outcome = rollback.rollback(home)
        assert (outcome.lost, outcome.version.emulation) == ([], "0.1")
        assert format_in(home.store) == 2


def test_emulation_is_forgotten_with_it(home: Home) -> None:
    settings.save(home, replace(Settings(), emulate_version="0.1"))
    rollback.rollback(home)
    assert settings.load(home).emulate_version == ""


def test_a_running_instance_is_not_touched(home: Home) -> None:
    lock = take_lock(home)
    assert lock is not None
    with pytest.raises(rollback.NotPossible, match="mizzen down"):
        rollback.rollback(home)


def test_a_store_that_is_too_new_is_not_started_as_an_older_version(home: Home) -> None:
    with pytest.raises(BadSettings, match=r"has format 3, mizzen 0\.1 reads format 2: `mizzen rol"):
        start.prepare(home, StartOptions(emulate_version="0.1"), RealClock())
    assert settings.load(home).emulate_version == ""
