"""Writes to a store and says on stdout what was acknowledged, until it is killed.

usage: store_writer.py FOLDER CONCURRENT. Transaction n writes objects a-<n> and b-<n> and the
shared `counter-<worker>`; its acknowledgement is the line "<n>". What is refused it passes over.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mizzen.base.errors import InsufficientStorage
from mizzen.store.local import LocalStore
from mizzen.store.store import ObjectKey, Put


async def main(folder: Path, concurrent: int) -> None:
    store = LocalStore(folder, keep=300)
    first = max((int(s.key.name[2:]) for s in store.list("left").items), default=0) + 1
    numbers = iter(range(first, sys.maxsize))

    async def work(worker: int) -> None:
        for n in numbers:
            writes = [
                Put(ObjectKey("left", "", f"a-{n}"), {"metadata": {"name": f"a-{n}"}}, "create", 0),
                Put(ObjectKey("right", "", f"b-{n}"), {"metadata": {}, "pad": "x" * 900}, "create"),
                Put(ObjectKey("counters", "", str(worker)), {"metadata": {}, "n": n}, "update"),
            ]
            try:
                await store.commit(writes, identity="test", now_ns=n)
            except InsufficientStorage:
                continue
            os.write(1, b"%d\n" % n)

    await asyncio.gather(*(work(worker) for worker in range(concurrent)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
