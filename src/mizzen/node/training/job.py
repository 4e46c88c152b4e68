"""One TrainJob's gang on this node, with its open files."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from mizzen.base import names, segment
from mizzen.base.objects import Obj, annotations_of
from mizzen.node.core.gang import SECOND, Gang
from mizzen.node.podfiles import read_json, write_json
from mizzen.node.training.segments import GangPage, RankFile

FAILURES_MAX, DEADLINE_S = 3, 300  # unless the TrainJob says otherwise
KNOWN = "agent.json"  # file in a job's segments: what the next agent is to know of the gang


@dataclass(slots=True)
class Job:
    """`whole`: by the number of a durable tier the steps of its checkpoints that were verified;
    `counted`: by uid of a pod the run that a former agent had counted among the failures."""

    key: str  # namespace/name
    owner_uid: str
    folder: Path
    page: GangPage
    gang: Gang
    files: dict[int, RankFile] = field(default_factory=dict[int, RankFile])
    progress_at: int = 0
    durable_at: int = 0
    durable_word: int = 0
    finished_copied: bool = False
    whole: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    counted: dict[str, int] = field(default_factory=dict[str, int])
    is_closed: bool = False

    @property
    def staged_word(self) -> int:
        """The step word of the newest staged state of any rank, 0: none."""
        with_room = (f for f in self.files.values() if f.get(segment.RANK_OFFSET_STATE_BYTES))
        return max((file.staged_word for file in with_room), default=0)


def configure(gang: Gang, train_job: Obj | None) -> None:
    """Sets limits for failures and deadlines from the TrainJob's annotations, else the defaults."""
    notes = annotations_of(train_job or {"metadata": {}})
    gang.max_failures = _from_one(notes.get(names.MAX_FAILURES), FAILURES_MAX)
    gang.deadline_ns = _from_one(notes.get(names.PROGRESS_DEADLINE_S), DEADLINE_S) * SECOND


def save(job: Job) -> None:
    """Before what was decided is done: who takes over in the midst of it judges nothing twice."""
    gang = job.gang
    content = {
        "failures": gang.failures,
        "best_step": gang.best_step,
        "last_failure": gang.last_failure,
        "counted": {m.uid: m.run for m in gang.members.values() if m.was_counted},
    }
    with contextlib.suppress(OSError):
        write_json(job.folder / KNOWN, content)


def load(job: Job) -> None:
    """Loads the previous agent's state. Workers may write there, too: others than numbers count
    as none."""
    saved = read_json(job.folder / KNOWN) or {}
    counted = saved.get("counted")
    job.gang.failures, job.gang.best_step = map(
        _number, (saved.get("failures"), saved.get("best_step"))
    )
    job.gang.last_failure = str(saved.get("last_failure") or "")
    if isinstance(counted, dict):
        job.counted = {uid: _number(run) for uid, run in cast("Obj", counted).items()}


def _number(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0


def _from_one(text: str | None, default: int) -> int:
    return max(int(text), 1) if text and text.isdecimal() else default
