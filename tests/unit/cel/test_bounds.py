"""No expression builds or looks through more than it pays for, and what it pays with is bounded.

Each of these is a few hundred bytes and would take gigabytes, or hours, were it only priced.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mizzen.cel.cost import BUILT_BYTES_MAX, LIMIT, CostExceeded, Run
from mizzen.cel.program import compile_selector
from mizzen.cel.tree import CompileError
from mizzen.cel.values import Err, Map
from mizzen.scheduler.core.dra.model import SelectorError
from mizzen.scheduler.device_selectors import SHOWN_CHARS, CelSelectors
from support.selector_cases import PLAIN, as_device, our_answer

ADDRESSES_MAX = 1 << 30  # bytes of address space that the whole interpreter gets
LETTERS = '"' + "a" * 500 + '"'
ITSELF = "[[1]]" + ".map(x, x + x)" * 40
SHARED = "[[1]]" + ".map(x, [x, x])" * 40  # one list, reached 2^40 times
SHARED_MAP = '[{"a": 1}]' + '.map(x, {"a": x, "b": x})' * 40
LONG = f'{LETTERS}.replace("a", {LETTERS})'
BOMBS = {
    "replace": f"{LETTERS}" + f'.replace("a", {LETTERS})' * 3 + ".size() > 0",
    "list + list": f"{ITSELF}.size() > 0",
    "equal": f"cel.bind(l, {SHARED}, cel.bind(m, {SHARED}, l == m))",
    "equal maps": f"cel.bind(l, {SHARED_MAP}, cel.bind(m, {SHARED_MAP}, l == m))",
    "not equal": f"cel.bind(l, {SHARED}, cel.bind(m, {SHARED}, l != m))",
    "in": f"cel.bind(l, {SHARED}, cel.bind(m, {SHARED}, l in [m, m]))",
    "indexOf": f"cel.bind(l, {SHARED}, l.indexOf(l[0]) > 0)",
    "distinct": f"cel.bind(l, {SHARED}, cel.bind(m, {SHARED}, [l, m].distinct().size() == 1))",
    "format": f'cel.bind(l, {SHARED}, "%s".format([l]).size() > 0)',
    "flatten": f"cel.bind(l, {SHARED}, l.flatten(50).size() > 0)",
    "list literal": "lists.range(90000).map(x, [x" + ",1" * 4500 + "]).size() > 0",
    "join": f"cel.bind(b, {LONG}, lists.range(2000).map(x, b).join(b).size() > 0)",
    "format of texts": f'cel.bind(b, {LONG}, "%s".format([lists.range(2000).map(x, b)]) == "")',
    "findAll": f'cel.bind(b, {LONG}, b.findAll("a(.*y)?").size() > 0)',
}


@pytest.mark.slow
def test_bombs_are_refused_before_they_are_built() -> None:
    """In an interpreter of its own that could not hold any of them."""
    here = Path(__file__)
    program = f"import runpy; runpy.run_path({str(here)!r}, run_name='bombs')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=here.parents[3],
        env={"PYTHONPATH": f"{here.parents[2]}:{here.parents[3] / 'src'}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(done.stdout)
    assert {name for name, answer in answers.items() if answer["phase"] == "runtime"} == set(BOMBS)
    assert all(answer["cost"] <= LIMIT + 100_000 for answer in answers.values())
    assert all(len(expression) < 10_000 for expression in BOMBS.values())


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"a,b".split(",").size() == 2', True),
        ('"%.3f" .format([1.5]) == "1.500"', True),
        ("lists.range(1000).map(x, x + 1).size() == 1000", True),
        ("[[1, 2], [3]].flatten() == [1, 2, 3]", True),
        ("[[1], [2]] == [[1], [2]]", True),
        ("[1] in [[1], [2]]", True),
        ("lists.range(20000).transformMap(i, v, v).size() == 20000", True),
    ],
)
def test_what_selectors_do_is_far_from_the_bounds(expression: str, expected: bool) -> None:
    answer = our_answer({"expression": expression, "device": PLAIN, "features": []})
    assert answer.get("result") is expected


def test_the_bill_names_what_is_too_much() -> None:
    with pytest.raises(CostExceeded, match=f"{BUILT_BYTES_MAX >> 20} MiB"):
        Run().spend(BUILT_BYTES_MAX + 1)


def test_too_little_memory_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compile_selector("true", lists=False)

    def starved(*_: object) -> object:
        raise MemoryError

    monkeypatch.setattr(type(program.step), "eval", starved)
    assert isinstance(program.run(None)[0], Err)


def test_any_failure_is_that_selectors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    selectors = CelSelectors()
    monkeypatch.setattr("mizzen.scheduler.device_selectors.Selector.run", broken)
    with pytest.raises(SelectorError, match="ZeroDivisionError"):
        selectors.matches("device.driver == 'x'", as_device(PLAIN))
    monkeypatch.undo()
    monkeypatch.setattr("mizzen.scheduler.device_selectors.compile_selector", broken)
    with pytest.raises(SelectorError, match="ZeroDivisionError"):
        selectors.matches("device.driver == 'y'", as_device(PLAIN))


def test_an_error_shows_little_of_a_long_text() -> None:
    text = "'" + "k" * 9000 + "'"
    selectors = CelSelectors()
    for expression in (f"device.attributes[{text}].x == 1", f"bool({text})", f"{text} =="):
        with pytest.raises(SelectorError) as caught:
            selectors.matches(expression, as_device(PLAIN))
        assert len(str(caught.value)) < 3 * SHOWN_CHARS


def test_a_dear_selector_is_not_evaluated_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each device differs, and each is dear: after the first few nobody waits for it."""
    monkeypatch.setattr("mizzen.scheduler.device_selectors.SPENT_MAX", 30_000)
    dear = "lists.range(2000).all(x, x >= 0) && device.attributes['gpu.example.com'].index >= 0"
    cheap = "device.attributes['gpu.example.com'].index >= 0"
    selectors = CelSelectors(is_patient=False)
    told: list[str] = []
    for number in range(12):
        device = as_device({**PLAIN, "attributes": {"index": {"int": number}}})
        selectors.begin_turn()
        assert selectors.matches(cheap, device)
        try:
            selectors.matches(dear, device)
        except SelectorError as error:
            told.append(str(error))
    assert 0 < len(told) < 12 and all("too dear" in text for text in told)


def test_programs_are_remembered_by_their_length() -> None:
    selectors = CelSelectors()
    for number in range(40):
        text = "a" * 9000
        selectors.problem(f"'{text}{number}' == device.driver")
    assert selectors.statistics()["expressions"] < 30


if __name__ == "bombs":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES_MAX, ADDRESSES_MAX))
    about: dict[str, Any] = {"device": PLAIN, "features": []}
    print(json.dumps({name: our_answer({"expression": b, **about}) for name, b in BOMBS.items()}))


def nested(name: str, first: str, levels: int, body: str) -> str:
    """Each variable is a map of the one before to itself, so that its type doubles."""
    binds = [f"cel.bind({name}0, {first}, "]
    for level in range(1, levels):
        before = f"{name}{level - 1}"
        binds.append(f"cel.bind({name}{level}, {{{before}: {before}}}, ")
    return "".join(binds) + body + ")" * levels


@pytest.mark.parametrize("first", ["1", "[]"])
def test_types_that_double_are_cheap_where_they_are_shared_and_refused_else(first: str) -> None:
    """With 90 levels a type is made of 2^90."""
    text = nested("x", first, 90, "size(x89) == 0")
    try:
        compile_selector(text, lists=False)
    except CompileError as error:
        assert first == "[]" and "types are too large to be compared" in str(error)
    else:
        assert first == "1"
    two = nested("x", first, 45, nested("y", first, 45, "x44 == y44"))
    with pytest.raises(CompileError, match="types are too large to be compared"):
        compile_selector(two, lists=False)


def test_a_message_shows_no_type_that_is_too_large() -> None:
    with pytest.raises(CompileError) as caught:
        compile_selector(nested("x", "1", 90, "x89.startsWith('a')"), lists=False)
    assert len(str(caught.value)) < 300


def test_what_nests_deeply_and_is_right_is_compiled() -> None:
    lists = "[" * 240 + "]" * 240
    compile_selector(" || ".join([f"{lists} == {lists}"] * 10), lists=False)


MANY = "1" * 5000


@pytest.mark.parametrize(
    "expression",
    [f"{MANY} == 1", f"-{MANY} == 1", f"{MANY}u == 1u", f"0x{MANY} == 1", f"[1][{MANY}] == 1",
     f"duration('{MANY}h') == duration('1s')", f"{2**63} == 1", f"{2**64}u == 1u",
     f"{-(2**63) - 1} == 1"],
)  # fmt: skip
def test_numbers_beyond_64_bits_do_not_compile(expression: str) -> None:
    with pytest.raises(CompileError) as raised:
        compile_selector(expression, lists=False)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "expression",
    [f"{'0' * 5000}7 == 7", f"{'0' * 5000} == 0", f"{2**63 - 1} > 0", f"{-(2**63)} < 0",
     f"{2**64 - 1}u > 0u", f"duration('1.{MANY}s') == duration('1.111111111s')",
     f"duration('{'0' * 5000}7s') == duration('7s')"],
)  # fmt: skip
def test_numbers_of_64_bits_compile_however_they_are_written(expression: str) -> None:
    value, _ = compile_selector(expression, lists=False).run(Map([], native=True))
    assert value is True
