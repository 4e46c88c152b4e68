"""Syntax trees from text, macros expanded as they are met.

Source: google/cel-go parser/parser.go and gen/CEL.g4, v0.26, with the optional syntax (`.?`,
`[?`) and without escaped identifiers, as Kubernetes sets it up.
"""

from __future__ import annotations

from collections.abc import Callable

from mizzen.cel import lexer, macros
from mizzen.cel.lexer import Token
from mizzen.cel.tree import (
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
    Select,
)

DEPTH_MAX = 250  # upstream's limit on the nesting of each grammar rule
_RELATIONS = frozenset({"<", "<=", ">=", ">", "==", "!=", "in"})
_FUNCTION = {"in": "@in"}


def parse(expression: str, without: frozenset[str] = frozenset()) -> Node:
    """The tree of an expression; `without` names macros that stay calls. Errors: CompileError."""
    return _Parser(lexer.tokens(expression), without).whole()


class _Parser:
    def __init__(self, tokens: list[Token], without: frozenset[str]) -> None:
        self._tokens = tokens
        self._without = without
        self._at = 0
        self._last = 0
        self._depth: dict[str, int] = {}

    # -- helpers ----------------------------------------------------------------------------

    def new(self) -> int:
        self._last += 1
        return self._last

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
            raise self._unexpected(f"expected {text!r}")

    def _next(self) -> Token:
        token = self._token
        self._at += 1
        return token

    def _unexpected(self, wanted: str) -> CompileError:
        token = self._token
        seen = repr(token.text) if token.text else "the end"
        return CompileError(f"syntax error at character {token.at}: {wanted}, not {seen}")

    def _enter(self, rule: str) -> None:
        depth = self._depth.get(rule, 0) + 1
        if depth > DEPTH_MAX:
            raise CompileError(f"expression recursion limit exceeded: {DEPTH_MAX}")
        self._depth[rule] = depth

    def _leave(self, rule: str, times: int = 1) -> None:
        self._depth[rule] = self._depth.get(rule, 0) - times

    # -- rules ------------------------------------------------------------------------------

    def whole(self) -> Node:
        node = self._expr()
        if self._token.kind != "end":
            raise self._unexpected("expected the end")
        return node

    def _expr(self) -> Node:
        self._enter("expr")
        node = self._logical("||")
        if self._take("?"):
            here = self.new()
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
        here = 0
        while self._take(operator):
            here = self.new()
            terms.append(below())
        return Call(here, f"_{operator}_", None, terms) if here else terms[0]

    def _relation(self) -> Node:
        self._enter("relation")
        times = 1
        node = self._sum()
        while self._token.text in _RELATIONS and self._token.kind in ("op", "keyword"):
            self._enter("relation")
            times += 1
            operator = self._next().text
            here = self.new()
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
            operator = self._next().text
            here = self.new()
            node = Call(here, f"_{operator}_", None, [node, below()])
        self._leave("calc", times)
        return node

    def _unary(self) -> Node:
        start = self._token.text
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
        here = self.new()
        return Call(here, f"{start}_", None, [self._member()])

    def _member(self) -> Node:
        self._enter("member")
        times = 1
        node = self._primary()
        while self._is(".") or self._is("["):
            self._enter("member")
            times += 1
            node = self._selection(node) if self._take(".") else self._index(node)
        self._leave("member", times)
        return node

    def _selection(self, operand: Node) -> Node:
        optional = self._take("?")
        token = self._next()
        if token.kind != "ident":
            self._at -= 1
            raise self._unexpected("expected a name")
        if optional:
            here = self.new()
            return Call(here, "_?._", None, [operand, Literal(self.new(), token.text)])
        if self._take("("):
            here = self.new()
            args = self._arguments()
            expanded = None
            if token.text not in self._without:
                expanded = macros.expand(self.new, here, token.text, operand, args)
            return expanded or Call(here, token.text, operand, args)
        return Select(self.new(), operand, token.text)

    def _index(self, operand: Node) -> Node:
        self._expect("[")
        here = self.new()
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
        dot = "." if self._take(".") else ""
        message = self._message_name()
        if message:
            return Message(self.new(), message, self._fields())
        name = self._next().text
        if name in lexer.RESERVED:
            raise CompileError(f"reserved identifier: {name}")
        if self._take("("):
            here = self.new()
            args = self._arguments()
            return macros.expand(self.new, here, dot + name, None, args) or Call(
                here, dot + name, None, args
            )
        return Ident(self.new(), dot + name)

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
                raise self._unexpected("expected a field name")
            self._expect(":")
            fields.append(Field(name.text, self._expr(), optional))
            if not self._take(",") and not self._is("}"):
                raise self._unexpected("expected ',' or '}'")
        return fields

    def _list(self) -> Node:
        here = self.new()
        elements: list[Node] = []
        optional: set[int] = set()
        self._take(",") if self._tokens[self._at + 1].text == "]" else None
        while not self._take("]"):
            if self._take("?"):
                optional.add(len(elements))
            elements.append(self._expr())
            if not self._take(",") and not self._is("]"):
                raise self._unexpected("expected ',' or ']'")
        return ListNode(here, elements, frozenset(optional))

    def _map(self) -> Node:
        here = self.new()
        entries: list[Entry] = []
        self._take(",") if self._tokens[self._at + 1].text == "}" else None
        while not self._take("}"):
            optional = self._take("?")
            key = self._expr()
            self._expect(":")
            entries.append(Entry(key, self._expr(), optional))
            if not self._take(",") and not self._is("}"):
                raise self._unexpected("expected ',' or '}'")
        return MapNode(here, entries)

    def _literal(self) -> Node:
        here = self.new()
        sign = "-" if self._take("-") else ""
        token = self._next()
        match token.kind:
            case "int":
                return Literal(here, lexer.integer(sign + token.text))
            case "float":
                return Literal(here, lexer.double(sign + token.text))
            case "uint" if not sign:
                return Literal(here, lexer.unsigned(token.text))
            case "string" if not sign:
                return Literal(here, lexer.string(token.text))
            case "bytes" if not sign:
                return Literal(here, lexer.octets(token.text[1:]))
            case "keyword" if not sign and token.text != "in":
                return Literal(here, {"true": True, "false": False, "null": None}[token.text])
            case _:
                self._at -= 1
                raise self._unexpected("expected a value")
