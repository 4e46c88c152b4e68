"""A full disk refuses the write that does not fit, and nothing else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey

# RLIMIT_FSIZE stands in for the disk's end: the kernel refuses to grow the file beyond it.
PROGRAM = """
import asyncio, json, resource, signal, sys
from pathlib import Path
from mizzen.base.errors import InsufficientStorage
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = LocalStore(Path(sys.argv[1]))
    def put(name, size):
        obj = {"metadata": {"name": name}, "pad": "x" * size}
        return store.commit([Put(ObjectKey("r", "", name), obj, "create")], identity="i", now_ns=1)
    await put("before", 10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))
    small, big, after = put("small", 10), put("big", 400_000), put("after", 10)
    rests = put("big", 20)  # rests on the one that does not fit
    outcome = await asyncio.gather(small, big, after, rests, return_exceptions=True)
    await put("later", 10)
    print(json.dumps([type(o).__name__ for o in outcome]
        + [s.key.name for s in store.list("r").items] + [store.statistics()["failures"]]))
    await store.close()

asyncio.run(main())
"""


def test_only_the_write_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    refused = "InsufficientStorage"
    expected = ["list", refused, "list", refused, "after", "before", "later", "small", 2]
    assert json.loads(done.stdout) == expected

    async def look() -> None:
        store = LocalStore(tmp_path)
        assert [s.key.name for s in store.list("r").items] == ["after", "before", "later", "small"]
        assert store.get(ObjectKey("r", "", "big")) is None
        await store.close()

    asyncio.run(look())


SALVAGE = """
import asyncio, resource, signal, sys
from pathlib import Path
from mizzen.store import checking
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put

async def fill(folder):
    store = LocalStore(folder)
    for n in range(40):
        obj = {"metadata": {"name": f"n{n}"}, "pad": "x" * 10_000}
        await store.commit(
            [Put(ObjectKey("r", "", f"n{n}"), obj, "create")], identity="i", now_ns=1
        )
    await store.close()

store, to = Path(sys.argv[1]) / "store", Path(sys.argv[1]) / "saved"
asyncio.run(fill(store))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    checking.salvage(store, to)
except OSError as error:
    print(error.filename == str(to), to.exists(), error.strerror)
"""


@pytest.mark.parametrize(
    ("limit", "said"),
    [(4096, "File too large"), (100_000, "not written: the disk of the store is full")],
)
def test_what_is_saved_where_there_is_no_room_names_the_folder_and_leaves_none(
    tmp_path: Path, limit: int, said: str
) -> None:
    command = [sys.executable, "-c", SALVAGE, str(tmp_path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (f"True False {said}\n", "")


# A tmpfs of its own, filled to the last byte.
ON_A_SMALL_DISK = """
import asyncio, json, os, sys
from pathlib import Path
from mizzen.base.errors import InsufficientStorage
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put, Remove

DISK = Path(sys.argv[1])

def key(name): return ObjectKey("r", "", name)

def fill():
    with open(DISK / "filler", "wb") as filler:
        size = 1 << 20
        while size:
            try:
                os.posix_fallocate(filler.fileno(), filler.seek(0, 2), size)
            except OSError:
                size //= 2

async def main():
    store = LocalStore(DISK / "store")
    said = {}

    def put(name, size, verb="create"):
        obj = {"metadata": {"name": name}, "pad": "x" * size}
        return store.commit([Put(key(name), obj, verb)], identity="i", now_ns=1)

    async def outcome(future):
        try:
            await future
            return ""
        except InsufficientStorage as error:
            return str(error)

    for n in range(400):
        await put(f"n{n}", 10_000)
    fill()
    # What is there is read, and small writes go on for a while.
    said["read"] = len(store.list("r").items), len(store.history(0, 1000))
    said["small"] = await outcome(put("small", 10))
    # Then there is a refusal that names the disk; it takes nothing of what deletions need.
    for n in range(1000):
        said["refused"] = await outcome(put(f"more{n}", 100_000))
        if said["refused"]:
            break
    for n in range(50):
        assert await outcome(put(f"late{n}", 200_000))
    deletions = [outcome(store.commit([Remove(key(f"n{n}"), store.get(key(f"n{n}")).object())],
                                      identity="i", now_ns=1)) for n in range(0, 400)]
    said["deleted"] = [await each for each in deletions].count("")
    before = store.revision
    await store.close()
    store = LocalStore(DISK / "store")  # still full: it starts nevertheless
    said["again"] = store.revision == before
    (DISK / "filler").unlink()
    said["after"] = await outcome(put("after", 1_000_000))
    await store.close()
    print(json.dumps(said))

asyncio.run(main())
"""


def test_on_a_full_disk_deletions_work_and_all_else_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=48m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", str(disk), sys.executable, ON_A_SMALL_DISK],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    refused = "the disk of the store is full: nothing of this request was written"
    assert said.pop("refused").startswith(refused)
    assert said == {"read": [400, 400], "small": "", "deleted": 400, "again": True, "after": ""}
