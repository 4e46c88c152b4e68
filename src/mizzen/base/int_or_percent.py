"""IntOrString fields that are a number or a percentage of something, such as maxSurge.

Source: apimachinery `util/intstr`, GetScaledValueFromIntOrPercent.
"""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([0-9]+)%")


def scaled(value: int | str | None, total: int, *, round_up: bool, otherwise: int = 0) -> int:
    """The number itself, or that percentage of `total`; `otherwise` where there is no value.

    Errors: ValueError for text that is no percentage.
    """
    if value is None:
        return otherwise
    if isinstance(value, int):
        return value
    found = _PERCENT.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no percentage, such as 25%")
    share = int(found[1]) * total
    return -(-share // 100) if round_up else share // 100
