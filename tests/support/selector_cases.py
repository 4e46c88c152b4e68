"""Device selectors to ask two implementations about: written by hand, and made at random.

A question is {"expression", "device", "features"}; devices are written as in a ResourceSlice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mizzen.cel.cost import LIMIT
from mizzen.cel.program import compile_selector
from mizzen.cel.tree import CompileError
from mizzen.cel.values import Err
from mizzen.scheduler.core.dra.model import Device
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from mizzen.scheduler.device_values import cut, variable

D = "gpu.example.com"
PLAIN: dict[str, Any] = {
    "driver": D,
    "attributes": {
        f"{D}/model": {"string": "H100"},
        "index": {"int": 3},
        "healthy": {"bool": True},
        f"{D}/version": {"version": "12.4.1-rc.1+b7"},
        "net.example.com/numa": {"int": 1},
        "other.com/flag": {"bool": False},
    },
    "capacity": {
        "memory": {"value": "80Gi"},
        f"{D}/cores": {"value": "132"},
        "net.example.com/bandwidth": {"value": "1500m"},
    },
    "allowMultipleAllocations": True,
}
LISTS: dict[str, Any] = {
    "driver": D,
    "attributes": {
        "model": {"string": "a1b22"},
        "index": {"int": -7},
        "healthy": {"bool": False},
        "version": {"version": "1.2.3"},
        "ids": {"ints": [1, 2, 3]},
        "names": {"strings": ["a", "b"]},
        "oks": {"bools": [True, False]},
        "versions": {"versions": ["1.0.0", "2.0.0"]},
    },
    "capacity": {"memory": {"value": "512Mi"}},
}
WITH_LISTS = ["DRAListTypeAttributes"]
_STRINGS = ("", "H100", "a1b22", "100", "1.2.3", "x,y,z", "80Gi", "é✓", "10.0.0.0/8", "true")
_PATTERNS = ("^H", "[0-9]+", "a|b", "(", "(?i)h1+", r"\\d{2}", "x*", "[^a-z]$", "a**", r"\\bH")
_INTS = ("0", "1", "-1", "2", "3", "7", "9223372036854775807", "-9223372036854775808", "100")
_DOUBLES = ("0.0", "1.0", "-1.5", "2.5", "3.0", "1e300", "-0.0")
_ATTRIBUTES = ("model", "index", "healthy", "version", "missing", "ids", "names", "oks", "versions")
_VERSIONS = ("1.2.3", "12.4.1-rc.1", "1.2", "v2.0.0", "0.0.0", "2.0.0+x", "1.0.0-01")
_QUANTITIES = ("1", "80Gi", "500m", "1.5", "-3", "bad", "1e3", "3Mi", "100M", "9Ei", "1n", ".5")


class Expressions:
    """Random expressions, mostly well typed; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._variables: list[tuple[str, str]] = []  # (name, kind)

    def _one(self, *choices: str) -> str:
        return self._random.choice(choices)

    def make(self, kind: str, depth: int) -> str:
        """An expression of a kind; one in forty is of another one."""
        if self._random.random() < 0.025:
            kind = self._one("bool", "int", "string", "ints", "double", "dyn", "version")
        fitting = [name for name, held in self._variables if held == kind]
        if fitting and self._random.random() < 0.4:
            return self._one(*fitting)
        return getattr(self, f"_{kind}")(depth)

    def _attribute(self) -> str:
        domain = self._one(f'"{D}"', f'"{D}"', f'"{D}"', "device.driver", '"none.org"')
        name = self._one(*_ATTRIBUTES)
        form = self._one(f".{name}", f".{name}", f'["{name}"]')
        return f"device.attributes[{domain}]{form}"

    def _dyn(self, depth: int) -> str:
        if depth <= 0 or self._random.random() < 0.7:
            return self._attribute()
        kind = self._one("int", "string", "bool", "double")
        return self._one(
            f"dyn({self.make(kind, depth - 1)})",
            f"({self.make('bool', depth - 1)} ? {self._attribute()} : {self._attribute()})",
            f"{self._optional(depth - 1)}.orValue({self._attribute()})",
        )

    def _optional(self, depth: int) -> str:
        name = self._one(*_ATTRIBUTES)
        return self._one(
            f'device.attributes["{D}"].?{name}',
            f'device.attributes["{D}"][?"{name}"]',
            f'device.attributes[?"{self._one(D, "none.org")}"].?{name}',
        )

    def _bool(self, depth: int) -> str:
        if depth <= 0:
            return self._one("true", "false", f'device.attributes["{D}"].healthy')
        sub = depth - 1
        a, b = self._one("int", "string", "dyn", "double", "uint"), self._one("bool", "dyn")
        comparison = self._one("==", "!=", "<", "<=", ">", ">=")
        match self._random.randrange(22):
            case 0 | 1:
                return f"({self.make('bool', sub)} && {self.make(b, sub)})"
            case 2 | 3:
                return f"({self.make('bool', sub)} || {self.make(b, sub)})"
            case 4:
                return f"!({self.make('bool', sub)})"
            case 5 | 6 | 7:
                return f"({self.make(a, sub)} {comparison} {self.make(a, sub)})"
            case 8:
                other = self._one("int", "string", "double")
                return f"({self.make('dyn', sub)} {comparison} {self.make(other, sub)})"
            case 9:
                return (
                    f"({self.make('bool', sub)} ? {self.make('bool', sub)} : {self.make(b, sub)})"
                )
            case 10:
                return f'has(device.attributes["{D}"].{self._one(*_ATTRIBUTES)})'
            case 11:
                return f"{self.make('string', sub)}.{self._one('startsWith', 'endsWith', 'contains')}({self.make('string', sub)})"
            case 12:
                return f'{self.make("string", sub)}.matches("{self._one(*_PATTERNS)}")'
            case 13 | 14:
                return self._quantified(sub)
            case 15:
                return f"({self.make('int', sub)} in {self.make('ints', sub)})"
            case 16:
                return f"{self.make('quantity', sub)}.{self._one('isLessThan', 'isGreaterThan')}({self.make('quantity', sub)})"
            case 17:
                return f"{self.make('version', sub)}.{self._one('isLessThan', 'isGreaterThan')}({self.make('version', sub)})"
            case 18:
                return self._bind(sub)
            case 19:
                return f"{self._one('isQuantity', 'isSemver', 'isIP', 'isCIDR', 'isURL')}({self.make('string', sub)})"
            case 20:
                return f"{self._optional(sub)}.hasValue()"
            case _:
                return f"{self.make('dyn', sub)}.includes({self.make('dyn', sub)})"

    def _with(self, name: str, kind: str, wanted: str, depth: int) -> str:
        self._variables.append((name, kind))
        try:
            return self.make(wanted, depth)
        finally:
            self._variables.pop()

    def _quantified(self, depth: int) -> str:
        name = f"v{len(self._variables)}"
        macro = self._one("all", "exists", "exists_one")
        kind, over = self._random.choice((("int", "ints"), ("string", "strings")))
        over = self.make(over, depth)
        return f"{over}.{macro}({name}, {self._with(name, kind, 'bool', depth)})"

    def _bind(self, depth: int) -> str:
        name = f"b{len(self._variables)}"
        kind = self._one("int", "string", "bool", "dyn", "quantity")
        value = self.make(kind, depth)
        return f"cel.bind({name}, {value}, {self._with(name, kind, 'bool', depth)})"

    def _int(self, depth: int) -> str:
        if depth <= 0:
            return self._one(*_INTS)
        sub = depth - 1
        match self._random.randrange(9):
            case 0 | 1 | 2:
                return f"({self.make('int', sub)} {self._one(*'+-*/%')} {self.make('int', sub)})"
            case 3:
                return f"size({self.make(self._one('string', 'ints', 'strings'), sub)})"
            case 4:
                return f"int({self.make(self._one('string', 'double', 'int', 'uint'), sub)})"
            case 5:
                return f"{self.make('ints', sub)}.{self._one('sum', 'min', 'max')}()"
            case 6:
                return f"{self.make('string', sub)}.{self._one('indexOf', 'lastIndexOf')}({self.make('string', sub)})"
            case 7:
                return f"{self.make('ints', sub)}[{self.make('int', sub)}]"
            case _:
                call = self._one("asInteger()", 'compareTo(quantity("2"))')
                return f"{self.make('quantity', sub)}.{call}"

    def _uint(self, depth: int) -> str:
        if depth <= 0:
            return self._one("0u", "1u", "18446744073709551615u", "3u")
        return self._one(
            f"({self.make('uint', depth - 1)} {self._one(*'+-*/%')} {self.make('uint', depth - 1)})",
            f"uint({self.make(self._one('int', 'double', 'string'), depth - 1)})",
        )

    def _double(self, depth: int) -> str:
        if depth <= 0:
            return self._one(*_DOUBLES)
        return self._one(
            f"({self.make('double', depth - 1)} {self._one(*'+-*/')} {self.make('double', depth - 1)})",
            f"double({self.make(self._one('int', 'string', 'uint'), depth - 1)})",
            f"{self.make('quantity', depth - 1)}.asApproximateFloat()",
        )

    def _string(self, depth: int) -> str:
        if depth <= 0:
            return self._one(*(f'"{text}"' for text in _STRINGS), "device.driver")
        sub = depth - 1
        text = self.make("string", sub)
        match self._random.randrange(12):
            case 0 | 1:
                return f"({text} + {self.make('string', sub)})"
            case 2:
                return f"{text}.{self._one('lowerAscii', 'upperAscii', 'trim')}()"
            case 3:
                return f"{text}.substring({self.make('int', 0)})"
            case 4:
                return f"{text}.substring({self._one('0', '1')}, {self._one('1', '2', '5')})"
            case 5:
                return f"{text}.charAt({self._one('0', '1', '9')})"
            case 6:
                return f"{text}.replace({self.make('string', 0)}, {self.make('string', 0)})"
            case 7:
                return (
                    f"string({self.make(self._one('int', 'double', 'bool', 'dyn', 'uint'), sub)})"
                )
            case 8:
                return f"{self.make('strings', sub)}.join({self.make('string', 0)})"
            case 9:
                return f'{text}.find("{self._one(*_PATTERNS)}")'
            case 10:
                return f'"%s-%d".format([{self.make(self._one("string", "dyn", "bool"), sub)}, {self.make("int", sub)}])'
            case _:
                return f"{self.make('strings', sub)}[{self._one('0', '1', '2')}]"

    def _ints(self, depth: int) -> str:
        if depth <= 0:
            return self._one("[]", "[1, 2, 3]", "[3, 1, 3]", "[0]", "lists.range(4)")
        sub = depth - 1
        ints, name = self.make("ints", sub), f"v{len(self._variables)}"
        match self._random.randrange(7):
            case 0:
                return f"[{self.make('int', sub)}, {self.make('int', sub)}]"
            case 1:
                return f"({ints} + {self.make('ints', sub)})"
            case 2:
                return f"{ints}.map({name}, {self._with(name, 'int', 'int', sub)})"
            case 3:
                return f"{ints}.filter({name}, {self._with(name, 'int', 'bool', sub)})"
            case 4:
                return f"{ints}.{self._one('sort', 'reverse', 'distinct')}()"
            case 5:
                return f"{ints}.sortBy({name}, {self._with(name, 'int', 'int', sub)})"
            case _:
                return f"{ints}.slice({self._one('0', '1')}, {self._one('1', '2')})"

    def _strings(self, depth: int) -> str:
        if depth <= 0:
            return self._one('["a", "b"]', "[]", '["H100", "x"]', "[device.driver]")
        sub, name = depth - 1, f"v{len(self._variables)}"
        return self._one(
            f"{self.make('string', sub)}.split({self.make('string', 0)})",
            f'{self.make("string", sub)}.findAll("{self._one(*_PATTERNS)}")',
            f"{self.make('strings', sub)}.map({name}, {self._with(name, 'string', 'string', sub)})",
            f"{self.make('strings', sub)}.sort()",
            f"[{self.make('string', sub)}, {self.make('string', sub)}]",
        )

    def _quantity(self, depth: int) -> str:
        text = self._one(*_QUANTITIES)
        return self._one(
            f'quantity("{text}")',
            f'device.capacity["{D}"].{self._one("memory", "cores", "missing")}',
            f'quantity("{text}").add(quantity("{self._one(*_QUANTITIES)}"))',
            f'device.capacity["{D}"].memory.sub({self.make("int", 0)})',
        )

    def _version(self, depth: int) -> str:
        return self._one(
            f'semver("{self._one(*_VERSIONS)}")',
            f'semver("{self._one(*_VERSIONS)}", true)',
            f'device.attributes["{D}"].version',
        )


def random_questions(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Questions about both devices, with and without lists."""
    made = Expressions(seed)
    for number in range(count):
        expression = made.make("bool", 1 + number % 5)
        lists = number % 2 == 0
        yield {
            "expression": expression,
            "device": LISTS if lists and number % 4 else PLAIN,
            "features": WITH_LISTS if lists else [],
        }


def as_device(written: dict[str, Any]) -> Device:
    """The device of a question, as the scheduler reads it from a ResourceSlice."""
    entry = {key: value for key, value in written.items() if key != "driver"}
    spec = {
        "driver": written["driver"],
        "pool": {"name": "p", "generation": 1, "resourceSliceCount": 1},
        "allNodes": True,
        "devices": [{"name": "d", **entry}],
    }
    return read_slice({"metadata": {"name": "s"}, "spec": spec}, Shapes()).devices[0]


def our_answer(question: dict[str, Any], limit: int = LIMIT) -> dict[str, Any]:
    """{"result", "cost"} or {"phase": "compile"}, or {"phase": "runtime", "cost"}."""
    lists = question["features"] == WITH_LISTS
    try:
        program = compile_selector(question["expression"], lists)
    except CompileError:
        return {"phase": "compile"}
    seen = cut(as_device(question["device"]), program.reads, lists)
    held = variable(seen, lists)
    if isinstance(held, Err):
        return {"phase": "runtime"}
    result, cost = program.run(held, limit)
    return (
        {"phase": "runtime", "cost": cost}
        if isinstance(result, Err)
        else {"result": result, "cost": cost}
    )


def written_questions() -> list[dict[str, Any]]:
    """The expressions of selectors.txt, about both devices."""
    lines = (Path(__file__).parent / "selectors.txt").read_text().splitlines()
    return [
        {"expression": line, "device": device, "features": features}
        for line in lines
        for device, features in ((PLAIN, []), (PLAIN, WITH_LISTS), (LISTS, WITH_LISTS))
    ]
