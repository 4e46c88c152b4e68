"""Log files as the shim writes them, read through rotations and restarts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mizzen.node.kubelet.logfiles import CHUNK_BYTES, Folder, Part
from mizzen.node.runtimes.process.shim.logs import LogFile


def texts(data: bytes) -> list[int]:
    return [int(line.split(b" ", 3)[3]) for line in data.splitlines()]


def everything(part: Part) -> bytes:
    found = b""
    while data := part.read():
        found += data
    return found


class Writer:
    """A container's runs, each line a number; `rotate_bytes` small."""

    def __init__(self, pods: Path, rotate_bytes: int = 1000) -> None:
        self.place = pods / "uid" / "main"
        self.place.mkdir(parents=True)
        self.folder = Folder(pods, "uid", "main")
        self._rotate_bytes = rotate_bytes
        self.begin(0)

    def begin(self, run: int) -> None:
        self._file = LogFile(str(self.place / f"{run}.log"), self._rotate_bytes)

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self._file.feed(b"stdout", b"%d\n" % number)

    def follow(self, run: int, part: Part) -> tuple[list[int], bool]:
        """All that follows a part: the numbers, and whether lines were lost."""
        numbers, lost = texts(everything(part)), False
        while (found := self.folder.after(run, part)) is not None:
            numbers += texts(everything(part))
            part.close()
            run, part, is_lost = found
            lost = lost or is_lost
            numbers += texts(everything(part))
        part.close()
        return numbers, lost


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def test_all_parts_are_one_log(writer: Writer) -> None:
    writer.write(*range(40))  # 3 files of some twenty lines
    parts = writer.folder.open(0)
    assert len(parts) == 2
    assert [n for part in parts for n in texts(everything(part))] == list(range(40))


@pytest.mark.parametrize("count", [0, 1, 5, 19, 20, 21, 39, 40, 41, 1000])
def test_the_last_lines_over_several_parts(writer: Writer, count: int) -> None:
    writer.write(*range(40))
    parts = writer.folder.open(0)
    lacking = count
    for part in reversed(parts):
        lacking = part.seek_last(lacking)
    found = [n for part in parts for n in texts(everything(part))]
    assert found == list(range(40))[max(40 - count, 0) :]
    assert lacking == max(count - 40, 0)


def test_the_last_lines_of_a_file_larger_than_a_chunk(tmp_path: Path) -> None:
    writer = Writer(tmp_path, rotate_bytes=2**20)
    writer.write(*range(20_000))
    (part,) = writer.folder.open(0)
    assert os.stat(writer.place / "0.log").st_size > 2 * CHUNK_BYTES
    for count in (3, 15_000):
        assert part.seek_last(count) == 0
        assert texts(everything(part)) == list(range(20_000))[-count:]


def test_a_follower_reads_every_line_through_rotations(writer: Writer) -> None:
    writer.write(*range(3))
    (part,) = writer.folder.open(0)
    assert texts(everything(part)) == [0, 1, 2]
    writer.write(*range(3, 50))  # the file that was read is the oldest of three by now
    assert writer.follow(0, part) == (list(range(3, 50)), False)


def test_a_follower_goes_on_with_each_next_run(writer: Writer) -> None:
    writer.write(0)
    (part,) = writer.folder.open(0)
    writer.write(1)
    for run in (1, 2, 3):
        writer.begin(run)
        writer.write(*range(run * 100, run * 100 + 30))
    numbers, lost = writer.follow(0, part)
    wanted = [0, 1, *(run * 100 + n for run in (1, 2, 3) for n in range(30))]
    assert (numbers, lost) == (wanted, False)


def test_what_was_rotated_away_unread_is_said_to_be_lost(writer: Writer) -> None:
    writer.write(0)
    (part,) = writer.folder.open(0)
    writer.write(*range(1, 200))
    numbers, lost = writer.follow(0, part)
    assert lost and numbers[0] == 0 and numbers[-1] == 199


def test_a_part_that_is_just_being_renamed_is_not_lost(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is listed when the older part has its new name already, and this one not yet."""
    (writer.place / "0.log.1").write_bytes(b"2026-01-01T00:00:00.000000000Z stdout F 0\n")
    writer.write(1)
    *_, part = writer.folder.open(0)
    listed = writer.folder._names

    def amid() -> list[tuple[int, int]]:
        monkeypatch.undo()
        (writer.place / "0.log.1").rename(writer.place / "0.log.2")
        found = listed()
        (writer.place / "0.log").rename(writer.place / "0.log.1")
        (writer.place / "0.log").touch()
        return found

    monkeypatch.setattr(writer.folder, "_names", amid)
    following = writer.folder.after(0, part)
    assert following is not None and not following[2]
    assert everything(following[1]) == b""


def test_nothing_follows_yet(writer: Writer) -> None:
    writer.write(0)
    (part,) = writer.folder.open(0)
    assert writer.folder.after(0, part) is None


@pytest.mark.parametrize("name", ["²", "1x", "-1", "+3", "9999999999", "٣", ""])
def test_only_numbers_in_ascii_name_a_run(writer: Writer, name: str) -> None:
    (writer.place / f"{name}.log").touch()
    assert writer.folder.runs() == [0]


@pytest.mark.parametrize("what", ["pipe", "link", "device", "folder"])
def test_what_is_no_log_file_is_not_read_and_blocks_nobody(writer: Writer, what: str) -> None:
    secret, place = writer.place.parent / "secret", writer.place / "5.log"
    secret.write_text("2026-01-01T00:00:00Z stdout F secret\n")
    if what == "pipe":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    else:
        place.symlink_to(secret if what == "link" else "/dev/zero")
    assert writer.folder.open(5) == []


def test_a_container_whose_folder_is_a_link_has_no_log(tmp_path: Path) -> None:
    Writer(tmp_path / "elsewhere")
    (tmp_path / "pods" / "uid").mkdir(parents=True)
    (tmp_path / "pods" / "uid" / "main").symlink_to(tmp_path / "elsewhere" / "uid" / "main")
    assert Folder(tmp_path / "pods", "uid", "main").runs() == []
    assert Folder(tmp_path / "nowhere", "uid", "main").runs() == []


def test_a_line_is_found_again_wherever_it_lies(tmp_path: Path) -> None:
    """At a file's beginning, over the border of what is read at once, in an older part or run."""
    writer = Writer(tmp_path, rotate_bytes=3 * CHUNK_BYTES)
    writer.write(*range(20_000))  # some 900 kB: one rotation
    writer.begin(1)
    writer.write(*range(20_000, 20_010))
    lines = b"".join(
        (writer.place / name).read_bytes() for name in ("0.log.1", "0.log", "1.log")
    ).splitlines()
    assert texts(lines[0]) == [0] and len(lines) == 20_010
    at_border = lines[CHUNK_BYTES // (len(lines[0]) + 4) :][:2000]
    for line in (lines[0], *at_border[::97], *lines[-13:]):
        number = int(line.split(b" ", 3)[3])
        found = writer.folder.from_line(line.split(b" ", 1)[0] + b" ")
        assert found is not None
        run, parts = found
        assert texts(parts[0].read())[0] == number and run == (number >= 20_000)
        for part in parts:
            part.close()
    assert writer.folder.from_line(b"2026-01-01T00:00:00.000000000Z ") is None
