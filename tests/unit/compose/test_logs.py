from pathlib import Path

from mizzen.compose.logs import RotatingLog, last_line


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


def test_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    path = tmp_path / "role.log"
    path.write_text("first\n  ValueError: no\n\n")
    assert last_line(path) == "ValueError: no"
    path.write_text("  | OSError: no port\n  +---------\n")
    assert last_line(path) == "OSError: no port"
    assert last_line(tmp_path / "missing.log") == ""
