import os
from pathlib import Path

import pytest

from mizzen.host.records import RECORD_BYTES_MAX, Damaged, read


def test_a_record_is_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text('{"a": 1}')
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read(tmp_path / "link", "") == {"a": 1}


def test_what_is_no_record_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "record"
    with pytest.raises(FileNotFoundError):
        read(path, "mend it")
    for content in (b"", b"{", b"\xff", b"[" * 200_000, b"0" * (RECORD_BYTES_MAX + 1)):
        path.write_bytes(content)
        with pytest.raises(Damaged, match=r"record cannot be read: .*; mend it"):
            read(path, "mend it")


def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Damaged, match="no regular file"):
        read(tmp_path / "pipe", "mend it")
