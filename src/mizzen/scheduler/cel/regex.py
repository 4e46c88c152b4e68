"""Regular expressions in time linear in the text, with RE2's syntax and leftmost-first matches.

Python's own would take exponential time on some expressions, which a selector may contain.
Reading and compiling are in regex_syntax.py; here is the machine that runs a program.
Source: Go's regexp and regexp/syntax; Pike's virtual machine (swtch.com/~rsc/regexp/regexp2.html).
"""

from __future__ import annotations

from functools import lru_cache

from mizzen.scheduler.cel.regex_syntax import (
    Instruction,
    Op,
    RegexError,
    compile_pattern,
)

__all__ = ["Regex", "RegexError", "compiled"]


class Regex:
    """A compiled expression."""

    def __init__(self, pattern: str) -> None:
        """Errors: RegexError."""
        self._program: list[Instruction] = compile_pattern(pattern)

    def matches(self, text: str) -> bool:
        """Whether any part of the text matches."""
        return self.search(text, 0, anywhere=True) is not None

    def search(self, text: str, start: int, anywhere: bool = False) -> tuple[int, int] | None:
        """Begin and end of the leftmost match from `start` on; any end will do with `anywhere`."""
        threads: dict[int, int] = {}  # instruction -> where its match began, in order of preference
        found: tuple[int, int] | None = None
        for at in range(start, len(text) + 1):
            if found is None:
                self._follow(threads, 0, at, text, at)
            if not threads:
                break
            following: dict[int, int] = {}
            for pc, began in threads.items():
                instruction = self._program[pc]
                if instruction.op is Op.MATCH:
                    found = (began, at)
                    if anywhere:
                        return found
                    break  # threads behind this one are less preferred
                if at < len(text) and instruction.accepts(text[at]):
                    self._follow(following, pc + 1, began, text, at + 1)
            threads = following
        return found

    def find_all(self, text: str, limit: int) -> list[str]:
        """The matches that do not overlap, as Go finds them; all of them if limit < 0."""
        found: list[str] = []
        at, last_end = 0, -1
        while at <= len(text) and (limit < 0 or len(found) < limit):
            match = self.search(text, at)
            if match is None:
                break
            begin, end = match
            if end > begin or begin != last_end:
                found.append(text[begin:end])
            last_end = end
            at = end if end > at else at + 1
            if begin == end and end > at:
                at = end
        return found

    def _follow(self, threads: dict[int, int], pc: int, began: int, text: str, at: int) -> None:
        """Adds what is reachable from pc without reading, the preferred first."""
        waiting = [pc]
        while waiting:
            pc = waiting.pop()
            if pc in threads:
                continue
            instruction = self._program[pc]
            match instruction.op:
                case Op.JUMP:
                    threads[pc] = -1
                    waiting.append(instruction.to)
                case Op.SPLIT:
                    threads[pc] = -1
                    waiting.extend((instruction.other, instruction.to))
                case Op.ASSERT:
                    threads[pc] = -1
                    if instruction.holds(text, at):
                        waiting.append(pc + 1)
                case _:
                    threads[pc] = began


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Regex:
    """The machine of a pattern. Errors: RegexError."""
    return Regex(pattern)
