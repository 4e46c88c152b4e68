"""A pod's folder, with everything in it that its programs may put there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from mizzen.host import private
from mizzen.node.addresses import Addresses
from mizzen.node.podfiles import (
    MESSAGE_BYTES_MAX,
    PodFiles,
    prune,
    read_json,
    records_of,
    write_json,
)

NETWORK = 42  # below the networks of instances


@pytest.fixture
def files(tmp_path: Path) -> PodFiles:
    made = PodFiles(tmp_path / "pods", "uid")
    made.container_dir("main")
    write_json(made.root / "pod.json", {"name": "p"})
    return made


def lay(place: Path, what: str, victim: Path) -> None:
    """Puts a trap where a file is looked for."""
    if what == "pipe":
        os.mkfifo(place)
    elif what == "zero":
        place.symlink_to("/dev/zero")
    elif what == "link":
        place.symlink_to(victim)
    else:
        place.mkdir()


TRAPS = ("pipe", "zero", "link", "folder")


@pytest.mark.parametrize("what", TRAPS)
def test_traps_hold_nobody_and_show_nothing(files: PodFiles, tmp_path: Path, what: str) -> None:
    victim = tmp_path / "secret"
    victim.write_text('{"secret": "secret"}')
    lay(files.termination_log("main"), what, victim)
    lay(files.log("main", 0), what, victim)
    lay(files.record("main", 0), what, victim)
    lay(files.root / "pod.interrupted", what, victim)
    assert files.last_words("main", 0, failed=True) == ""
    assert files.tail("main", 0) == [] and files.runs("main") == {} and files.interrupted_at == 0
    assert read_json(files.record("main", 0)) is None
    files.interrupt(5)
    assert victim.read_text() == '{"secret": "secret"}'


def test_last_words_are_the_end_of_what_was_said(files: PodFiles) -> None:
    files.termination_log("main").write_bytes(b"x" * 100_000 + b"the end")
    words = files.last_words("main", 0, failed=False)
    assert words.endswith("the end") and len(words) == MESSAGE_BYTES_MAX


def test_the_tail_of_a_log_has_lines_as_they_were_written(files: PodFiles) -> None:
    stamp = "2026-01-01T00:00:00.000000000Z stderr F "
    files.log("main", 0).write_text(f"{stamp}a\u2028b\x0bc\n{stamp}\n{stamp}d\n")
    assert files.tail("main", 0) == ["a\u2028b\x0bc", "", "d"]


def test_only_numbers_in_ascii_name_a_record(files: PodFiles) -> None:
    for name in ("0", "12", "²", "x", "-1", "9999999999"):
        write_json(files.container_dir("main") / f"{name}.run.json", {"n": name})
    assert files.runs("main") == {0: {"n": "0"}, 12: {"n": "12"}}


@pytest.mark.parametrize("name", ["retired", "volumes", "interrupted", "work"])
def test_no_container_is_taken_for_something_of_ours(files: PodFiles, name: str) -> None:
    files.log(name, 0).write_text("")
    files.volume(name)
    assert [uid for uid, _ in records_of(files.root.parent)] == ["uid"]
    assert files.interrupted_at == 0
    files.retire()
    assert list(records_of(files.root.parent)) == []
    assert files.log(name, 0).exists() and not (files.root / "pod.volumes").exists()


def test_a_pod_that_is_gone_keeps_its_logs_and_nothing_else(
    files: PodFiles, tmp_path: Path
) -> None:
    (tmp_path / "victim").mkdir()
    (files.work_dir("main") / "large").write_text("x")
    (files.work_dir("main") / "link").symlink_to(tmp_path / "victim")
    (files.root / "side").mkdir()
    (files.root / "side" / "work").symlink_to(tmp_path / "victim")
    files.log("main", 0).write_text("")
    files.retire()
    assert not (files.container_dir("main") / "work").exists() and files.log("main", 0).exists()
    assert (tmp_path / "victim").is_dir()
    other = PodFiles(tmp_path / "pods", "other")
    other.container_dir("main")
    other.retire()
    prune(tmp_path / "pods", keep=1)
    assert len(list((tmp_path / "pods").iterdir())) == 1


@pytest.mark.parametrize(
    "address",
    ["127.42.0.1", "127.42.255.255", "127.42.300.5", "10.42.0.5", "127.42.1.²", "None", ""],
)
def test_an_address_that_was_never_handed_out_is_not_restored(address: str) -> None:
    with contextlib.closing(Addresses(NETWORK)) as addresses:
        addresses.restore("uid", address)
        assert addresses.statistics()["held"] == 0
        assert addresses.take("x") == f"127.{NETWORK}.0.2"


def test_a_restored_address_is_its_pods() -> None:
    with contextlib.closing(Addresses(NETWORK)) as addresses:
        addresses.restore("uid", f"127.{NETWORK}.3.7")
        assert addresses.take("uid") == f"127.{NETWORK}.3.7"
        assert addresses.take("other") == f"127.{NETWORK}.3.8"


@pytest.mark.parametrize("place", ["main", "main/work", "pod.volumes", "pod.volumes/v"])
def test_a_link_in_place_of_a_folder_leads_nowhere(
    files: PodFiles, tmp_path: Path, place: str
) -> None:
    """Logs, records and volumes would be written, and old ones removed, wherever it points to."""
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "0.log").touch()
    files.work_dir("main")
    files.volume("v")
    (files.root / place).rename(tmp_path / "before")
    (files.root / place).symlink_to(tmp_path / "away")
    with pytest.raises(private.NotOurs):
        if place.startswith("main"):
            files.work_dir("main")
        else:
            files.volume("v")
    if place == "main":
        with pytest.raises(private.NotOurs):
            files.forget_old_runs("main", 3)
    assert os.listdir(tmp_path / "away") == ["0.log"]
