"""Tests of naming and rebuilding nested states."""

from __future__ import annotations

from typing import NamedTuple

from mizzen.train import trees


class Moments(NamedTuple):
    first: object
    second: object


STATE = {"params": {"w": 1, "b": [2, 3]}, "moments": Moments(4, (5,)), "nothing": None, 7: 6}


def test_leaves_are_named_by_their_path() -> None:
    assert trees.flatten(STATE) == {
        "7": 6,
        "moments/0": 4,
        "moments/1/0": 5,
        "params/b/0": 2,
        "params/b/1": 3,
        "params/w": 1,
    }


def test_order_depends_on_the_structure_alone() -> None:
    turned = dict(reversed(list(STATE.items())))
    assert list(trees.flatten(turned)) == list(trees.flatten(STATE))


def test_rebuilding_keeps_every_container() -> None:
    doubled = {name: 2 * leaf for name, leaf in trees.flatten(STATE).items()}
    assert trees.unflatten(STATE, doubled) == {
        "params": {"w": 2, "b": [4, 6]},
        "moments": Moments(8, (10,)),
        "nothing": None,
        7: 12,
    }
    assert trees.unflatten(3, {"": 4}) == 4
