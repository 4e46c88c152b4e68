"""Device selectors for the scheduler: compiled once, evaluated once per what they can see.

Source: k8s.io/dynamic-resource-allocation/cel, v0.36.3.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mizzen.cel.cost import LIMIT
from mizzen.cel.program import Selector, compile_selector
from mizzen.cel.reads import Reads
from mizzen.cel.tree import CompileError
from mizzen.cel.values import Err, Map
from mizzen.scheduler import device_values as devices
from mizzen.scheduler.core.dra.model import (
    Attribute,
    Device,
    DeviceShape,
    SelectorError,
    SelectorsBusy,
)
from mizzen.scheduler.device_values import Cut

REMEMBERED_MAX = 200_000  # answers kept; beyond, all are forgotten at once
PROGRAMS_MAX = 4096  # likewise
PROGRAMS_CHARS_MAX = 256 << 10  # of all their expressions; each takes about a KiB of memory
# Of cost; a thousand of it takes about 4 ms. Selectors of devices cost tens or hundreds.
TURN_COST_MAX = 50_000  # of all selectors in a turn, which the last one may overdraw once
EVALUATION_COST_MAX = 100_000  # where others wait; upstream's limit takes four seconds
SPENT_MAX = 1_000_000  # of one expression that is dear, on all its devices
DEAR = 10_000  # of an expression on average
COMPILING_COST = 5  # of each of its bytes
FREE_CHARS = 50  # of it whose steps, free of charge, take as long as a cost of 1
OVERHEAD_COST = 20  # of an evaluation or a compilation, whatever it is about
SHOWN_CHARS = 200  # of an expression, and of what is wrong with it, in an error

_log = logging.getLogger(__name__)

_Own = tuple[tuple[str, Attribute], ...]


class CelSelectors:
    """`Selectors` for the core; attributes may be `lists` (gate DRAListTypeAttributes).

    With `is_patient` False others wait meanwhile. An evaluation may cost less; an expression that
    has cost SPENT_MAX, and is dear each time, is not evaluated any more; and all of them together
    may cost TURN_COST_MAX until the next `begin_turn`. What is known by then costs nothing.
    """

    def __init__(self, lists: bool = False, *, is_patient: bool = True) -> None:
        self._lists = lists
        self._is_patient = is_patient
        self._left = TURN_COST_MAX
        self._spent: dict[str, tuple[int, int]] = {}  # evaluations, and what they cost, if dear
        self._reads: dict[str, Reads | CompileError | None] = {}  # outlive their programs
        self._programs: dict[str, Selector | CompileError] = {}
        self._programs_chars = 0
        self._by_shape: dict[tuple[str, DeviceShape, _Own], bool | Err] = {}
        self._by_cut: dict[tuple[str, Cut], bool | Err] = {}
        self.evaluations = 0

    def statistics(self) -> Mapping[str, int]:
        return {
            "expressions": len(self._programs),
            "answers": len(self._by_cut),
            "evaluations": self.evaluations,
        }

    def begin_turn(self) -> None:
        """Others have had their turn: selectors may cost something again."""
        self._left = TURN_COST_MAX

    def matches(self, expression: str, device: Device) -> bool:
        """True if the device satisfies the expression. Errors: SelectorError, SelectorsBusy."""
        reads = self._reads_of(expression)
        key = (expression, device.shape, self._own(reads, device))
        answer = self._by_shape.get(key)
        if answer is None:
            answer = self._answer(expression, reads, device)
            if len(self._by_shape) >= REMEMBERED_MAX:
                self._by_shape.clear()
            self._by_shape[key] = answer
        if isinstance(answer, Err):
            raise SelectorError(
                f"CEL selector {_shown(expression)} failed on device {device.id}: {answer.reason}"
            )
        return answer

    def problem(self, expression: str) -> str:
        """Why the expression does not compile; "" if it does."""
        try:
            self._reads_of(expression)
        except SelectorError as error:
            return str(error)
        return ""

    def reads(self, expression: str) -> frozenset[str] | None:
        """Qualified names of the attributes and capacities that decide the answer; None: all.

        An expression that does not compile reads nothing. Errors: SelectorsBusy.
        """
        try:
            found = self._reads_of(expression)
        except SelectorError:
            return frozenset()
        return None if found is None else found.attributes | found.capacity

    def _reads_of(self, expression: str) -> Reads | None:
        """The attributes it looks at; None: all. Errors: SelectorError, SelectorsBusy."""
        try:
            found = self._reads[expression]
        except KeyError:
            program = self._program(expression)
            found = program.reads if isinstance(program, Selector) else program
            if len(self._reads) >= PROGRAMS_MAX:
                self._reads.clear()
            self._reads[expression] = found
        if isinstance(found, CompileError):
            raise SelectorError(
                f"CEL selector {_shown(expression)} does not compile: {_cut(str(found))}"
            )
        return found

    def _program(self, expression: str) -> Selector | CompileError:
        found = self._programs.get(expression)
        if found is None:
            self._check_turn()
            found = self._compiled(expression)
            self._left -= COMPILING_COST * len(expression) + OVERHEAD_COST
            self._programs_chars += len(expression)
            if len(self._programs) >= PROGRAMS_MAX or self._programs_chars > PROGRAMS_CHARS_MAX:
                self._programs.clear()
                self._programs_chars = len(expression)
            self._programs[expression] = found
        return found

    def _check_turn(self) -> None:
        if self._left <= 0 and not self._is_patient:
            raise SelectorsBusy

    def _compiled(self, expression: str) -> Selector | CompileError:
        try:
            return compile_selector(expression, self._lists)
        except CompileError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bug ends one expression, not the others
            _log.exception("selector %s", _shown(expression))
            return CompileError(f"it cannot be read ({type(error).__name__})")

    def _own(self, reads: Reads | None, device: Device) -> _Own:
        """The attributes only this device has that the answer may depend on."""
        if reads is None or not device.own:
            return device.own
        names = reads.attributes
        return tuple(
            (name, value)
            for name, value in device.own
            if name in names
            or f"{device.id.driver}/{name}" in names
            or not devices.is_supported(value, self._lists)
        )

    def _answer(self, expression: str, reads: Reads | None, device: Device) -> bool | Err:
        seen = devices.cut(device, reads, self._lists)
        key = (expression, seen)
        answer = self._by_cut.get(key)
        if answer is None:
            answer = self._evaluate(expression, devices.variable(seen, self._lists))
            if len(self._by_cut) >= REMEMBERED_MAX:
                self._by_cut.clear()
            self._by_cut[key] = answer
        return answer

    def _evaluate(self, expression: str, device: Map | Err) -> bool | Err:
        self._check_turn()
        self.evaluations += 1
        times, spent = self._spent.get(expression, (0, 0))
        if spent > SPENT_MAX and spent > DEAR * times and not self._is_patient:
            return Err(f"it is too dear: {times} devices cost {spent} in all; write a cheaper one")
        cost = 0
        try:
            if isinstance(device, Err):
                answer = device
            else:
                program = self._program(expression)
                assert isinstance(program, Selector), "what does not compile is not evaluated"
                limit = LIMIT if self._is_patient else EVALUATION_COST_MAX
                answer, cost = program.run(device, limit)
        except SelectorsBusy:
            raise
        except Exception as error:  # noqa: BLE001 - a bug ends one expression, not the others
            _log.exception("a selector on %s", device)
            answer = Err(f"it cannot be evaluated ({type(error).__name__})")
        self._left -= cost + OVERHEAD_COST + len(expression) // FREE_CHARS
        if cost > DEAR or times:
            if len(self._spent) >= PROGRAMS_MAX:
                self._spent.clear()
            self._spent[expression] = times + 1, spent + cost
        return Err(_cut(answer.reason)) if isinstance(answer, Err) else answer


def _shown(expression: str) -> str:
    return repr(_cut(expression))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
