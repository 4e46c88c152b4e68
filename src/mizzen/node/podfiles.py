"""A pod's folder on disk: what the agent must still know after its own death.

<pods>/<uid>/pod.json                     namespace, name, address
<pods>/<uid>/pod.interrupted              when the instance went down while it ran
<pods>/<uid>/pod.retired                  the pod is gone, its logs are kept
<pods>/<uid>/pod.volumes/<name>/          emptyDir, configMap, secret
<pods>/<uid>/<container>/<n>.run.json     the runtime's record of run n
<pods>/<uid>/<container>/<n>.log[.1|.2]   its output
<pods>/<uid>/<container>/termination-log  what it said at its end
<pods>/<uid>/<container>/work/            where its program starts, unless the pod says where

No name of a container has a dot, so none meets one of ours. What lies here the pod's programs can
reach, whatever they mean by it: every file is opened as `host/private.py` says, and read to a bound.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mizzen.base.objects import Obj
from mizzen.base.termination import MESSAGE_BYTES_MAX
from mizzen.host import private

LOG_TAIL_LINES = 10
LOG_TAIL_BYTES = 64 * 1024
RECORD_BYTES_MAX = 2**20
RETIRED_KEPT = 64  # folders of pods that are gone, for their logs
_RECORD = re.compile(r"([0-9]{1,9})\.run\.json")


def write_json(path: Path, content: Any) -> None:
    """Replaces the file whole. Errors: OSError."""
    private.replace(path, json.dumps(content).encode())


def read_json(path: Path) -> Obj | None:
    """The object in the file, None when it is missing, no regular file, too large or not JSON."""
    try:
        found = json.loads(private.read_end(path, RECORD_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def records_of(pods_dir: Path) -> Iterator[tuple[str, Obj]]:
    """(uid, pod.json) of every pod that is not gone."""
    for folder in private.real_folders(pods_dir):
        if not (folder / "pod.retired").exists():
            found = read_json(folder / "pod.json")
            if found is not None:
                yield folder.name, found


class PodFiles:
    """The folder of one pod."""

    def __init__(self, pods_dir: Path, uid: str) -> None:
        self.root = pods_dir / uid

    def container_dir(self, container: str) -> Path:
        return self._folder(container)

    def _folder(self, *names: str) -> Path:
        """A real folder: a link that a program put in its place would lead out of the pod's.

        Errors: OSError.
        """
        path = self.root
        private.make_folder(path)
        for name in names:
            path = path / name
            private.make_folder(path)
        return path

    def log(self, container: str, number: int) -> Path:
        return self.container_dir(container) / f"{number}.log"

    def record(self, container: str, number: int) -> Path:
        return self.container_dir(container) / f"{number}.run.json"

    def termination_log(self, container: str) -> Path:
        return self.container_dir(container) / "termination-log"

    def work_dir(self, container: str) -> Path:
        """The working directory of the container's program; nothing of ours is in it."""
        return self._folder(container, "work")

    def volume(self, name: str) -> Path:
        return self._folder("pod.volumes", name)

    def runs(self, container: str) -> dict[int, Obj]:
        """The records of a container's runs by number."""
        found: dict[int, Obj] = {}
        with contextlib.suppress(OSError):
            for path in (self.root / container).iterdir():
                match = _RECORD.fullmatch(path.name)
                record = read_json(path) if match is not None else None
                if match is not None and record is not None:
                    found[int(match[1])] = record
        return found

    def forget_old_runs(self, container: str, newest: int, keep: int = 3) -> None:
        """Drops logs and records of all but the latest runs, so that a crash loop stays small."""
        for number in range(max(newest - keep - 4, 0), newest - keep + 1):
            for path in self.container_dir(container).glob(f"{number}.*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def last_words(self, container: str, number: int, failed: bool) -> str:
        """The termination message: the file the container wrote, else its last log lines."""
        with contextlib.suppress(OSError):
            text = private.read_end(self.termination_log(container), MESSAGE_BYTES_MAX)
            if text.strip():
                return text.decode(errors="replace")
        return "\n".join(self.tail(container, number)) if failed else ""

    def tail(self, container: str, number: int) -> list[str]:
        """The last log lines of a run, without their stamps."""
        try:
            text = private.read_end(self.log(container, number), LOG_TAIL_BYTES)
        except OSError:
            return []
        lines = [line.split(b" ", 3) for line in text.split(b"\n")]
        words = [parts[3].decode(errors="replace") for parts in lines if len(parts) == 4]
        return words[-LOG_TAIL_LINES:]

    def interrupt(self, at: int) -> None:
        """The instance goes down while the pod runs: ends from `at` (ns) on are its doing."""
        with contextlib.suppress(OSError):
            private.replace(self.root / "pod.interrupted", str(at).encode())

    @property
    def interrupted_at(self) -> int:
        """The time when the instance last went down under the pod, 0 for never."""
        try:
            return int(private.read_end(self.root / "pod.interrupted", 32))
        except (OSError, ValueError):
            return 0

    def retire(self) -> None:
        """The pod is gone: its volumes and working folders go, its logs stay until `prune`."""
        private.remove_tree(self.root, "pod.volumes")
        for container in private.real_folders(self.root):
            private.remove_tree(self.root, container.name, "work")
        with contextlib.suppress(OSError):
            private.replace(self.root / "pod.retired", b"")


def prune(pods_dir: Path, keep: int = RETIRED_KEPT) -> None:
    """Removes the oldest folders of pods that are gone."""
    retired: list[tuple[float, str]] = []
    for folder in private.real_folders(pods_dir):
        with contextlib.suppress(OSError):
            retired.append(((folder / "pod.retired").lstat().st_mtime, folder.name))
    for _, uid in sorted(retired)[: max(len(retired) - keep, 0)]:
        private.remove_tree(pods_dir, uid)
