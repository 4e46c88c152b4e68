"""Files that are replaced whole or not at all, on a real file system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from mizzen.host.files import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    write_atomically(Path(sys.argv[1]), b"x" * 100)
except OSError as error:
    print(error.strerror, error.filename, error)
"""


def test_a_write_without_room_names_the_file_and_leaves_it(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"as it was")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM, str(path)], capture_output=True, text=True, timeout=60
    )
    said = f"File too large {path} [Errno 27] File too large: '{path}'\n"
    assert (done.stdout, done.stderr) == (said, "")
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"as it was"]
