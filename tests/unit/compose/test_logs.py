from pathlib import Path

import pytest

from mizzen.compose.logs import RotatingLog


def test_old_parts_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "role.log"
    log = RotatingLog(path, bytes_max=10, kept=2)
    for number in range(5):
        log.write(b"line %d...\n" % number)
    log.close()
    assert path.read_bytes() == b"line 4...\n"
    assert (tmp_path / "role.log.2").read_bytes() == b"line 2...\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["role.log", "role.log.1", "role.log.2"]


def test_a_log_that_cannot_be_written_loses_lines_only(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "missing" / "role.log")
    log.write(b"lost\n")
    assert log.lost_bytes == 5


@pytest.mark.parametrize("folder", [".", "missing"])
def test_last_line_is_the_last_that_says_something(tmp_path: Path, folder: str) -> None:
    """Also where the disk has no room for it."""
    log = RotatingLog(tmp_path / folder / "role.log")
    assert log.last_line == ""
    log.write(b"first\n  ValueError: no\n\n")
    assert log.last_line == "ValueError: no"
    log.write(b"  | OSError: no port\n  +---------\n")
    assert log.last_line == "OSError: no port"
    log.begin()
    assert log.last_line == ""
