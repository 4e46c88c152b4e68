"""One TrainJob's gang on this node, with its open files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mizzen.host.private import read_end, replace
from mizzen.node.core.gang import Gang
from mizzen.node.segments import GangPage, RankFile

OWNER = "owner"  # file in a job's folders: the uid of the TrainJob whose they are
OWNER_BYTES_MAX = 256


@dataclass(slots=True)
class Job:
    """`whole`: steps of the durable checkpoints that were verified, None before the first look."""

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
    whole: set[int] | None = None
    is_closed: bool = False


def owner_of(place: Path, mark: str = OWNER) -> str:
    """The uid of the TrainJob whose folder this is, "" while nobody's. Errors: OSError.

    Programs may write there, too: only a plain file is read, and never waited for.
    """
    try:
        return read_end(place / mark, OWNER_BYTES_MAX).decode(errors="replace")
    except FileNotFoundError:
        return ""


def claim(place: Path, uid: str, mark: str = OWNER) -> None:
    """The folder is this TrainJob's from here on. Errors: OSError."""
    replace(place / mark, uid.encode())
