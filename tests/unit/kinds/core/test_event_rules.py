"""Rules of core/v1 Events, which old clients make."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.core.event_rules import check_event


def _check(namespace: str, about: str, **more: Any) -> list[str]:
    event = {
        "metadata": {"name": "e", "namespace": namespace},
        "involvedObject": {"namespace": about},
        **more,
    }
    return [cause.field for cause in check_event(event, "reportingComponent")]


@pytest.mark.parametrize(
    ("namespace", "about", "fits"),
    [("n", "n", True), ("default", "", True), ("n", "", False), ("default", "n", False)],
)
def test_an_old_event_lies_in_the_namespace_of_its_object(
    namespace: str, about: str, fits: bool
) -> None:
    assert _check(namespace, about) == ([] if fits else ["involvedObject.namespace"])


def test_a_new_one_of_no_namespace_lies_in_the_systems() -> None:
    new = {
        "eventTime": "2027-01-15T08:00:00.000000Z", "reportingComponent": "c", "reason": "R",
        "reportingInstance": "i", "action": "A",
    }  # fmt: skip
    assert _check("kube-system", "", **new) == []
    assert _check("n", "", **new) == ["involvedObject.namespace"]
    assert _check("n", "n", **{**new, "action": "x" * 129, "message": "x" * 1025}) == [
        "action", "message",
    ]  # fmt: skip
