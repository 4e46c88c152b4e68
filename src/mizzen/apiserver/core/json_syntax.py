"""The words in which upstream's parser refuses what is no JSON.

Source: Go's encoding/json, scanner.go, which names the first character that cannot stand where it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mizzen.base.go_text import quoted

ENDS = "unexpected end of JSON input"
_SPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX = re.compile(rb"[0-9a-fA-F]*")
_DIGITS = re.compile(rb"[0-9]*")
_LITERALS = {ord(word[:1]): word for word in (b"true", b"false", b"null")}
_ESCAPED = b'"\\/bfnrt'
_KEY = "looking for beginning of object key string"
_VALUE = "looking for beginning of value"


_Step = Callable[[], Any]  # returns the step that follows, None at the end


class _Refused(Exception):
    pass


def problem(body: bytes) -> str:
    """What is wrong with a body that is no JSON; "" where it is."""
    if not body.strip():
        return ENDS
    try:
        _Scanner(body + b" ").document()  # at its end Go's scanner is told of a space, too
    except _Refused as refused:
        return str(refused)
    return ""


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._open: list[int] = []  # what closes the brackets that are open

    def document(self) -> None:
        """Errors: _Refused."""
        step: _Step | None = self._value
        while step is not None:
            step = step()
        if self._next(ends=False) is not None:
            raise self._wrong("after top-level value")

    def _next(self, *, ends: bool = True) -> int | None:
        """The next character that is no space. Errors: _Refused where there is none."""
        found = _SPACE.match(self._data, self._at)
        self._at = found.end() if found else self._at
        if self._at < len(self._data):
            return self._data[self._at]
        if ends:
            raise _Refused(ENDS)
        return None

    def _wrong(self, where: str) -> _Refused:
        if self._at >= len(self._data):
            return _Refused(ENDS)
        char = chr(self._data[self._at])
        shown = {"'": r"'\''", '"': "'\"'"}.get(char) or f"'{quoted(char)[1:-1]}'"
        return _Refused(f"invalid character {shown} {where}")

    def _value(self) -> _Step:
        char = self._next()
        if char == ord("{"):
            self._at += 1
            self._open.append(ord("}"))
            return self._after if self._next() == ord("}") else self._key
        if char == ord("["):
            self._at += 1
            self._open.append(ord("]"))
            return self._after if self._next() == ord("]") else self._value
        if char == ord('"'):
            self._string()
        elif char is not None and char in _LITERALS:
            self._literal(_LITERALS[char])
        elif char is not None and chr(char) in "-0123456789":
            self._number()
        else:
            raise self._wrong(_VALUE)
        return self._after

    def _key(self) -> _Step:
        if self._next() != ord('"'):
            raise self._wrong(_KEY)
        self._string()
        if self._next() != ord(":"):
            raise self._wrong("after object key")
        self._at += 1
        return self._value

    def _after(self) -> _Step | None:
        """After a value."""
        if not self._open:
            return None
        char, closing = self._next(), self._open[-1]
        if char == closing:
            self._at += 1
            self._open.pop()
            return self._after
        if char == ord(","):
            self._at += 1
            return self._key if closing == ord("}") else self._value
        pair = "object key:value pair" if closing == ord("}") else "array element"
        raise self._wrong(f"after {pair}")

    def _string(self) -> None:
        self._at += 1
        while True:
            self._skip(_PLAIN)
            char = self._data[self._at : self._at + 1]
            if char == b'"':
                self._at += 1
                return
            if char != b"\\":
                raise self._wrong("in string literal")
            self._at += 1
            escaped = self._data[self._at : self._at + 1]
            if not escaped or escaped not in _ESCAPED + b"u":
                raise self._wrong("in string escape code")
            self._at += 1
            if escaped == b"u" and self._skip(_HEX, most=4) < 4:
                raise self._wrong("in \\u hexadecimal character escape")

    def _skip(self, pattern: re.Pattern[bytes], most: int | None = None) -> int:
        end = len(self._data) if most is None else self._at + most
        found = pattern.match(self._data, self._at, end)
        length = len(found[0]) if found else 0
        self._at += length
        return length

    def _literal(self, word: bytes) -> None:
        for expected in word:
            if self._data[self._at : self._at + 1] != bytes((expected,)):
                raise self._wrong(f"in literal {word.decode()} (expecting '{chr(expected)}')")
            self._at += 1

    def _number(self) -> None:
        if self._data[self._at : self._at + 1] == b"-":
            self._at += 1
        if self._data[self._at : self._at + 1] == b"0":
            self._at += 1
        elif not self._skip(_DIGITS):
            raise self._wrong("in numeric literal")
        if self._data[self._at : self._at + 1] == b".":
            self._at += 1
            if not self._skip(_DIGITS):
                raise self._wrong("after decimal point in numeric literal")
        if self._data[self._at : self._at + 1] in (b"e", b"E"):
            self._at += 1
            self._at += self._data[self._at : self._at + 1] in (b"+", b"-")
            if not self._skip(_DIGITS):
                raise self._wrong("in exponent of numeric literal")
