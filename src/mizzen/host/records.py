"""Reads small JSON files of ours that may have been edited, truncated or overwritten."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

RECORD_BYTES_MAX = 1 << 20


class Damaged(Exception):
    """The file does not hold what it should; the message names it, the reason and what to do."""


def read(path: Path, advice: str) -> Any:
    """The file's content. `advice`: what to do if it cannot be read.

    Errors: FileNotFoundError, OSError, Damaged.
    """
    # A link is the user's own choice of a place; a pipe would be waited for.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise damaged(path, "it is no regular file", advice)
        data = file.read(RECORD_BYTES_MAX + 1)
    if len(data) > RECORD_BYTES_MAX:
        raise damaged(path, f"it is larger than {RECORD_BYTES_MAX} bytes", advice)
    try:
        return json.loads(data)
    except RecursionError:
        raise damaged(path, "it is nested too deeply", advice) from None
    except ValueError as error:  # not JSON, or not UTF-8
        raise damaged(path, f"it is no JSON: {error}", advice) from error


def damaged(path: Path, why: str, advice: str) -> Damaged:
    return Damaged(f"{path} cannot be read: {why}; {advice}")
