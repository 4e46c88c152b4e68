"""Node selectors: what they match, and which make no sense."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from mizzen.scheduler.core.dra.compat.case import CaseNode
from mizzen.scheduler.core.dra.model import AllocationError, NodeRequirement, NodeScope
from mizzen.scheduler.core.dra.nodes import reaches

NODE = CaseNode("n1", MappingProxyType({"zone": "a", "size": "7"}))


def scope(*requirements: tuple[str, str, tuple[str, ...]], is_field: bool = False) -> NodeScope:
    term = tuple(NodeRequirement(*r, is_field) for r in requirements)
    return NodeScope(selector=(term,))


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        (("zone", "In", ("a", "b")), True),
        (("zone", "NotIn", ("a",)), False),
        (("none", "NotIn", ("a",)), True),
        (("none", "In", ("a",)), False),
        (("zone", "Exists", ()), True),
        (("zone", "DoesNotExist", ()), False),
        (("size", "Gt", ("6",)), True),
        (("size", "Lt", ("7",)), False),
        (("zone", "Gt", ("1",)), False),
    ],
)
def test_labels(requirement: tuple[str, str, tuple[str, ...]], expected: bool) -> None:
    assert reaches(scope(requirement), NODE) is expected


def test_fields() -> None:
    assert reaches(scope(("metadata.name", "In", ("n1",)), is_field=True), NODE)
    assert not reaches(scope(("metadata.name", "NotIn", ("n1",)), is_field=True), NODE)
    assert reaches(scope(("spec.other", "In", ("",)), is_field=True), NODE)


@pytest.mark.parametrize(
    "requirement",
    [
        ("zone", "In", ()),
        ("zone", "Exists", ("a",)),
        ("size", "Gt", ("x",)),
        ("size", "Gt", ("1_0",)),
        ("Not A Label!", "Exists", ()),
        ("zone", "In", ("not a value!",)),
        ("zone", "Like", ("a",)),
    ],
)
def test_what_makes_no_sense_is_an_error(requirement: tuple[str, str, tuple[str, ...]]) -> None:
    with pytest.raises(AllocationError, match="node selector is invalid"):
        reaches(scope(requirement), NODE)


def test_neither_an_empty_term_nor_no_scope_reaches_anything() -> None:
    assert not reaches(NodeScope(selector=((),)), NODE)
    assert not reaches(NodeScope(selector=()), NODE)
    assert not reaches(NodeScope(), NODE)
    assert reaches(NodeScope(all_nodes=True), NODE)
    assert reaches(NodeScope(node="n1"), NODE)
