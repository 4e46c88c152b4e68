"""A termination message that names its reason, as an engine writes it and its controller reads it.

The agent takes a container's termination message from the file that `MIZZEN_TERMINATION_LOG` names
(what `terminationMessagePath` is where containers have files of their own), else from its log.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

TERMINATION_LOG = "MIZZEN_TERMINATION_LOG"
MESSAGE_BYTES_MAX = 4096  # of a termination message, as upstream
_TEXT_BYTES_MAX = 3800  # of its JSON text, so that all of it stays below that
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")


def termination_message(reason: str, text: str) -> str:
    """The JSON that `read_termination` understands; of a text that is too long, both ends."""
    kept = len(text)
    while len(json.dumps(_both_ends(text, kept))) > _TEXT_BYTES_MAX:
        kept = kept * 3 // 4
    return json.dumps({"reason": reason, "message": _both_ends(text, kept)})


def read_termination(message: str) -> tuple[str, str] | None:
    """Reason and text of a container's message; None for one that is in any other form."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    said = cast("dict[str, Any]", found)
    reason, text = said.get("reason"), said.get("message")
    if not isinstance(reason, str) or not isinstance(text, str):
        return None
    return (reason, text) if _REASON.fullmatch(reason) and text else None


def _both_ends(text: str, kept: int) -> str:
    if len(text) <= kept:
        return text
    half = kept // 2
    return f"{text[:half]} ... {text[-half:]}"
