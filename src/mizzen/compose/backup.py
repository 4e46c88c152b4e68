"""Backups of an instance: one file with its objects, their history, its keys and its settings.

A backup is a tar file, mode 0600, for it holds the instance's secrets. Its last member is the
manifest with the digest of each other one: a backup that was cut short has none. Not in it are
checkpoints, outputs, volumes and logs: files of their own, which any tool can copy.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from mizzen import __version__
from mizzen.base.clock import Clock, rfc3339
from mizzen.compose.state import running_instance, take_lock
from mizzen.host import private
from mizzen.host.home import Home
from mizzen.host.records import Damaged
from mizzen.store import copying
from mizzen.store.checking import Found, check
from mizzen.store.inspection import DATA, FORMAT
from mizzen.store.lmdb_file import NoRoom

_MANIFEST = "manifest.json"
_STORE = f"store/{DATA}"
_KEYS = "pki"
_KIND = "mizzen-backup"
_VERSION = 1  # of this layout
_MANIFEST_BYTES_MAX = 1 << 20
_PIECE = 1 << 20


class NotPossible(Exception):
    """Nothing was changed; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: member -> SHA-256; `revision` is the newest."""

    version: int
    mizzen: str
    store_format: int
    taken: str  # RFC 3339
    objects: int
    records: int
    revision: int
    digests: dict[str, str]
    kind: str = _KIND


def backup(home: Home, file: Path, clock: Clock) -> Manifest:
    """Writes the backup of an instance that runs or does not, and reads it again.

    Errors: NotPossible, records.Damaged, BlockingIOError while a store is opened, OSError.
    """
    if file.exists():
        raise NotPossible(f"{file} is there already: name a file that is not")
    if not file.parent.is_dir():
        raise NotPossible(f"{file} cannot be written: {file.parent} is no folder; make it first")
    if not (home.store / DATA).exists():
        raise NotPossible(f"there is no store in {home.store}: nothing to back up")
    if running_instance(home) is None:
        check(home.store, home.store_mark)  # LMDB is not to be led astray by a damaged file
    with _scratch(file.parent) as scratch:
        try:
            found = copying.copy(home.store, scratch / "store")
        except NoRoom as error:
            raise NotPossible(f"not written: the disk of {file.parent} is full") from error
        part = scratch / "part"
        _write(part, home, scratch / "store" / DATA, found, rfc3339(clock.now_ns()))
        manifest = _read(part, None)
        os.replace(part, file)
        private.sync_folder(file.parent)
    return manifest


def restore(home: Home, file: Path, *, replace: bool = False) -> tuple[Manifest, Path | None]:
    """Puts a backup in the place of what a stopped instance has, which is kept aside.

    Returns the manifest and where the store that was there lies now. Everything is verified before
    anything is changed. Errors: NotPossible, records.Damaged, OSError.
    """
    home.make()
    lock = take_lock(home)
    if lock is None:
        raise NotPossible("the instance runs: stop it with `mizzen down` first")
    try:
        has_store = (home.store / DATA).exists()
        if has_store and not replace:
            raise NotPossible(
                f"there is a store in {home.store} already: with --replace it is moved aside"
            )
        with _scratch(home.state) as scratch:
            manifest = _read(file, scratch / "read")
            places = {name: _place(home, file, name) for name in manifest.digests if name != _STORE}
            try:
                copying.restore(scratch / "read" / "store", scratch / "store")
            except NoRoom as error:
                raise NotPossible(f"not restored: the disk of {home.state} is full") from error
            aside = _aside(home.store) if has_store else None
            if aside is not None:
                os.rename(home.store, aside)
            else:
                shutil.rmtree(home.store, ignore_errors=True)
            os.rename(scratch / "store", home.store)
            private.sync_folder(home.state)
            for name, path in places.items():
                os.replace(scratch / "read" / name, path)
    finally:
        os.close(lock)
    return manifest, aside


def _single_files(home: Home) -> dict[str, Path]:
    return {
        "config/instance.json": home.settings,
        "config/kubeconfig": home.kubeconfig,
        "tokens.json": home.tokens,
        "api-keys.json": home.api_keys,
    }


def _files(home: Home) -> dict[str, Path]:
    """The small files of an instance that belong to a backup, by their names in it."""
    keys = {f"{_KEYS}/{path.name}": path for path in sorted(home.pki.glob("*"))}
    return {name: path for name, path in (keys | _single_files(home)).items() if path.is_file()}


def _place(home: Home, file: Path, name: str) -> Path:
    """Where a member of a backup belongs. Errors: NotPossible."""
    folder, _, own = name.partition("/")
    if folder == _KEYS and own and "/" not in own:
        return home.pki / own
    if name not in (known := _single_files(home)):
        raise NotPossible(f"{file} is no backup that this version of mizzen knows: it has {name!r}")
    return known[name]


def _write(part: Path, home: Home, data: Path, found: Found, taken: str) -> None:
    digests: dict[str, str] = {}
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, path in {**_files(home), _STORE: data}.items():
                digests[name] = _digest(path)
                tar.add(path, name, recursive=False, filter=_plain)
            manifest = Manifest(
                _VERSION, __version__, found.format, taken, found.objects, found.records,
                found.newest, digests,
            )  # fmt: skip
            text = json.dumps(asdict(manifest), indent=1).encode()
            member = tarfile.TarInfo(_MANIFEST)
            member.size, member.mode = len(text), 0o600
            tar.addfile(member, io.BytesIO(text))
        raw.flush()
        os.fsync(raw.fileno())


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _read(file: Path, into: Path | None) -> Manifest:
    """The manifest of a backup all of which is as it was written; its members, into a new folder.

    Errors: NotPossible where it is none, or of a newer version; records.Damaged; OSError.
    """
    digests: dict[str, str] = {}
    manifest: Manifest | None = None
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                name = member.name
                parts = Path(name).parts
                if not member.isfile() or name.startswith("/") or ".." in parts or name in digests:
                    raise NotPossible(f"{file} is no backup: it holds {name!r}")
                source = tar.extractfile(member)
                assert source is not None
                if name == _MANIFEST:
                    manifest = _manifest(file, source.read(_MANIFEST_BYTES_MAX))
                    continue
                if manifest is not None:
                    raise NotPossible(f"{file} is no backup: {name!r} follows the manifest")
                digests[name] = _copied(source, None if into is None else into / name)
    except tarfile.TarError as error:
        raise Damaged(f"the backup {file} cannot be read: {error}; take another one") from error
    if manifest is None:
        raise Damaged(f"the backup {file} was cut short: it has no manifest; take another one")
    for name in sorted(manifest.digests.keys() | digests.keys()):
        if manifest.digests.get(name) != digests.get(name):
            raise Damaged(f"the backup {file} is damaged: {name} is not what was written")
    return manifest


def _manifest(file: Path, text: bytes) -> Manifest:
    try:
        found = cast("dict[str, Any]", json.loads(text))
        if found.get("kind") != _KIND or found["version"] > _VERSION:
            raise NotPossible(f"{file} is no backup that this version of mizzen knows")
        if found["store_format"] > FORMAT:
            raise NotPossible(
                f"{file} was taken by mizzen {found['mizzen']}, whose store this version does not "
                "know: restore it with that one"
            )
        return Manifest(**found)
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"the backup {file} is damaged: its manifest: {error}") from error


def _copied(source: Any, to: Path | None) -> str:
    """The digest of what is read; it is written, too, where a path says so."""
    digest = hashlib.sha256()
    out = None
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        out = os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    try:
        while piece := source.read(_PIECE):
            digest.update(piece)
            if out is not None:
                out.write(piece)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    finally:
        if out is not None:
            out.close()
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _scratch(folder: Path) -> Generator[Path]:
    """A folder on the same file system, gone afterwards."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".mizzen-backup-") as name:
        yield Path(name)


def _aside(store: Path) -> Path:
    """A name beside the store that is free."""
    number = 1
    while (path := store.with_name(f"{store.name}.before-restore-{number}")).exists():
        number += 1
    return path
