"""Syntax trees from text, macros expanded as they are met.

Source: google/cel-go parser/parser.go and gen/CEL.g4, v0.26, with the optional syntax (`.?`,
`[?`) and without escaped identifiers, as Kubernetes sets it up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mizzen.cel import lexer, macros
from mizzen.cel.lexer import Token
from mizzen.cel.tree import (
    NOWHERE,
    Call,
    CompileError,
    Entry,
    Field,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Message,
    Node,
    Problem,
    Select,
)

DEPTH_MAX = 250  # upstream's limit on the nesting of each grammar rule
_RELATIONS = frozenset({"<", "<=", ">=", ">", "==", "!=", "in"})
_FUNCTION = {"in": "@in"}
_OPERANDS = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, "
    "BYTES, IDENTIFIER}"
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """`positions`: the character at which each node stands, by its number."""

    root: Node
    positions: Sequence[int]


def parse(expression: str, without: frozenset[str] = frozenset()) -> Parsed:
    """The tree of an expression; `without` names macros that stay calls. Errors: CompileError."""
    parser = _Parser(lexer.tokens(expression), without)
    root = parser.whole()
    if parser.problems:
        raise CompileError.of(parser.problems)
    return Parsed(root, parser.positions)


class _Parser:
    def __init__(self, tokens: list[Token], without: frozenset[str]) -> None:
        self.problems: list[Problem] = []
        self.positions = [NOWHERE]
        self._tokens = tokens
        self._without = without
        self._at = 0
        self._expanded = NOWHERE  # where the call stands of which a macro makes something else
        self._depth: dict[str, int] = {}

    # -- helpers ----------------------------------------------------------------------------

    def new(self, at: int | None = None) -> int:
        self.positions.append(self._expanded if at is None else at)
        return len(self.positions) - 1

    def _copied(self, number: int) -> int:
        return self.new(self.positions[number])

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _is(self, text: str) -> bool:
        token = self._token
        return token.text == text and token.kind in ("op", "keyword")

    def _take(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"'{text}'")

    def _next(self) -> Token:
        token = self._token
        self._at += 1
        return token

    def _unexpected(self, wanted: str) -> CompileError:
        """The first word that cannot be: nothing is said of what is behind it."""
        token = self._token
        shown = token.text if token.kind != "end" else "<EOF>"
        problem = f"Syntax error: mismatched input '{shown}' expecting {wanted}"
        return CompileError.of([*self.problems, Problem(token.at, problem)])

    def _wrong(self, at: int, problem: str) -> Node:
        """Tells it, and goes on with something in place of what is wrong."""
        self.problems.append(Problem(at, problem))
        return Literal(self.new(at), None)

    def _called(self, at: int, name: str, target: Node | None, args: list[Node]) -> Node:
        """A call, or what a macro makes of it."""
        here = self.new(at)
        if target is not None and name in self._without:
            return Call(here, name, target, args)
        self._expanded = at
        try:
            made = macros.expand(self.new, self._copied, here, name, target, args)
        except macros.MacroError as error:
            return self._wrong(self.positions[error.node.id], str(error))
        return made or Call(here, name, target, args)

    def _enter(self, rule: str) -> None:
        depth = self._depth.get(rule, 0) + 1
        if depth > DEPTH_MAX:
            problem = f"expression recursion limit exceeded: {DEPTH_MAX}"
            raise CompileError.of([*self.problems, Problem(NOWHERE, problem)])
        self._depth[rule] = depth

    def _leave(self, rule: str, times: int = 1) -> None:
        self._depth[rule] = self._depth.get(rule, 0) - times

    # -- rules ------------------------------------------------------------------------------

    def whole(self) -> Node:
        node = self._expr()
        if self._token.kind != "end":
            raise self._unexpected("<EOF>")
        return node

    def _expr(self) -> Node:
        self._enter("expr")
        node = self._logical("||")
        at = self._token.at
        if self._take("?"):
            here = self.new(at)
            yes = self._logical("||")
            self._expect(":")
            no = self._expr()
            node = Call(here, "_?_:_", None, [node, yes, no])
        self._leave("expr")
        return node

    def _logical(self, operator: str) -> Node:
        """One call with all terms: grouping changes neither the answer nor the cost."""
        below: Callable[[], Node] = self._relation
        if operator == "||":
            below = lambda: self._logical("&&")  # noqa: E731
        terms = [below()]
        here, at = 0, self._token.at
        while self._take(operator):
            here = self.new(at)
            terms.append(below())
            at = self._token.at
        return Call(here, f"_{operator}_", None, terms) if here else terms[0]

    def _relation(self) -> Node:
        self._enter("relation")
        times = 1
        node = self._sum()
        while self._token.text in _RELATIONS and self._token.kind in ("op", "keyword"):
            self._enter("relation")
            times += 1
            _, operator, at = self._next()
            here = self.new(at)
            node = Call(here, _FUNCTION.get(operator, f"_{operator}_"), None, [node, self._sum()])
        self._leave("relation", times)
        return node

    def _sum(self) -> Node:
        self._enter("calc")  # sums and products are one rule upstream
        node = self._binary(("+", "-"), self._product)
        self._leave("calc")
        return node

    def _product(self) -> Node:
        return self._binary(("*", "/", "%"), self._unary)

    def _binary(self, operators: tuple[str, ...], below: Callable[[], Node]) -> Node:
        times = 0
        node: Node = below()
        while self._token.kind == "op" and self._token.text in operators:
            self._enter("calc")
            times += 1
            _, operator, at = self._next()
            here = self.new(at)
            node = Call(here, f"_{operator}_", None, [node, below()])
        self._leave("calc", times)
        return node

    def _unary(self) -> Node:
        _, start, at = self._token
        if not self._is("!") and not self._is("-"):
            return self._member()
        count = 0
        while self._is(start):
            number = self._tokens[self._at + 1].kind in ("int", "float")
            if start == "-" and number and count == 0:
                return self._member()  # the sign belongs to the literal
            self._at += 1
            count += 1
        if count % 2 == 0:
            return self._member()
        here = self.new(at)
        return Call(here, f"{start}_", None, [self._member()])

    def _member(self) -> Node:
        self._enter("member")
        times = 1
        node = self._primary()
        while self._is(".") or self._is("["):
            self._enter("member")
            times += 1
            node = self._selection(node) if self._is(".") else self._index(node)
        self._leave("member", times)
        return node

    def _selection(self, operand: Node) -> Node:
        dot = self._next().at
        optional = self._take("?")
        token = self._token
        if token.kind not in ("ident", "escaped"):
            raise self._unexpected("{IDENTIFIER, ESC_IDENTIFIER}")
        self._at += 1
        if token.kind == "escaped":
            self._wrong(token.at, "unsupported syntax: '`'")
        if optional:
            here = self.new(dot)
            return Call(here, "_?._", None, [operand, Literal(self.new(token.at), token.text)])
        at = self._token.at
        if token.kind == "ident" and self._take("("):
            return self._called(at, token.text, operand, self._arguments())
        return Select(self.new(dot), operand, token.text)

    def _index(self, operand: Node) -> Node:
        here = self.new(self._token.at)
        self._expect("[")
        function = "_[?_]" if self._take("?") else "_[_]"
        index = self._expr()
        self._expect("]")
        return Call(here, function, None, [operand, index])

    def _arguments(self) -> list[Node]:
        if self._take(")"):
            return []
        args = [self._expr()]
        while self._take(","):
            args.append(self._expr())
        self._expect(")")
        return args

    def _primary(self) -> Node:
        token = self._token
        if token.kind in ("ident",) or (
            self._is(".") and self._tokens[self._at + 1].kind == "ident"
        ):
            return self._name()
        if self._take("("):
            node = self._expr()
            self._expect(")")
            return node
        if self._take("["):
            return self._list()
        if self._take("{"):
            return self._map()
        return self._literal()

    def _name(self) -> Node:
        start = self._token.at
        dot = "." if self._take(".") else ""
        message = self._message_name()
        if message:
            here = self.new(self._tokens[self._at - 1].at)
            return Message(here, message, self._fields())
        _, name, at = self._next()
        opening = self._token.at
        is_call = self._take("(")
        told = len(self.problems)
        args = self._arguments() if is_call else []
        if name in lexer.RESERVED:
            del self.problems[told:]  # nothing is said of its arguments
            return self._wrong(start, f"reserved identifier: {name}")
        if is_call:
            return self._called(opening, dot + name, None, args)
        return Ident(self.new(at), dot + name)

    def _message_name(self) -> str:
        """The dotted name when a `{` follows it, read up to there; "" otherwise."""
        at, names = self._at, [self._token.text]
        while self._tokens[at + 1].text == "." and self._tokens[at + 2].kind == "ident":
            at += 2
            names.append(self._tokens[at].text)
        if self._tokens[at + 1].kind != "op" or self._tokens[at + 1].text != "{":
            return ""
        self._at = at + 2
        return ".".join(names)

    def _fields(self) -> list[Field]:
        """What is between the braces of a message, the closing one included."""
        fields: list[Field] = []
        while not self._take("}"):
            optional = self._take("?")
            name = self._next()
            if name.kind != "ident":
                self._at -= 1
                raise self._unexpected("{IDENTIFIER, ESC_IDENTIFIER}")
            here = self.new(self._token.at)
            self._expect(":")
            fields.append(Field(here, name.text, self._expr(), optional))
            if not self._take(",") and not self._is("}"):
                raise self._unexpected("'}'")
        return fields

    def _list(self) -> Node:
        here = self.new(self._tokens[self._at - 1].at)
        elements: list[Node] = []
        optional: set[int] = set()
        self._take(",") if self._tokens[self._at + 1].text == "]" else None
        while not self._take("]"):
            if self._take("?"):
                optional.add(len(elements))
            elements.append(self._expr())
            if not self._take(",") and not self._is("]"):
                raise self._unexpected("']'")
        return ListNode(here, elements, frozenset(optional))

    def _map(self) -> Node:
        here = self.new(self._tokens[self._at - 1].at)
        entries: list[Entry] = []
        self._take(",") if self._tokens[self._at + 1].text == "}" else None
        while not self._take("}"):
            optional = self._take("?")
            key = self._expr()
            self._expect(":")
            entries.append(Entry(key, self._expr(), optional))
            if not self._take(",") and not self._is("}"):
                raise self._unexpected("'}'")
        return MapNode(here, entries)

    def _literal(self) -> Node:
        start = self._token.at
        sign = "-" if self._take("-") else ""
        kind, text, _ = self._next()
        try:
            match kind:
                case "int":
                    return Literal(self.new(start), lexer.integer(sign + text))
                case "float":
                    return Literal(self.new(start), lexer.double(sign + text))
                case "uint" if not sign:
                    return Literal(self.new(start), lexer.unsigned(text))
                case "string" if not sign:
                    return Literal(self.new(start), lexer.string(text))
                case "bytes" if not sign:
                    return Literal(self.new(start), lexer.octets(text[1:]))
                case "keyword" if not sign and text != "in":
                    value = {"true": True, "false": False, "null": None}[text]
                    return Literal(self.new(start), value)
                case _:
                    pass
        except CompileError as error:
            return self._wrong(start, str(error))
        self._at -= 1
        raise self._unexpected(_OPERANDS)
