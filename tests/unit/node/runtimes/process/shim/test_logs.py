"""CRI log files: lines, parts, rotation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.node.runtimes.process.shim.logs import LINE_BYTES_MAX, LogFile, stamp


def test_stamps_are_rfc3339_nano() -> None:
    assert stamp(1_700_000_000_123_456_789) == b"2023-11-14T22:13:20.123456789Z"


def test_lines_come_whole_however_they_were_fed(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"))
    for piece in (b"a", b"b\nc", b"", b"\n", b"d"):
        log.feed(b"stdout", piece)
    log.close()
    lines = (tmp_path / "0.log").read_bytes().splitlines()
    assert [line.split(b" ", 1)[1] for line in lines] == [
        b"stdout F ab",
        b"stdout F c",
        b"stdout P d",
    ]


def test_long_lines_are_parts(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"))
    log.feed(b"stderr", b"x" * (LINE_BYTES_MAX + 1) + b"\n")
    log.close()
    lines = [line.split(b" ", 3) for line in (tmp_path / "0.log").read_bytes().splitlines()]
    assert [(tag, len(text)) for _, _, tag, text in lines] == [(b"P", LINE_BYTES_MAX), (b"F", 1)]


def test_rotation_keeps_the_newest_lines_in_order(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"), rotate_bytes=1000)
    for number in range(30):
        log.feed(b"stdout", b"line %d\n" % number)
    log.close()
    kept: list[int] = []
    for name in ("0.log.2", "0.log.1", "0.log"):
        path = tmp_path / name
        if path.exists():
            assert path.stat().st_size <= 1000
            kept += [int(line.rsplit(b" ", 1)[1]) for line in path.read_bytes().splitlines()]
    assert kept == list(range(kept[0], 30))


def times(path: Path) -> list[bytes]:
    return [line.split(b" ", 1)[0] for line in path.read_bytes().splitlines()]


def test_no_two_lines_have_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows resumes by it: at the end of a second, too, and while the clock stands."""
    log = LogFile(str(tmp_path / "0.log"))
    for now in (1_999_999_999, 1_999_999_999, 2_000_000_000, 2_000_000_000):
        monkeypatch.setattr("time.time_ns", lambda now=now: now)
        log.feed(b"stdout", b"a\n" * 50 + b"x" * (3 * LINE_BYTES_MAX))
        log.feed(b"stderr", b"b\n")
    log.close()
    found = times(tmp_path / "0.log")
    assert found == sorted(found) and len(set(found)) == len(found) > 200
    assert {len(moment) for moment in found} == {30}


def test_a_clock_that_is_set_back_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(str(tmp_path / "0.log"))
    for now in (5_000_000_000, 1_000_000_000):
        monkeypatch.setattr("time.time_ns", lambda now=now: now)
        log.feed(b"stdout", b"a\n")
    log.close()
    assert times(tmp_path / "0.log")[1] == stamp(1_000_000_000)


FULL = """
import json, resource, sys
from mizzen.node.runtimes.process.shim.logs import LogFile
log = LogFile(sys.argv[1])
said = []
for size in (1000, 1100, 1000, 1500, 1_000_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    log.feed(b"stdout", b"".join(b"line %d of some length\\n" % n for n in range(10)))
log.close()
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """What does not fit is missing whole, counted, and no later line is glued to its rest."""
    path = tmp_path / "0.log"
    subprocess.run([sys.executable, "-c", FULL, str(path)], check=True)
    lines = [line.split(b" ", 3) for line in path.read_bytes().splitlines()]
    texts = [line[3] for line in lines]
    lost = [int(text.split()[1]) for text in texts if text.startswith(b"mizzen: ")]
    kept = [text for text in texts if text.startswith(b"line ")]
    assert len(kept) + sum(lost) == 50 and lost, json.dumps([t.decode() for t in texts])
    assert all(text.endswith(b" of some length") for text in kept)
    assert all(len(line[0]) == 30 and line[2] == b"F" for line in lines)
