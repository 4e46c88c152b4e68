"""The table of fields is whole, true of the code that reads them, and what it refuses is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mizzen.kinds.decoding import decode
from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.schema import Schema
from mizzen.kinds.served_fields import UNLISTED, table, table_name, treatments
from mizzen.kinds.treatment import Accepted, Acted, Refused, RefusedByNode, Warned

TABLE = table()
SOURCES = Path(__file__).parents[3] / "src" / "mizzen"
# The agent composes these names: f"{kind}Probe".
COMPOSED = {"livenessProbe", "readinessProbe", "startupProbe"}
OF_THE_SERVER = ("apiVersion", "kind", "metadata", "status")  # of whole objects


def _types() -> dict[str, Schema]:
    """Every type that an object's author writes, but below fields that are refused or ignored."""
    found: dict[str, Schema] = {}

    def visit(schema: Schema, of: str, *, is_root: bool) -> None:
        node = schema.resolve()
        below = node.items or node.values if not node.fields else None
        if below is not None:
            visit(below, of, is_root=False)
        if not node.fields:
            return
        name = table_name(node.served_as or node.name)
        assert name, f"{of}: a type without a name cannot be in the table"
        if name in found or name in UNLISTED:
            return
        found[name] = node
        for field, child in node.fields.items():
            if is_root and field in OF_THE_SERVER:
                continue
            if isinstance(treatments(name).get(field), Acted):
                visit(child, f"{of}.{field}", is_root=False)

    for kind in builtin_kinds().values():
        if kind.is_acted_upon:
            visit(kind.schema, kind.resource.kind, is_root=True)
    return found


TYPES = _types()


def test_every_field_of_every_kind_is_in_the_table() -> None:
    for name, schema in TYPES.items():
        roots = {kind.schema.name for kind in builtin_kinds().values()}
        skipped = OF_THE_SERVER if schema.name in roots else ()
        fields = [field for field in schema.fields if field not in skipped]
        assert sorted(TABLE.get(name, {})) == sorted(fields), f"{name}: table and schema differ"


def test_what_keeps_fields_it_does_not_know_is_not_ours_to_read() -> None:
    """An open object below a field that is acted upon takes anything: each has its reason."""
    found = {
        f"{name}.{field}"
        for name, schema in TYPES.items()
        for field, child in schema.fields.items()
        if child.resolve().open
        and not isinstance(TABLE[name].get(field), Refused | RefusedByNode | Warned)
    }
    accepted = {f"{name}.{field}" for name, field, _ in _fields(Accepted)}
    checked_as_a_patch = "trainer.v1alpha1.ReplicatedJobPatch.template"
    assert found - accepted == {checked_as_a_patch}


def test_the_table_names_no_type_that_is_not_there() -> None:
    assert sorted(TABLE.keys() - TYPES.keys()) == []


@cache
def _words(package: str) -> frozenset[str]:
    """Every word of every string in the code of a package. Of `kinds` only what checks fields:
    the schemas name them as keywords, and the table would prove itself."""
    words: set[str] = set(COMPOSED) if package == "node" else set()
    for path in (SOURCES / package).rglob("*.py"):
        if path.name == "protobuf.py":  # a description of messages
            continue
        tree = ast.parse(path.read_text())
        tree.body = [node for node in tree.body if not _is_table(node)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.update(re.findall(r"[A-Za-z0-9]+", node.value))
    return frozenset(words)


def _is_table(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SERVED_FIELDS"


def _fields(*kinds: type[Any]) -> Iterator[tuple[str, str, Any]]:
    for name, fields in TABLE.items():
        for field, treatment in fields.items():
            if isinstance(treatment, kinds):
                yield name, field, treatment


def test_what_is_acted_upon_has_a_reader() -> None:
    orphans = [
        f"{name}.{field}"
        for name, field, treatment in _fields(Acted)
        if treatment.readers and not any(field in _words(r) for r in treatment.readers)
    ]
    assert orphans == []


def test_a_field_without_readers_consists_of_fields_that_have_their_own_lines() -> None:
    for name, field, treatment in _fields(Acted):
        if not treatment.readers:
            child = TYPES[name].fields[field]
            assert table_name(child.served_as or child.name) in TABLE, (name, field)


def test_every_other_field_has_its_sentence() -> None:
    for name, field, treatment in _fields(Accepted):
        assert len(treatment.reason) > 10, (name, field)
    for name, field, treatment in _fields(Warned, Refused, RefusedByNode):
        assert len(treatment.sentence) > 10, (name, field)


def _sample(schema: Schema, fine: tuple[Any, ...]) -> Any:
    """A value of a type that asks for something."""
    node = schema.resolve()
    if node.enum:
        return next(word for word in node.enum if word and word not in fine)
    if node.type == "array":
        assert node.items is not None
        return [_sample(node.items, ())]
    if node.type in ("integer", "number", "int-or-string"):
        return next(n for n in range(3, 100) if n not in fine)
    if node.type == "boolean":
        return True not in fine
    if node.type == "string":
        return {"date-time": "2027-01-15T08:00:00Z", "quantity": "1"}.get(node.format, "x")
    first = next(iter(node.fields.items()), None)
    return {first[0]: _sample(first[1], ())} if first else {"x": "y"}


@pytest.mark.parametrize(
    ("name", "field"),
    [(n, f) for n, f, t in _fields(Refused, RefusedByNode, Warned)],
    ids=lambda v: str(v),
)
def test_what_is_not_served_is_refused_or_warned_of(name: str, field: str) -> None:
    treatment = TABLE[name][field]
    assert isinstance(treatment, Refused | RefusedByNode | Warned)
    schema = TYPES[name]
    value = _sample(schema.fields[field], treatment.fine)
    if value is False:  # e.g. hostUsers: to be isolated is what cannot be had
        assert True in treatment.fine
    (found,) = [u for u in decode(schema, {field: value}).unserved if u.path == field]
    assert treatment.sentence in (found.warning + found.cause.message)
    for fine in (*treatment.fine, None, "", [], {}):
        asked = [u.path for u in decode(schema, {field: fine}).unserved]
        assert field not in asked, f"{fine!r} asks for nothing"
