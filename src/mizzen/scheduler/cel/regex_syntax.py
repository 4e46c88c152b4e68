"""Regular expressions read and turned into programs.

Source: Go's regexp/syntax (Perl flags), without scripts such as \\p{Greek}.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

REPEAT_MAX = 1000
DEPTH_MAX = 250
INSTRUCTIONS_MAX = 50_000


class RegexError(ValueError):
    """The pattern is no regular expression."""


class Op(Enum):
    CHAR = auto()  # reads one character
    SPLIT = auto()  # goes on at `to`, or else at `other`
    JUMP = auto()
    ASSERT = auto()  # looks around without reading
    MATCH = auto()


def _never(*_: object) -> bool:
    return False


@dataclass(slots=True)
class Instruction:
    op: Op
    accepts: Callable[[str], bool] = _never
    holds: Callable[[str, int], bool] = _never
    to: int = 0
    other: int = 0


# -- the tree -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Char:
    accepts: Callable[[str], bool]


@dataclass(slots=True)
class _Assert:
    holds: Callable[[str, int], bool]


@dataclass(slots=True)
class _Sequence:
    parts: list[_Tree]


@dataclass(slots=True)
class _Either:
    parts: list[_Tree]


@dataclass(slots=True)
class _Repeat:
    body: _Tree
    least: int
    most: int  # -1: no end
    greedy: bool


_Tree = _Char | _Assert | _Sequence | _Either | _Repeat


@dataclass(frozen=True, slots=True)
class _Flags:
    fold: bool = False  # i
    lines: bool = False  # m
    dot_all: bool = False  # s
    swap: bool = False  # U


def _is_word(c: str) -> bool:
    return c.isascii() and (c.isalnum() or c == "_")


_CLASSES: dict[str, Callable[[str], bool]] = {
    "d": lambda c: "0" <= c <= "9",
    "s": lambda c: c in "\t\n\f\r ",
    "w": _is_word,
}
_POSIX: dict[str, Callable[[str], bool]] = {
    "alnum": lambda c: c.isascii() and c.isalnum(),
    "alpha": lambda c: c.isascii() and c.isalpha(),
    "ascii": lambda c: c.isascii(),
    "blank": lambda c: c in "\t ",
    "cntrl": lambda c: c < " " or c == "\x7f",
    "digit": _CLASSES["d"],
    "graph": lambda c: "!" <= c <= "~",
    "lower": lambda c: "a" <= c <= "z",
    "print": lambda c: " " <= c <= "~",
    "punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
    "space": lambda c: c in "\t\n\v\f\r ",
    "upper": lambda c: "A" <= c <= "Z",
    "word": _is_word,
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}
_CATEGORIES = frozenset(
    [
        "C",
        "Cc",
        "Cf",
        "Co",
        "Cs",
        "L",
        "Ll",
        "Lm",
        "Lo",
        "Lt",
        "Lu",
        "M",
        "Mc",
        "Me",
        "Mn",
        "N",
        "Nd",
        "Nl",
        "No",
        "P",
        "Pc",
        "Pd",
        "Pe",
        "Pf",
        "Pi",
        "Po",
        "Ps",
        "S",
        "Sc",
        "Sk",
        "Sm",
        "So",
        "Z",
        "Zl",
        "Zp",
        "Zs",
    ]
)
_ESCAPES = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}


def _boundary(text: str, at: int) -> bool:
    before = at > 0 and _is_word(text[at - 1])
    after = at < len(text) and _is_word(text[at])
    return before != after


_BEGIN: Callable[[str, int], bool] = lambda text, at: at == 0  # noqa: E731
_END: Callable[[str, int], bool] = lambda text, at: at == len(text)  # noqa: E731
_LINE_BEGIN: Callable[[str, int], bool] = lambda text, at: at == 0 or text[at - 1] == "\n"  # noqa: E731
_LINE_END: Callable[[str, int], bool] = lambda text, at: at == len(text) or text[at] == "\n"  # noqa: E731


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._names: set[str] = set()
        self._depth = 0

    def _more(self) -> bool:
        return self._at < len(self._text)

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        if self._peek(text):
            self._at += len(text)
            return True
        return False

    def _next(self) -> str:
        if not self._more():
            raise RegexError("unexpected end of the pattern")
        self._at += 1
        return self._text[self._at - 1]

    def whole(self) -> _Tree:
        tree = self._either(_Flags())
        if self._more():
            raise RegexError("unexpected )")
        return tree

    def _either(self, flags: _Flags) -> _Tree:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise RegexError("expression nests too deeply")
        parts: list[_Tree] = []
        while True:
            sequence, flags = self._sequence(flags)
            parts.append(sequence)
            if not self._take("|"):
                self._depth -= 1
                return parts[0] if len(parts) == 1 else _Either(parts)

    def _sequence(self, flags: _Flags) -> tuple[_Tree, _Flags]:
        parts: list[_Tree] = []
        while self._more() and not self._peek("|") and not self._peek(")"):
            if self._take("\\Q"):
                quoted, _, _ = self._text[self._at :].partition("\\E")
                self._at += len(quoted)
                self._take("\\E")
                parts.extend(_literal(c, flags) for c in quoted)
                continue
            if self._peek("(?") and not self._is_group():
                flags = self._set_flags(flags)
                self._take(")")
                continue
            parts.append(self._repeated(self._atom(flags), flags))
        return _Sequence(parts), flags

    def _is_group(self) -> bool:
        """Whether the `(?` here opens a group, not only sets flags to the end of this one."""
        at = self._at + 2
        while at < len(self._text) and self._text[at] in "imsU-":
            at += 1
        return not self._text.startswith(")", at)

    def _set_flags(self, flags: _Flags) -> _Flags:
        """Reads `(?i-s` up to the `)` or `:` that ends it."""
        self._take("(?")
        value, seen = True, False
        while self._more() and self._text[self._at] not in "):":
            c = self._next()
            if c == "-":
                if not value:
                    raise RegexError("invalid group flags")
                value, seen = False, False
                continue
            name = {"i": "fold", "m": "lines", "s": "dot_all", "U": "swap"}.get(c)
            if name is None:
                raise RegexError(f"invalid or unsupported Perl syntax: (?{c}")
            flags, seen = replace(flags, **{name: value}), True
        if (not value and not seen) or not self._more():
            raise RegexError("missing argument to group flags")
        return flags

    def _atom(self, flags: _Flags) -> _Tree:
        c = self._next()
        match c:
            case "(":
                self._at -= 1
                return self._group(flags)
            case "[":
                return _Char(self._class(flags))
            case ".":
                return _Char((lambda _: True) if flags.dot_all else (lambda c: c != "\n"))
            case "^":
                return _Assert(_LINE_BEGIN if flags.lines else _BEGIN)
            case "$":
                return _Assert(_LINE_END if flags.lines else _END)
            case "*" | "+" | "?":
                raise RegexError(f"missing argument to repetition operator: {c}")
            case "\\":
                return self._escape(flags)
            case "{" if self._bounds() is not None:
                raise RegexError("missing argument to repetition operator: {")
            case _:
                return _literal(c, flags)

    def _group(self, flags: _Flags) -> _Tree:
        for opening in ("(?P<", "(?<"):
            if self._take(opening):
                name, close, _ = self._text[self._at :].partition(">")
                fits = name and all(_is_word(c) for c in name)
                if not close or not fits or name in self._names:
                    raise RegexError(f"invalid named capture: {name[:50]}")
                self._names.add(name)
                self._at += len(name) + 1
                return self._closed(flags)
        if self._peek("(?"):
            flags = self._set_flags(flags)
            self._take(":")
            return self._closed(flags)
        self._take("(")
        return self._closed(flags)

    def _closed(self, flags: _Flags) -> _Tree:
        tree = self._either(flags)
        if not self._take(")"):
            raise RegexError("missing closing )")
        return tree

    def _bounds(self) -> tuple[int, int] | None:
        """least, most of `n}`, `n,}`, `n,m}` here, read; None when it is no repetition."""
        body, close, _ = self._text[self._at :].partition("}")
        low, comma, high = body.partition(",")
        numbers = [part for part in (low, high) if part]
        if not close or not low or not all(n.isascii() and n.isdigit() for n in numbers):
            return None
        if (len(low) > 1 and low[0] == "0") or (len(high) > 1 and high[0] == "0"):
            return None
        self._at += len(body) + 1
        least = int(low[:9])
        most = int(high[:9]) if high else (-1 if comma else least)
        if max(least, most) > REPEAT_MAX or 0 <= most < least:
            raise RegexError(f"invalid repeat count: {{{body[:50]}}}")
        return least, most

    def _repeated(self, tree: _Tree, flags: _Flags) -> _Tree:
        if not self._more():
            return tree
        bounds: tuple[int, int] | None = None
        if self._text[self._at] in "*+?":
            bounds = {"*": (0, -1), "+": (1, -1), "?": (0, 1)}[self._next()]
        elif self._take("{"):
            bounds = self._bounds()
            if bounds is None:
                self._at -= 1
        if bounds is None:
            return tree
        greedy = self._take("?") == flags.swap
        if self._more() and self._text[self._at] in "*+?":
            raise RegexError("invalid nested repetition operator")
        if self._take("{"):
            if self._bounds() is not None:
                raise RegexError("invalid nested repetition operator")
            self._at -= 1
        return _Repeat(tree, *bounds, greedy)

    def _escape(self, flags: _Flags) -> _Tree:
        c = self._next()
        match c:
            case "A":
                return _Assert(_BEGIN)
            case "z":
                return _Assert(_END)
            case "b":
                return _Assert(_boundary)
            case "B":
                return _Assert(lambda text, at: not _boundary(text, at))
            case _:
                found = self._named_class(c, flags)
                return _Char(found) if found else _literal(self._character(c), flags)

    def _named_class(self, c: str, flags: _Flags) -> Callable[[str], bool] | None:
        """\\d, \\W, \\pL, \\P{Lu}; None when c names no class."""
        if c in "dswDSW":
            inner = _CLASSES[c.lower()]
        elif c in "pP":
            inner = self._category()
        else:
            return None
        return inner if c.islower() else (lambda each: not inner(each))

    def _category(self) -> Callable[[str], bool]:
        name = self._next()
        if name == "{":
            name, close, _ = self._text[self._at :].partition("}")
            if not close:
                raise RegexError("invalid character class range: \\p{")
            self._at += len(name) + 1
        negated = name.startswith("^")
        name = name.removeprefix("^")
        if name == "Any":
            return lambda c: not negated
        if name not in _CATEGORIES:
            raise RegexError(f"invalid character class range: \\p{{{name[:50]}}}")
        return lambda c: unicodedata.category(c).startswith(name) != negated

    def _character(self, c: str) -> str:
        """The character that an escape stands for."""
        if c in _ESCAPES:
            return _ESCAPES[c]
        if c in "1234567" and (
            c == "0" or not (self._more() and self._text[self._at] in "01234567")
        ):
            raise RegexError(f"invalid escape sequence: \\{c}")
        if c in "01234567":
            digits = c
            while len(digits) < 3 and self._more() and self._text[self._at] in "01234567":
                digits += self._next()
            return chr(int(digits, 8))
        if c == "x":
            return self._hexadecimal()
        if (c.isascii() and not c.isalnum() and c != "_") or c == "_":
            return c
        raise RegexError(f"invalid escape sequence: \\{c}")

    def _hexadecimal(self) -> str:
        if self._take("{"):
            digits, close, _ = self._text[self._at :].partition("}")
            self._at += len(digits) + 1
        else:
            digits, close = self._text[self._at : self._at + 2], "}"
            self._at += 2
        fits = digits and all(c in "0123456789abcdefABCDEF" for c in digits) and len(digits) <= 8
        if not close or not fits or int(digits, 16) > 0x10FFFF:
            raise RegexError("invalid escape sequence: \\x")
        if close == "}" and len(digits) < 2 and self._text[self._at - 1 : self._at] != "}":
            raise RegexError("invalid escape sequence: \\x")
        return chr(int(digits, 16))

    def _class(self, flags: _Flags) -> Callable[[str], bool]:
        negated = self._take("^")
        tests: list[Callable[[str], bool]] = []
        ranges: list[tuple[str, str]] = []
        first = True
        while first or not self._peek("]"):
            if not self._more():
                raise RegexError("missing closing ]")
            if self._peek("-") and not first and not self._text.startswith("-]", self._at):
                following = self._text[self._at + 1 : self._at + 2]
                if not following or following != "]":
                    raise RegexError("invalid character class range: -")
            first = False
            test = self._class_test(flags)
            if test is not None:
                tests.append(test)
                continue
            low = self._class_character()
            high = low
            if self._peek("-") and not self._text.startswith("-]", self._at):
                self._take("-")
                high = self._class_character()
                if high < low:
                    raise RegexError(f"invalid character class range: {low}-{high}")
            ranges.append((low, high))
        self._take("]")

        def inside(c: str) -> bool:
            variants = _folded(c) if flags.fold else (c,)
            found = any(low <= v <= high for v in variants for low, high in ranges)
            return (found or any(test(v) for v in variants for test in tests)) != negated

        return inside

    def _class_test(self, flags: _Flags) -> Callable[[str], bool] | None:
        if self._peek("[:"):
            name, close, _ = self._text[self._at + 2 :].partition(":]")
            if close:
                inner = _POSIX.get(name.removeprefix("^"))
                if inner is None:
                    raise RegexError(f"invalid character class range: [:{name[:50]}:]")
                self._at += len(name) + 4
                return (lambda c: not inner(c)) if name.startswith("^") else inner
        if self._peek("\\") and self._text[self._at + 1 : self._at + 2] in tuple("dswDSWpP"):
            self._at += 1
            return self._named_class(self._next(), flags)
        return None

    def _class_character(self) -> str:
        c = self._next()
        return self._character(self._next()) if c == "\\" else c


def _folded(c: str) -> tuple[str, ...]:
    return tuple({c, *(v for v in (c.lower(), c.upper()) if len(v) == 1)})


def _literal(c: str, flags: _Flags) -> _Tree:
    if not flags.fold:
        return _Char(lambda each: each == c)
    variants = _folded(c)
    return _Char(lambda each: each in variants or c in _folded(each))


# -- the program --------------------------------------------------------------------------------


def compile_pattern(pattern: str) -> list[Instruction]:
    """The program of a pattern. Errors: RegexError."""
    program: list[Instruction] = []
    _emit(_Reader(pattern).whole(), program)
    program.append(Instruction(Op.MATCH))
    return program


def _add(program: list[Instruction], instruction: Instruction) -> Instruction:
    if len(program) >= INSTRUCTIONS_MAX:
        raise RegexError("expression is too large")
    program.append(instruction)
    return instruction


def _emit(tree: _Tree, program: list[Instruction]) -> None:
    match tree:
        case _Char():
            _add(program, Instruction(Op.CHAR, accepts=tree.accepts))
        case _Assert():
            _add(program, Instruction(Op.ASSERT, holds=tree.holds))
        case _Sequence():
            for part in tree.parts:
                _emit(part, program)
        case _Either():
            jumps: list[Instruction] = []
            for part in tree.parts[:-1]:
                split = _add(program, Instruction(Op.SPLIT, to=len(program) + 1))
                _emit(part, program)
                jumps.append(_add(program, Instruction(Op.JUMP)))
                split.other = len(program)
            _emit(tree.parts[-1], program)
            for jump in jumps:
                jump.to = len(program)
        case _Repeat():
            _emit_repeat(tree, program)


def _emit_repeat(tree: _Repeat, program: list[Instruction]) -> None:
    for _ in range(tree.least):
        _emit(tree.body, program)
    if tree.most < 0:
        split = _add(program, Instruction(Op.SPLIT))
        body = len(program)
        _emit(tree.body, program)
        _add(program, Instruction(Op.JUMP, to=body - 1))
        _aim(split, body, len(program), tree.greedy)
        return
    splits: list[tuple[Instruction, int]] = []
    for _ in range(tree.most - tree.least):
        splits.append((_add(program, Instruction(Op.SPLIT)), len(program)))
        _emit(tree.body, program)
    for split, body in splits:
        _aim(split, body, len(program), tree.greedy)


def _aim(split: Instruction, body: int, after: int, greedy: bool) -> None:
    split.to, split.other = (body, after) if greedy else (after, body)
