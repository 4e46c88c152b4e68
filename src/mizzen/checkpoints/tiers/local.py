"""A folder on this machine: `step-<steps done>`, with its shards and the manifest written last.

A checkpoint is made beside its place, synced and renamed. Programs may write there, too: no link
is followed and no pipe waited for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mizzen.base.checkpoint import (
    MANIFEST,
    MANIFEST_BYTES_MAX,
    Manifest,
    Shard,
    parse_manifest,
    step_of,
)  # fmt: skip
from mizzen.checkpoints.choice import pieces
from mizzen.checkpoints.tier import Checkpoint, Damaged, Entry, Places, Source
from mizzen.host import private


class Local:
    """The checkpoints in one folder, which need not exist before the first is put."""

    is_durable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        return str(self._folder)

    def list(self) -> Sequence[Entry]:
        found = ((step_of(path.name), path.name) for path in private.real_folders(self._folder))
        return [Entry(step, name) for step, name in found if step is not None]

    def get(self, entry: Entry) -> Checkpoint:
        folder = self._folder / entry.name
        try:
            manifest = parse_manifest(private.read_end(folder / MANIFEST, MANIFEST_BYTES_MAX + 1))
            if manifest.step != entry.step:
                raise ValueError(f"its manifest is of step {manifest.step}")
            sources = tuple(_File(folder / shard.file, shard) for shard in manifest.shards)
            for source in sources:
                source.check_size()
        except (OSError, ValueError) as error:
            raise Damaged(str(error)) from error
        return Checkpoint(entry.step, sources, str(folder))

    def put(self, found: Checkpoint) -> bool:
        temporary = self._folder / f".step-{found.step}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            shards: list[Shard] = []
            for index, source in enumerate(found.sources):
                file = "state" if len(found.sources) == 1 else f"shard-{index}"
                if not source.is_intact():
                    return False
                crc32 = _copy(source, temporary / file)
                shards.append(replace(source.shard, file=file, crc32=crc32))
            if not all(source.is_intact() for source in found.sources):
                return False
            _write_synced(temporary / MANIFEST, Manifest(found.step, tuple(shards)).to_json())
            private.sync_folder(temporary)
            final = f"step-{found.step}"
            private.remove_tree(self._folder, final)  # an earlier copy that is not whole
            os.replace(temporary, self._folder / final)
            private.sync_folder(self._folder)
            return True
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def delete(self, entry: Entry) -> None:
        """The manifest goes first."""
        with contextlib.suppress(OSError):
            (self._folder / entry.name / MANIFEST).unlink()
        private.remove_tree(self._folder, entry.name)

    def clean(self) -> None:
        for path in self._folder.glob(".step-*.tmp"):
            private.remove_tree(self._folder, path.name)


def _open(places: Places) -> Local | None:
    return Local(places.folder) if places.folder is not None else None


TIER = _open


@dataclass(frozen=True, slots=True)
class _File:
    """A shard in a file."""

    path: Path
    shard: Shard

    def check_size(self) -> None:
        """Errors: ValueError where the file is of another size than its manifest says; OSError."""
        descriptor = private.open_file(self.path)
        try:
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if size != self.shard.bytes:
            raise ValueError(f"it has {size} bytes, not {self.shard.bytes}")

    def read_into(self, buffer: memoryview, offset: int) -> None:
        descriptor = private.open_file(self.path)
        try:
            read_all(descriptor, buffer, offset, self.path)
        finally:
            os.close(descriptor)

    def is_intact(self) -> bool:
        return True


def read_all(descriptor: int, buffer: memoryview, offset: int, path: Path) -> None:
    """Fills the buffer from this place of a file. Errors: OSError where the file ends before."""
    while buffer:
        count = os.preadv(descriptor, [buffer], offset)
        if not count:
            raise OSError(f"{path} ends before its state does")
        buffer, offset = buffer[count:], offset + count


def _copy(source: Source, target: Path) -> int:
    """Through the page cache in pieces; all calls let other threads run. Returns the CRC-32."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        crc32 = 0
        for piece in pieces(source):
            crc32 = zlib.crc32(piece, crc32)
            rest = piece
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
        return crc32
    finally:
        os.close(descriptor)


def _write_synced(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
