"""Rules that no linter knows: sizes, docstrings, who may catch everything or read the clock.

A ratchet, not a limit: what must be larger is listed in `exceptions.py` with its reason and its
size, and may shrink but not grow.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidy import exceptions

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "mizzen"
FILE_LINES = 550  # these two are CONTRIBUTING.md's
FUNCTION_LINES = 90
_AMBIENT = {
    "time": {
        "time",
        "time_ns",
        "monotonic",
        "monotonic_ns",
        "sleep",
        "perf_counter",
        "perf_counter_ns",
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "random": {"random", "randint", "choice", "shuffle", "uniform", "randrange", "sample"},
}
_PATHS = [
    *sorted(PACKAGE.rglob("*.py")),
    *sorted((ROOT / "examples").rglob("*.py")),
    *sorted((ROOT / "bench").rglob("*.py")),
    *sorted((ROOT / "image").rglob("*.py")),
    *sorted((ROOT / "tests").rglob("*.py")),
]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in _PATHS:
        yield _name(path), ast.parse(path.read_text(), str(path))


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return dict(_trees())


def test_no_file_outgrows_its_screenfuls() -> None:
    faults: list[str] = []
    for path in _PATHS:
        lines = len(path.read_text().splitlines())
        allowed = exceptions.LONG_FILES.get(_name(path), (FILE_LINES, ""))[0]
        if lines > allowed:
            faults.append(f"{_name(path)}: {lines} lines, allowed {allowed}; split it by noun")
    assert not faults, "\n".join(faults)


def test_no_function_outgrows_the_screen(trees: dict[str, ast.Module]) -> None:
    faults: list[str] = []
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                key = f"{name}:{node.name}"
                allowed = exceptions.LONG_FUNCTIONS.get(key, (FUNCTION_LINES, ""))[0]
                if lines > allowed:
                    faults.append(
                        f"{key}: {lines} lines, allowed {allowed}; move the arithmetic out"
                    )
    assert not faults, "\n".join(faults)


def test_the_lists_of_exceptions_are_not_stale(trees: dict[str, ast.Module]) -> None:
    functions = {
        f"{name}:{node.name}"
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    files = set(trees)
    stale = [key for key in exceptions.LONG_FUNCTIONS if key not in functions]
    stale += [key for key in exceptions.LONG_FILES if key not in files]
    stale += [key for key in exceptions.BROAD_EXCEPT if key not in files]
    stale += [key for key in exceptions.AMBIENT_TIME if not any(f.startswith(key) for f in files)]
    assert not stale, f"listed, but gone: {stale}"


def test_only_listed_loops_catch_everything(trees: dict[str, ast.Module]) -> None:
    faults = [
        f"{name}:{node.lineno}: `except {ast.unparse(node.type) if node.type else ''}` "
        "swallows bugs; name the errors"
        for name, tree in trees.items()
        if name.startswith("src/") and name not in exceptions.BROAD_EXCEPT
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]
    assert not faults, "\n".join(faults)


def _is_broad(node: ast.ExceptHandler) -> bool:
    caught = "" if node.type is None else ast.unparse(node.type)
    reraises = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
    return caught in ("", "Exception", "BaseException") and not reraises


def test_time_and_chance_are_passed_in(trees: dict[str, ast.Module]) -> None:
    faults: list[str] = []
    for name, tree in trees.items():
        if not name.startswith("src/") or name.startswith(tuple(exceptions.AMBIENT_TIME)):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and node.func.attr in _AMBIENT.get(owner.id, ()):
                    faults.append(
                        f"{name}:{node.lineno}: {owner.id}.{node.func.attr}() is out of reach for "
                        "tests; take a Clock (or the value) as an argument"
                    )
    assert not faults, "\n".join(faults)


def test_a_wait_with_a_deadline_can_be_cancelled(trees: dict[str, ast.Module]) -> None:
    """Before Python 3.12 `asyncio.wait_for` swallows a cancellation that comes in the moment in
    which its awaitable is done: a loop around it then never ends."""
    faults = [
        f"{name}:{node.lineno}: use `async with asyncio.timeout(...)`"
        for name, tree in trees.items()
        if name.startswith("src/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]
    assert not faults, "\n".join(faults)


def test_every_package_says_what_it_is_for() -> None:
    faults: list[str] = []
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")}):
        init = folder / "__init__.py"
        if not init.exists():
            faults.append(f"{_name(folder)} has no __init__.py")
        elif not ast.get_docstring(ast.parse(init.read_text())):
            faults.append(f"{_name(init)} has no docstring")
    assert not faults, "\n".join(faults)


def test_every_module_has_a_docstring(trees: dict[str, ast.Module]) -> None:
    faults = [
        n for n, tree in trees.items() if n.startswith("src/") and not ast.get_docstring(tree)
    ]
    assert not faults, f"no module docstring: {faults}"


def test_nothing_is_left_for_later() -> None:
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
    faults = [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in _PATHS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if words.search(line)
    ]
    assert not faults, "\n".join(faults)


def test_the_command_reference_is_current() -> None:
    from mizzen.cli import reference

    assert (ROOT / "docs" / "cli.md").read_text() == reference.text(), "run `make docs`"
