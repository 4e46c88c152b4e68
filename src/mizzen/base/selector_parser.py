"""Label and field selectors from text, refused in upstream's words.

Source: apimachinery `labels/selector.go` (Parser), `fields/selector.go` (parseSelector).
"""

from __future__ import annotations

import re

from mizzen.base.go_text import quoted
from mizzen.base.label_syntax import key_problems, value_problems
from mizzen.base.selectors import (
    FieldSelector,
    FieldTerm,
    LabelSelector,
    Operator,
    Requirement,
    int64,
)

_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!,()<>]|[^ \t\r\n=!,()<>]+)")
_SPECIAL = frozenset(("==", "!=", *"=!,()<>"))
_END = ""
_BINARY: dict[str, Operator] = {
    "in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt",
}  # fmt: skip
_EQUAL = re.compile(r"!=|==|=")
_FIELD_SPECIAL = re.compile(r"\\(.?)|[,=]", re.DOTALL)


def parse_labels(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (x,y),f notin (z),g,!h`. Errors: ValueError that says where."""
    return LabelSelector(tuple(_Parser(text).requirements()))


class _Parser:
    """Goes through the tokens once, as upstream's does: it names the first that it minds."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def _next(self) -> str:
        """The token that comes, "" at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self) -> str:
        token = self._next()
        self._at += 1
        return token

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while token := self._next():
            if not _is_word(token) and token != "!":
                raise ValueError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from error
            token = self._take()
            if token not in (_END, ","):
                raise ValueError(f"found '{token}', expected: ',' or 'end of string'")
            following = self._next()
            if token and not _is_word(following) and following != "!":
                raise ValueError(f"found '{following}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        is_absent = self._next() == "!"
        self._at += is_absent
        key = self._take()
        if not _is_word(key):
            raise ValueError(f"found '{key}', expected: identifier")
        if problems := key_problems(key):
            raise _wrong("<nil>", key, problems)
        if is_absent or self._next() in (_END, ","):
            return Requirement(key, "absent" if is_absent else "exists")
        word = self._take()
        if word not in _BINARY:
            raise ValueError(f"found '{word}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._values() if word in ("in", "notin") else [self._value()]
        return _checked(key, _BINARY[word], values)

    def _value(self) -> str:
        if self._next() in (_END, ","):
            return ""
        token = self._take()
        if not _is_word(token):
            raise ValueError(f"found '{token}', expected: identifier")
        return token

    def _values(self) -> list[str]:
        if (token := self._take()) != "(":
            raise ValueError(f"found '{token}' expected: '('")
        first = self._next()
        if first == ")":
            self._at += 1
            return [""]
        if not _is_word(first) and first != ",":
            raise ValueError(f"found '{first}', expected: ',', ')' or identifier")
        found: set[str] = set()
        while True:
            token, following = self._take(), self._next()
            if _is_word(token):
                found.add(token)
                if following not in (",", ")"):
                    raise ValueError(f"found '{following}', expected: ',' or ')'")
            elif token == ",":
                if not found or following in (",", ")"):
                    found.add("")
            else:
                raise ValueError(f"found '{token}', expected: ',', or identifier")
            if following == ")":
                self._at += 1
                return sorted(found)


def _is_word(token: str) -> bool:
    return token != _END and token not in _SPECIAL


def _checked(key: str, operator: Operator, values: list[str]) -> Requirement:
    """Errors: ValueError with all that is wrong with the values."""
    problems: list[str] = []
    for number, value in enumerate(values):
        if operator in ("gt", "lt") and int64(value) is None:
            what = "for 'Gt', 'Lt' operators, the value must be an integer"
            problems.append(str(_wrong(f"values[{number}]", value, [what])))
    for number, value in enumerate(values):
        if wrong := value_problems(value):
            problems.append(str(_wrong(f"values[{number}][{key}]", value, wrong)))
    if problems:
        raise ValueError(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    return Requirement(key, operator, frozenset(values))


def _wrong(where: str, value: str, problems: list[str]) -> ValueError:
    return ValueError(f"{where}: Invalid value: {quoted(value)}: {'; '.join(problems)}")


def parse_fields(text: str) -> FieldSelector:
    r"""`a=b,c!=d`, with `\,`, `\=` and `\\` escaped in values. Errors: ValueError."""
    terms: list[FieldTerm] = []
    for part in sorted(_split(text)):
        if not part:
            continue
        match = _EQUAL.search(part)
        if match is None:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
        path, value = part[: match.start()], _unescaped(part[match.end() :])
        if path or value:  # a term of nothing selects everything
            terms.append(FieldTerm(path, value, match[0] == "!="))
    return FieldSelector(tuple(terms))


def _unescaped(value: str) -> str:
    def meant(match: re.Match[str]) -> str:
        if match[0] in (",", "="):
            code = ord(match[0])
            raise ValueError(f"invalid field selector: unescaped character in value: {code}")
        if match[1] not in ("\\", ",", "=") or not match[1]:
            raise ValueError(f"invalid field selector: invalid escape sequence: {match[0]}")
        return match[1]

    return _FIELD_SPECIAL.sub(meant, value)


def _split(text: str) -> list[str]:
    """Parts between commas that are not escaped."""
    parts: list[str] = []
    start = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == ",":
            parts.append(text[start:position])
            start = position + 1
        position += 1
    parts.append(text[start:])
    return parts
