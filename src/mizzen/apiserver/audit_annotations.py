"""What admission has to say about a request in the audit log, on its way there."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

_current: ContextVar[dict[str, str] | None] = ContextVar("audit_annotations", default=None)


def record_into(annotations: dict[str, str] | None) -> None:
    """Those of the request that this task answers are noted here from now on; None: nowhere."""
    _current.set(annotations)


def note(annotations: Mapping[str, str]) -> None:
    """Notes them; the first of one key is kept, as upstream."""
    known = _current.get()
    if known is not None:
        for key, value in annotations.items():
            known.setdefault(key, value)
