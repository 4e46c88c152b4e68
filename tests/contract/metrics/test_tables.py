"""What every table of metrics keeps to: a count that nobody makes would be a zero for ever."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import mizzen

_ROOT = Path(mizzen.__file__).parent
_TABLES = sorted(
    path
    for path in (*_ROOT.rglob("metrics.py"), _ROOT / "host" / "process_metrics.py")
    if ("_total" in path.read_text())
)


def _entries(path: Path) -> list[tuple[str, str, str]]:
    name = ".".join(path.relative_to(_ROOT.parent).with_suffix("").parts)
    found: list[tuple[str, str, str]] = []
    for value in vars(importlib.import_module(name)).values():
        rows: tuple[Any, ...] = value if isinstance(value, tuple) else ()
        found += [row for row in rows if isinstance(row, tuple) and len(row) == 3]
    return found


@pytest.fixture(scope="module")
def source() -> str:
    """All of it but the lines of tables, which begin with a key and a name."""
    texts = (path.read_text() for path in _ROOT.rglob("*.py"))
    return re.sub(r'\(\s*"\w+",\s*"[a-z_:]+",\s', "(", "".join(texts))


@pytest.mark.parametrize("path", _TABLES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_every_count_of_a_table_is_made_somewhere(path: Path, source: str) -> None:
    entries = _entries(path)
    for key, name, text in entries:
        assert f'"{key}"' in source, f"{name}: nobody counts {key!r}"
        assert re.fullmatch(r"[a-z_]+", name) and text.endswith(".") and text[0].isupper(), name
    assert len({name for _, name, _ in entries}) == len(entries)


def test_tables_are_found() -> None:
    packages = {path.parent.name for path in _TABLES}
    assert packages >= {"apiserver", "client", "controllers", "scheduler", "node", "gateway"}
