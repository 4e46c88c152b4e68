"""Words of a CEL expression.

Source: google/cel-go parser/gen/CEL.g4 and parser/unescape.go, v0.26.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mizzen.cel.tree import CompileError
from mizzen.cel.values import UInt

_SHORT = (
    r"""\\(?:[abfnrtv"'\\?`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"""
)
_STRING = (
    r'[rR]"""(?:[\s\S])*?"""'
    r"|[rR]'''(?:[\s\S])*?'''"
    rf'|"""(?:{_SHORT}|[^\\])*?"""'
    rf"|'''(?:{_SHORT}|[^\\])*?'''"
    r'|[rR]"[^"\n\r]*"'
    r"|[rR]'[^'\n\r]*'"
    rf'|"(?:{_SHORT}|[^\\"\n\r])*"'
    rf"|'(?:{_SHORT}|[^\\'\n\r])*'"
)
_DIGITS_MAX = 21  # one more than any number of 64 bits has: so many are outside, whatever follows
_TOKEN = re.compile(
    rf"""
    (?P<space>[\t \r\n\f]+|//[^\n]*)
  | (?P<bytes>[bB](?:{_STRING}))
  | (?P<string>{_STRING})
  | (?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
  | (?P<uint>0x[0-9a-fA-F]+[uU]|[0-9]+[uU])
  | (?P<int>0x[0-9a-fA-F]+|[0-9]+)
  | (?P<ident>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<escaped>`[A-Za-z0-9_.\-/\ ]+`)
  | (?P<op>==|!=|<=|>=|&&|\|\||[\[\]{{}}().,\-!?:+*/%<>])
    """,
    re.VERBOSE,
)
KEYWORDS = frozenset({"in", "true", "false", "null"})
RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "null",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
INT_MIN, INT_MAX, UINT_MAX = -(2**63), 2**63 - 1, 2**64 - 1
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(
    r"\\(?:([0-3][0-7][0-7])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))"
)


class Token(NamedTuple):
    kind: str  # string, bytes, float, uint, int, ident, keyword, escaped, op, end
    text: str
    at: int  # character of the expression


def tokens(expression: str) -> list[Token]:
    """All words, the last of kind "end". Errors: CompileError."""
    found: list[Token] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            shown = f"'{expression[at]}'"
            raise CompileError(f"Syntax error: token recognition error at: {shown}", at)
        kind, text = str(match.lastgroup), match.group()
        if kind == "ident" and text in KEYWORDS:
            kind = "keyword"
        if kind != "space":
            found.append(Token(kind, text, at))
        at = match.end()
    found.append(Token("end", "", at))
    return found


def integer(text: str) -> int:
    """The int of a literal with its sign. Errors: CompileError."""
    value = _number(text)
    if not INT_MIN <= value <= INT_MAX:
        raise CompileError("invalid int literal")
    return value


def unsigned(text: str) -> UInt:
    """The uint of a literal such as 5u. Errors: CompileError."""
    value = _number(text[:-1])
    if value > UINT_MAX:
        raise CompileError("invalid uint literal")
    return UInt(value)


def _number(text: str) -> int:
    """Exactly, where it has 64 bits; Python reads no more than some thousand decimal digits."""
    if "0x" in text:
        return int(text, 16)
    value = int(text.lstrip("-").lstrip("0")[:_DIGITS_MAX] or "0")
    return -value if text.startswith("-") else value


def double(text: str) -> float:
    """The double of a literal. Errors: CompileError when it is too large."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise CompileError("invalid double literal")
    return value


def string(text: str) -> str:
    """The value of a string literal, quotes included. Errors: CompileError."""
    body, raw = _unquoted(text)
    return body if raw else _ESCAPE.sub(_character, body)


def octets(text: str) -> bytes:
    """The value of a bytes literal without its `b`. Errors: CompileError."""
    body, raw = _unquoted(text)
    if raw:
        return body.encode()
    out = bytearray()
    end = 0
    for match in _ESCAPE.finditer(body):
        out += body[end : match.start()].encode()
        octal, hexa, short, long, plain = match.groups()
        if short or long:
            raise CompileError("unable to unescape string")
        if plain:
            out += _PLAIN.get(plain, plain).encode()
        else:
            out.append(int(octal, 8) if octal else int(hexa, 16))
        end = match.end()
    return bytes(out + body[end:].encode())


def _unquoted(text: str) -> tuple[str, bool]:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    raw = text[0] in "rR"
    if raw:
        text = text[1:]
    if len(text) >= 6 and text[:3] in ('"""', "'''"):
        return text[3:-3], raw
    return text[1:-1], raw


def _character(match: re.Match[str]) -> str:
    octal, hexa, short, long, plain = match.groups()
    if plain:
        return _PLAIN.get(plain, plain)
    code = int(octal, 8) if octal else int(hexa or short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise CompileError("invalid unicode code point")
    return chr(code)
