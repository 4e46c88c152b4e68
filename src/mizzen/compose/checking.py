"""The store of an instance that does not run: is it whole, and what can be saved of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from mizzen.host.home import Home
from mizzen.store import checking
from mizzen.store.inspection import FORMAT

_PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """Lines to print; whether all is well."""

    lines: list[str]
    is_whole: bool = True


def check(home: Home) -> Verdict:
    """Errors: records.Damaged, BlockingIOError while it runs, FileNotFoundError."""
    found = checking.check(home.store, home.store_mark)
    lines = [
        f"{found.path} is whole: {found.objects} objects, {found.records} records of history "
        f"(revisions {found.oldest + 1} to {found.newest})"
    ]
    if found.format != FORMAT:
        lines.append("it is of an old format without checksums; the next `mizzen up` adds them")
    return Verdict(lines)


def begin_anew(home: Home) -> None:
    """The next start makes a new store in the place of one that is gone.

    Errors: FileExistsError where it is not gone.
    """
    checking.begin_anew(home.store, home.store_mark)


def salvage(home: Home, folder: Path) -> Verdict:
    """Errors: as `check`; FileExistsError where the folder is there already."""
    saved = checking.salvage(home.store, folder, home.store_mark)
    lines = [f"not saved: {problem}" for problem in saved.problems[:_PROBLEMS_SHOWN]]
    if len(saved.problems) > _PROBLEMS_SHOWN:
        lines.append(f"not saved: {len(saved.problems) - _PROBLEMS_SHOWN} more")
    only = f", {saved.restored} of them out of the history alone" if saved.restored else ""
    lines.append(
        f"saved in {folder}: {len(saved.objects)} objects{only}, {len(saved.records)} records of "
        "history"
    )
    store, aside, new = (
        shlex.quote(str(path)) for path in (home.store, f"{home.store}.damaged", folder)
    )
    lines.append(f"to go on with it: mv {store} {aside} && mv {new} {store}")
    return Verdict(lines, not saved.problems)
