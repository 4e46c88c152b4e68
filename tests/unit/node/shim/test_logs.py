"""CRI log files: lines, parts, rotation."""

from __future__ import annotations

from pathlib import Path

from mizzen.node.shim.logs import LINE_BYTES_MAX, LogFile, stamp


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
