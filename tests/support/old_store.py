"""Writes a store as format 1 had it, without checksums."""

from __future__ import annotations

import struct
from pathlib import Path

import lmdb
import orjson


def write(path: Path, names: list[str], records: int) -> None:
    """`records` updates of each object in turn; the last one is deleted."""
    path.mkdir(mode=0o700)
    environment = lmdb.open(str(path), map_size=1 << 30, max_dbs=2)
    objects, history = (environment.open_db(name) for name in (b"objects", b"history"))
    (path / "writer").touch()
    with environment.begin(write=True) as transaction:
        transaction.put(b"format", b"1")
        revision = 0
        for turn in range(records):
            for name in names:
                revision += 1
                deleted = turn == records - 1 and name == names[-1]
                obj = {"metadata": {"name": name, "resourceVersion": str(revision)}, "turn": turn}
                data = orjson.dumps(obj)
                place = f"r\0ns\0{name}".encode()
                head = struct.pack(">QI", revision, len(place)) + place
                if deleted:
                    transaction.delete(place, db=objects)
                else:
                    transaction.put(place, head + data, db=objects)
                kind = "D" if deleted else "M" if turn else "A"
                words = [turn + 1, "i", "update", "r", "ns", name, "", kind, 0]
                text = orjson.dumps(words)
                value = struct.pack(">I", len(text)) + text + data
                transaction.put(struct.pack(">Q", revision), value, db=history)
    environment.close()
