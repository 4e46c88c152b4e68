"""Answers allocation questions, one JSON object per line: what `mizzen allocate` runs.

The thin shell around `core/dra/compat/case.py`: text in, text out, and fresh ids for shares.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.compat.case import BadCase, answer, read_case
from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.model import Selectors
from mizzen.scheduler.device_selectors import CelSelectors


class Allocator:
    """Answers lines; `bad` counts those that could not be read."""

    def __init__(self) -> None:
        self.bad = 0
        self._selectors: dict[Features, Selectors] = {}

    def answers(self, lines: Iterable[str]) -> Iterator[str]:
        """One line of JSON for each that is not blank, in order."""
        for line in lines:
            if line.strip():
                yield json.dumps(self.answer(line), separators=(",", ":"))

    def answer(self, line: str) -> Obj:
        """{"results", "reason"} or {"error"}; a line that cannot be read is an error too."""
        try:
            read = json.loads(line, parse_float=_number, parse_constant=_number)
            case = read_case(read)
        except json.JSONDecodeError as error:
            return self._refuse(f"the line is not JSON: {error}")
        except RecursionError:
            return self._refuse("the line is nested too deeply")
        except NoNumber as error:
            return self._refuse(f"the line is not JSON: {error} is no number of JSON")
        except BadCase as error:
            return self._refuse(f"the case cannot be read: {error}")
        return answer(case, self._selectors_for(case.features), _share_ids())

    def _refuse(self, why: str) -> Obj:
        self.bad += 1
        return {"error": why}

    def _selectors_for(self, features: Features) -> Selectors:
        found = self._selectors.get(features)
        if found is None:
            found = self._selectors[features] = CelSelectors(features.lists)
        return found


class NoNumber(Exception):
    """NaN, or a number too large to be written again."""


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NoNumber(text)
    return number


def _share_ids() -> Iterator[str]:
    while True:
        yield str(uuid.uuid4())
