"""A full disk refuses the write that does not fit, and nothing else."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

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
