"""The sentences that users read."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.dra.allocate import Shortage
from mizzen.scheduler.core.explaining.reasons import message, no_fit, waiting
from mizzen.scheduler.core.explaining.smallest import lacking
from mizzen.scheduler.core.misfit import Misfit


def devices(matching: int, in_use: int, want: int = 1, problem: str = "") -> Misfit:
    shortage = Shortage("gpu", want, matching, in_use, matching, problem)
    return Misfit("InsufficientDevices", "gpu", shortage=shortage)


def said(*misfits: Misfit) -> str:
    return message(no_fit('Pod "a/b"', len(misfits), [(m, 1) for m in misfits]))


@pytest.mark.parametrize(
    ("misfits", "text"),
    [
        (
            [devices(8, 4, want=8)] * 480
            + [Misfit("TaintNotTolerated", "dedicated=infer:NoSchedule")] * 32,
            '0/512 nodes fit Pod "a/b": 480 nodes lack devices of class gpu (want 8, most free 4), '
            "32 tainted dedicated=infer:NoSchedule",
        ),
        (
            [devices(0, 0)],
            '0/1 nodes fit Pod "a/b": there are no devices of class gpu (want 1)',
        ),
        (
            [Misfit("InsufficientResource", "memory", 2**31, 2**30), Misfit("NodeNotReady")],
            '0/2 nodes fit Pod "a/b": 1 node lacks memory (want 2Gi, most free 1Gi), 1 not ready',
        ),
        (
            [
                Misfit("InsufficientCPU", "cpu", 1500, 300),
                Misfit("InsufficientCPU", "cpu", 1500, 900),
            ],
            '0/2 nodes fit Pod "a/b": 2 nodes lack cpu not claimed by others '
            "(want 1500m, most free 900m)",
        ),
        (
            [Misfit("ClaimElsewhere", "a/c")],
            '0/1 nodes fit Pod "a/b": ResourceClaim a/c is allocated where 1 node cannot reach it',
        ),
    ],
)
def test_reasons(misfits: list[Misfit], text: str) -> None:
    assert said(*misfits) == text


def test_selectors_that_match_nothing() -> None:
    shortage = Shortage("gpu", 1, 0, 0, of_class=4)
    misfit = Misfit("InsufficientDevices", "gpu", shortage=shortage)
    assert said(misfit).endswith("none of 4 devices of class gpu match the selectors")


def test_of_equal_shortages_the_same_one_is_told_in_whichever_order() -> None:
    none, others = (
        Misfit("InsufficientDevices", "gpu", shortage=Shortage("gpu", 1, 0, 0, of_class))
        for of_class in (0, 4)
    )
    assert said(none, others) == said(others, none)


@pytest.mark.parametrize(
    ("misfit", "change"),
    [
        (devices(4, 0, want=5), "add a node with 5 of them"),
        (devices(0, 0), "add a node with such devices, or change the claim's class or selectors"),
        (devices(4, 4, want=2), "it fits once 2 more of them are free"),
        (Misfit("InsufficientCPU", "cpu", 9000, 0), "ask for less or add a larger node"),
    ],
)
def test_what_is_lacking(misfit: Misfit, change: str) -> None:
    found = lacking([(misfit, 1)])
    assert found is not None
    assert found.sentence == change
    assert not found.is_verified


def test_nothing_is_lacking_where_nodes_are_merely_cordoned() -> None:
    assert lacking([(Misfit("NodeUnschedulable"), 1)]) is None


def test_a_gang_counts_the_devices_of_all_its_members() -> None:
    """Of nine members two have a place in a pool of four: one more device would not help."""
    too_large = lacking([(devices(4, 4), 1)], members=9, placed=2)
    assert too_large is not None
    assert too_large.sentence == (
        "add devices: its 9 members need 9 of them together and there are 4"
    )
    short = lacking([(devices(4, 4), 1)], members=4, placed=1)
    assert short is not None
    assert short.sentence == "it fits once 3 more of them are free"


def test_waiting_has_no_node_count() -> None:
    why = waiting('Pod "a/b"', "ClaimMissing", "its claim is not there")
    assert message(why) == 'Pod "a/b": its claim is not there'
    assert why.word == "ClaimMissing"
