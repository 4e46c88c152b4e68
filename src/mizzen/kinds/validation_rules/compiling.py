"""The rules of a schema as programs, compiled once.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go, v0.36.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from mizzen.base.objects import Obj
from mizzen.cel import types
from mizzen.cel.environment import Environment
from mizzen.cel.program import RatedProgram, compile_rated
from mizzen.cel.tree import CompileError
from mizzen.cel.types import Steps, Type
from mizzen.kinds.reading import entries, part
from mizzen.kinds.validation_rules.declared_types import Declarations, Declared
from mizzen.kinds.validation_rules.field_paths import field_path

RULES = "x-kubernetes-validations"
SELF, OLD_SELF = "self", "oldSelf"
# Of devices' selectors alone, and the macro that upstream's rules do not have.
_WITHOUT = frozenset({"includes", "bind"})


# Of a source, whether oldSelf is an optional, and the type that it must have.
Compile = Callable[[str, bool, str], RatedProgram | CompileError]


class Rule:
    """One rule. Its programs are compiled when they are first asked for."""

    __slots__ = (
        "_compile",
        "_message",
        "_program",
        "_written",
        "field_path",
        "message",
        "message_source",
        "optional",
        "optional_given",
        "reason",
        "source",
    )  # fmt: skip

    def __init__(self, written: Obj, schema: Obj, compile_rule: Compile) -> None:
        self.source: str = written.get("rule") or ""
        self._written = written
        self.message: str = (written.get("message") or "").strip()
        self.message_source: str = written.get("messageExpression") or ""
        self.reason: str = written.get("reason") or "FieldValueInvalid"
        self.optional_given = written.get("optionalOldSelf") is not None
        self.optional = bool(written.get("optionalOldSelf"))
        self._compile = compile_rule
        found = field_path(written.get("fieldPath") or "", schema)
        self.field_path = "" if isinstance(found, ValueError) else found
        self._program: RatedProgram | CompileError | None = None
        self._message: RatedProgram | CompileError | None = None

    @property
    def program(self) -> RatedProgram | CompileError:
        if self._program is None:
            self._program = self._compile(self.source, self.optional, "bool")
        return self._program

    @property
    def message_program(self) -> RatedProgram | CompileError:
        """Of `message_source`, where there is one."""
        if self._message is None:
            self._message = self._compile(self.message_source, self.optional, "string")
        return self._message

    @property
    def uses_old(self) -> bool:
        return isinstance(self.program, RatedProgram) and OLD_SELF in self.program.names

    @property
    def shown_whole(self) -> Obj:
        """As refusals of its definition show it: upstream's internal type."""
        names = ("rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf")
        return {
            f"{name[0].upper()}{name[1:]}": self._written.get(name)
            if name in ("reason", "optionalOldSelf")
            else self._written.get(name) or ""
            for name in names
        }

    @property
    def shown(self) -> str:
        return self.message or self.source.strip()


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place of a schema with rules, or with rules below it. `type` is the schema's; `least_json`:
    bytes that its JSON has at least."""

    type: str
    rules: tuple[Rule, ...]
    fields: Mapping[str, Place] = field(default_factory=dict[str, "Place"])
    each: Place | None = None
    least_json: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """All rules of a schema of whole objects."""

    root: Place
    declared: Declared


_REMEMBERED_MAX = 16
_remembered: OrderedDict[bytes, Rules] = OrderedDict()  # by schema, the latest last


def has_rules(node: Any) -> bool:
    """True if the schema has rules anywhere but in combinations."""
    if not isinstance(node, dict):
        return False
    below = cast("Obj", node)
    return bool(
        below.get(RULES)
        or any(has_rules(child) for child in part(below, "properties").values())
        or has_rules(below.get("items"))
        or has_rules(below.get("additionalProperties"))
    )


def rules_of(schema: Obj) -> Rules | None:
    """The rules of a schema that has passed the check; None if there are none."""
    if not has_rules(schema):
        return None
    # Who writes a definition has its rules compiled; it is served with these.
    key = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    found = _remembered.pop(key, None)
    if found is None:
        declarations = Declarations()
        declared = declarations.declare(schema, "object", is_resource=True)
        root = _Compiler(declarations.structs).place(schema, declared)
        found = Rules(root or Place("object", ()), declared)
    _remembered[key] = found
    if len(_remembered) > _REMEMBERED_MAX:
        _remembered.popitem(last=False)
    return found


class _Compiler:
    def __init__(self, structs: Mapping[str, Mapping[str, Type]]) -> None:
        self._structs = structs
        self._steps = Steps()  # of comparing types, for all rules together

    def place(self, node: Obj, declared: Declared) -> Place | None:
        """None where there are no rules, here or below."""
        compile_rule = self._compile_for(declared)
        rules = tuple(Rule(written, node, compile_rule) for written in entries(node, RULES))
        fields: dict[str, Place] = {}
        for name, child in part(node, "properties").items():
            below = declared.fields.get(name)
            found = None if below is None else self.place(child, below)
            if found is not None:
                fields[name] = found
        each: Place | None = None
        for word in ("items", "additionalProperties"):
            if isinstance(node.get(word), dict) and declared.each is not None:
                each = self.place(node[word], declared.each)
        if not rules and not fields and each is None:
            return None
        return Place(node.get("type") or "", rules, fields, each, declared.least_json)

    def _compile_for(
        self, declared: Declared
    ) -> Callable[[str, bool, str], RatedProgram | CompileError]:
        typed = declared.type

        def compile_rule(source: str, optional: bool, wanted: str) -> RatedProgram | CompileError:
            if typed is None:
                return CompileError("its type is unknown to rules: nothing is declared of it")
            old = types.optional_of(typed) if optional else typed
            variables = {SELF: typed, OLD_SELF: old}
            try:
                # Upstream draws a name for the type anew each time.
                shown = f"selfType{zlib.crc32(source.encode('utf-8', 'surrogatepass'))}"
                own = (declared.name, shown)
                environment = Environment(variables, self._structs, _WITHOUT, own=own)
                return compile_rated(source, environment, wanted, declared.size_at, self._steps)
            except CompileError as error:
                return error

        return compile_rule
