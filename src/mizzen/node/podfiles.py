"""A pod's folder on disk: what the agent must still know after its own death.

<pods>/<uid>/pod.json                     namespace, name, address
<pods>/<uid>/<container>/<n>.run.json     the shim's record of run n
<pods>/<uid>/<container>/<n>.log[.1|.2]   its output
<pods>/<uid>/<container>/termination-log  what it said at its end
<pods>/<uid>/interrupted                  when the instance went down while it ran
<pods>/<uid>/volumes/<name>/              emptyDir, configMap, secret
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from mizzen.base.objects import Obj

LOG_TAIL_LINES = 10
LOG_TAIL_BYTES = 64 * 1024
MESSAGE_BYTES_MAX = 4096
RETIRED_KEPT = 64  # folders of pods that are gone, for their logs


def write_json(path: Path, content: Any) -> None:
    """Replaces the file whole."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)


def read_json(path: Path) -> Obj | None:
    """The object in the file, None when it is missing or not JSON."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


class PodFiles:
    """The folder of one pod."""

    def __init__(self, pods_dir: Path, uid: str) -> None:
        self.root = pods_dir / uid

    def container_dir(self, container: str) -> Path:
        path = self.root / container
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, container: str, number: int) -> Path:
        return self.container_dir(container) / f"{number}.log"

    def record(self, container: str, number: int) -> Path:
        return self.container_dir(container) / f"{number}.run.json"

    def termination_log(self, container: str) -> Path:
        return self.container_dir(container) / "termination-log"

    def runs(self, container: str) -> dict[int, Obj]:
        """The records of a container's runs by number."""
        found: dict[int, Obj] = {}
        with contextlib.suppress(OSError):
            for path in (self.root / container).glob("*.run.json"):
                record = read_json(path)
                if record is not None and path.name.split(".")[0].isdigit():
                    found[int(path.name.split(".")[0])] = record
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
            text = self.termination_log(container).read_bytes()[-MESSAGE_BYTES_MAX:]
            if text.strip():
                return text.decode(errors="replace")
        return "\n".join(self.tail(container, number)) if failed else ""

    def tail(self, container: str, number: int) -> list[str]:
        """The last log lines of a run, without their stamps."""
        try:
            with open(self.log(container, number), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - LOG_TAIL_BYTES, 0))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return []
        words = [line.split(" ", 3)[3] for line in lines if line.count(" ") >= 3]
        return words[-LOG_TAIL_LINES:]

    def interrupt(self, at: int) -> None:
        """The instance goes down while the pod runs: ends from `at` (ns) on are its doing."""
        with contextlib.suppress(OSError):
            (self.root / "interrupted").write_text(str(at))

    @property
    def interrupted_at(self) -> int:
        """When the instance last went down under the pod, 0 for never."""
        try:
            return int((self.root / "interrupted").read_text())
        except (OSError, ValueError):
            return 0

    def retire(self) -> None:
        """The pod is gone: its volumes go, its logs stay until `prune`."""
        shutil.rmtree(self.root / "volumes", ignore_errors=True)
        with contextlib.suppress(OSError):
            (self.root / "retired").touch()


def prune(pods_dir: Path, keep: int = RETIRED_KEPT) -> None:
    """Removes the oldest folders of pods that are gone."""
    retired = sorted(pods_dir.glob("*/retired"), key=lambda p: p.stat().st_mtime)
    for marker in retired[: max(len(retired) - keep, 0)]:
        shutil.rmtree(marker.parent, ignore_errors=True)
