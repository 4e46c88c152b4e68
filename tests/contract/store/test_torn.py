"""Any damage to the file is refused, or is none: seconds of what `make crash` does for minutes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put, Remove
from support import torn

Written = tuple[bytes, tuple[torn.Objects, list[object]], set[tuple[ObjectKey, bytes]]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A store's file, what is in it, and every object that ever was."""
    folder = tmp_path_factory.mktemp("written") / "store"
    ever: set[tuple[ObjectKey, bytes]] = set()

    async def fill() -> None:
        store = LocalStore(folder, keep=60)
        sizes = Random(3)
        for n in range(120):
            key = ObjectKey("configmaps", "ns", f"c{n % 40}")
            body = {
                "metadata": {"name": key.name},
                "n": n,
                "pad": "x" * sizes.choice((9, 800, 7000)),
            }
            kept = await store.commit([Put(key, body, "update")], identity="i", now_ns=n)
            ever.update((each.key, each.data) for each in kept)
            if n % 11 == 5:
                gone = ObjectKey("configmaps", "ns", f"c{n % 40}")
                await store.commit([Remove(gone, dict(body))], identity="i", now_ns=n)
        await store.close()

    asyncio.run(fill())
    return torn.used(folder / "data.mdb"), torn.served(folder), ever


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(torn.DAMAGES), st.integers(0, 1 << 32))
def test_no_damage_is_served(
    tmp_path_factory: pytest.TempPathFactory, written: Written, damage: torn.Damage, seed: int
) -> None:
    original, before, ever = written
    folder = tmp_path_factory.getbasetemp() / "torn"
    folder.mkdir(exist_ok=True)
    data = bytearray(original)
    damage(data, Random(seed))
    (folder / "data.mdb").write_bytes(data)
    verdict = torn.judge(folder, before, ever)
    assert verdict == "refused" or len(data) > 2 * torn.PAGE_BYTES


def test_the_judge_refuses_what_is_not_what_was_written(tmp_path: Path, written: Written) -> None:
    original, before, ever = written
    (tmp_path / "data.mdb").write_bytes(original)
    assert torn.judge(tmp_path, before, ever) == "whole"
    with pytest.raises(AssertionError, match="something else"):
        torn.judge(tmp_path, ({}, []), ever)
    flipped = bytearray(original)
    flipped[original.index(b'"name":"c7"') + 9] ^= 1
    (tmp_path / "data.mdb").write_bytes(flipped)
    with pytest.raises(AssertionError, match="never written"):
        torn.judge(tmp_path, before, ())
