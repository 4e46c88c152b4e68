"""Bodies come as anything: these make them what they must be, or refuse."""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.kinds.report import quoted

GRACE_S_MAX = (1 << 31) - 1  # 68 years


def as_object(value: Any, problem: str) -> Obj:
    """The value as an object. Errors: BadRequest with this problem."""
    if not isinstance(value, dict):
        raise BadRequest(problem)
    return cast("Obj", value)


def as_list(value: Any, problem: str) -> list[Any]:
    """The value as a list. Errors: BadRequest with this problem."""
    if not isinstance(value, list):
        raise BadRequest(problem)
    return cast("list[Any]", value)


def text(obj: Obj, name: str) -> str:
    """A string field; "" when absent or something else."""
    value = obj.get(name)
    return value if isinstance(value, str) else ""


def grace_seconds(value: Any) -> int | None:
    """gracePeriodSeconds, of which less than none is one, as upstream. Errors: BadRequest."""
    if value is None:
        return None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or value > GRACE_S_MAX:
        raise BadRequest(
            f"gracePeriodSeconds: Invalid value: {quoted(value)}: must be a number of seconds up to "
            f"{GRACE_S_MAX}"
        )
    return value if value >= 0 else 1
