"""Backups: whole or refused, secrets for the owner alone, nothing lost by restoring."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from mizzen.compose import backup
from mizzen.compose.state import take_lock
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from mizzen.host.records import Damaged
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put


async def instance(root: Path, count: int = 20) -> Home:
    home = Home.locate(str(root), {})
    home.make()
    pki.ensure(home, RealClock(), listen="127.0.0.1", port=7443)
    store = LocalStore(home.store, mark=home.store_mark)
    for number in range(count):
        obj = {"metadata": {"name": f"c{number}"}}
        key = ObjectKey("configmaps", "ns", f"c{number}")
        await store.commit([Put(key, obj, "create")], identity="me", now_ns=1)
    await store.close()
    return home


async def names(home: Home) -> list[str]:
    store = LocalStore(home.store, mark=home.store_mark)
    found = [stored.key.name for stored in store.list("configmaps").items]
    await store.close()
    return found


async def test_a_backup_brings_objects_and_keys_to_a_new_home(tmp_path: Path) -> None:
    home = await instance(tmp_path / "a")
    file = tmp_path / "b.tar"
    taken = backup.backup(home, file, RealClock())
    assert taken.objects == 20 and file.stat().st_mode & 0o777 == 0o600
    other = Home.locate(str(tmp_path / "b"), {})
    _, aside = backup.restore(other, file)
    assert aside is None and len(await names(other)) == 20
    assert (other.pki / "ca.crt").read_bytes() == (home.pki / "ca.crt").read_bytes()
    assert other.tokens.read_bytes() == home.tokens.read_bytes()
    assert other.tokens.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".mizzen-backup-*"))


async def test_restoring_needs_a_word_where_there_is_a_store_and_keeps_it(tmp_path: Path) -> None:
    home = await instance(tmp_path / "a")
    file = tmp_path / "b.tar"
    backup.backup(home, file, RealClock())
    other = await instance(tmp_path / "b", count=3)
    with pytest.raises(backup.NotPossible, match="--replace"):
        backup.restore(other, file)
    assert len(await names(other)) == 3
    _, aside = backup.restore(other, file, replace=True)
    assert len(await names(other)) == 20
    assert aside is not None and (aside / "data.mdb").exists()


async def test_a_running_instance_is_not_restored(tmp_path: Path) -> None:
    home = await instance(tmp_path / "a")
    file = tmp_path / "b.tar"
    backup.backup(home, file, RealClock())
    lock = take_lock(home)
    with pytest.raises(backup.NotPossible, match="mizzen down"):
        backup.restore(home, file, replace=True)
    assert lock is not None and len(await names(home)) == 20


@pytest.mark.parametrize("cut", [1, 512, 20_000])
async def test_a_backup_that_was_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    home = await instance(tmp_path / "a")
    file = tmp_path / "b.tar"
    backup.backup(home, file, RealClock())
    whole = file.read_bytes().rstrip(b"\0")
    file.write_bytes(whole[:-cut])
    other = Home.locate(str(tmp_path / "b"), {})
    with pytest.raises(Damaged):
        backup.restore(other, file)
    assert not (other.store / "data.mdb").exists()


async def test_a_flipped_bit_is_named(tmp_path: Path) -> None:
    home = await instance(tmp_path / "a")
    file = tmp_path / "b.tar"
    backup.backup(home, file, RealClock())
    text = bytearray(file.read_bytes())
    place = text.index(b"BEGIN CERTIFICATE") + 100
    text[place] ^= 1
    file.write_bytes(text)
    with pytest.raises(Damaged, match="is not what was written"):
        backup.restore(Home.locate(str(tmp_path / "b"), {}), file)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "link"])
def test_members_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "b.tar"
    with tarfile.open(file, "w") as tar:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(backup.NotPossible, match="no backup"):
        backup.restore(Home.locate(str(tmp_path / "b"), {}), file)
    assert not (tmp_path / "outside").exists()


async def test_a_backup_of_a_newer_store_is_refused(tmp_path: Path) -> None:
    home = await instance(tmp_path / "a")
    file, newer = tmp_path / "b.tar", tmp_path / "newer.tar"
    backup.backup(home, file, RealClock())
    with tarfile.open(file) as old, tarfile.open(newer, "w") as new:
        for member in old:
            data = old.extractfile(member)
            assert data is not None
            if member.name == "manifest.json":
                text = json.dumps({**json.load(data), "store_format": 99, "mizzen": "9.9"}).encode()
                member.size, data = len(text), io.BytesIO(text)
            new.addfile(member, data)
    with pytest.raises(backup.NotPossible, match=r"mizzen 9\.9"):
        backup.restore(Home.locate(str(tmp_path / "b"), {}), newer)


async def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    home = await instance(tmp_path / "a")
    file = tmp_path / "b.tar"
    file.write_text("mine")
    with pytest.raises(backup.NotPossible, match="there already"):
        backup.backup(home, file, RealClock())
    assert file.read_text() == "mine"
