"""This process's rank and job: read from the pod's environment, or made up for a run alone."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mizzen.base import rendezvous, segment
from mizzen.checkpoints.tier import Places
from mizzen.train.errors import TrainError
from mizzen.train.files import create_gang, create_rank

_SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Environment:
    """The pod's contract (ARCHITECTURE.md, "Environment of a pod") as values.

    `size_max` is the largest world that may form, at least 1; `alone` means that no agent is there.
    """

    segments: Path
    rank_file: Path
    rank: int
    size_max: int
    job: str
    checkpoints: Path
    output: Path
    pod_ip: str
    alone: bool
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def places(self) -> Places:
        """The places in which the job's checkpoints may lie."""
        own = self.rank_file.name
        return Places(self.segments, self.checkpoints, own, self.variables)


def read(environ: Mapping[str, str]) -> Environment:
    """The environment of this rank. Errors: TrainError naming the variable that is wrong."""
    if "MIZZEN_SEGMENTS" not in environ:
        return _alone(environ)
    segments = Path(environ["MIZZEN_SEGMENTS"])
    rank = _integer(environ, "MIZZEN_RANK")
    return Environment(
        segments=segments,
        rank_file=Path(environ.get("MIZZEN_RANK_FILE") or segments / f"rank-{rank}"),
        rank=rank,
        size_max=max(_integer(environ, rendezvous.SIZE_MAX, rank + 1), rank + 1),
        job=environ.get("MIZZEN_JOB", ""),
        checkpoints=Path(environ.get("MIZZEN_CHECKPOINTS") or segments / "checkpoints"),
        output=Path(environ.get("MIZZEN_OUTPUT") or "."),
        pod_ip=environ.get("POD_IP", "127.0.0.1"),
        alone=False,
        variables=environ,
    )


def _integer(environ: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environ.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isdecimal():
        shown = "missing" if text is None else f"{text!r}, not a whole number"
        raise TrainError(f"environment variable {name} is {shown}; the node agent sets it")
    return int(text)


def _alone(environ: Mapping[str, str]) -> Environment:
    """A world of one: its own segments, thrown away at exit, and ./mizzen-train for the rest."""
    base = _SHM if _SHM.is_dir() else None
    segments = Path(tempfile.mkdtemp(prefix="mizzen-train-", dir=base))
    atexit.register(shutil.rmtree, segments, ignore_errors=True)
    create_gang(segments / "gang", segment.Control(generation=1, size=1))
    create_rank(segments / "rank-0", awaits=1)
    folder = Path(environ.get("MIZZEN_OUTPUT") or "mizzen-train")
    return Environment(
        segments=segments,
        rank_file=segments / "rank-0",
        rank=0,
        size_max=1,
        job="",
        checkpoints=folder / "checkpoints",
        output=folder,
        pod_ip="127.0.0.1",
        alone=True,
        variables=environ,
    )
