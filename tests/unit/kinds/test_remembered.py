"""Answers that are remembered: exactly those of the function, bounded, never of other values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mizzen.base.objects import Obj
from mizzen.kinds.core.pod import KIND
from mizzen.kinds.decoding import decode
from mizzen.kinds.remembered import (
    BYTES_MAX,
    ENTRIES_MAX,
    MET_MAX,
    VALUE_BYTES_MAX,
    Memory,
    key_of,
    remembered,
)


def test_an_answer_is_kept_for_a_value_that_comes_a_second_time() -> None:
    asked: list[Any] = []

    def compute(value: Any) -> tuple[Any, ...]:
        asked.append(value)
        return (value,)

    answer = remembered(compute)
    answer({"a": [1]})
    assert answer({"a": [1]}) is answer({"a": [1]})
    assert answer({"a": [True]}) == ({"a": [True]},)
    assert answer({"a": [1.0]})[0]["a"][0].__class__ is float
    assert asked == [{"a": [1]}] * 2 + [{"a": [True]}, {"a": [1.0]}]


def test_values_that_come_once_are_not_kept() -> None:
    memory = Memory[int]()
    for number in range(3 * MET_MAX):
        assert not memory.recurs(b"%d" % number)
    assert memory.recurs(b"%d" % (3 * MET_MAX - 1)) and not memory.recurs(b"0")


@pytest.mark.parametrize(
    "value", [{"at": datetime(2026, 1, 1, tzinfo=UTC)}, {1: "a"}, {"n": 1 << 70}]
)
def test_what_is_no_json_as_it_stands_is_never_known_again(value: Any) -> None:
    assert key_of(value) is None


def test_large_values_are_not_kept() -> None:
    assert key_of("x" * VALUE_BYTES_MAX) is None
    assert key_of("x" * (VALUE_BYTES_MAX - 2)) is not None


def test_the_oldest_answers_go_first() -> None:
    memory = Memory[int]()
    for number in range(ENTRIES_MAX + 1):
        memory.keep(b"%d" % number, number)
    assert len(memory) == ENTRIES_MAX
    assert memory.find(b"0") is None and memory.find(b"1") == 1


def test_the_bytes_of_all_are_bounded() -> None:
    memory = Memory[int]()
    for number in range(3 * BYTES_MAX // VALUE_BYTES_MAX):
        memory.keep(b"%d" % number + b"x" * (VALUE_BYTES_MAX - 9), number)
    assert len(memory) <= BYTES_MAX // (VALUE_BYTES_MAX - 9)


def _pod(**spec: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": "b"}], **spec},
    }


def test_a_spec_that_comes_again_is_a_copy_with_the_same_warnings() -> None:
    pod = _pod(hostNetwork=True, securityContext={"runAsUser": 0, "fsGroup": 3}, hostname="again")
    decode(KIND.schema, pod)
    first, second = decode(KIND.schema, pod), decode(KIND.schema, pod)
    assert first == second and first.unserved
    second.object["spec"]["containers"][0]["name"] = "changed"
    assert decode(KIND.schema, pod) == first


def test_a_wrong_spec_is_wrong_again_and_so_is_a_field_that_is_unknown() -> None:
    pod = _pod(hostname="wrong", restartPolicy="Maybe", replicaz=1)
    first, second = decode(KIND.schema, pod), decode(KIND.schema, pod)
    assert [cause.field for cause in second.causes] == ["spec.restartPolicy"]
    assert [field.path for field in second.unknown] == ["spec.replicaz"]
    assert first == second


def test_a_spec_is_settled_by_all_its_bytes() -> None:
    pod = decode(KIND.schema, _pod(hostname="right")).object
    assert not KIND.is_settled(pod)
    KIND.default(pod)
    KIND.settle(pod)
    KIND.settle(pod)
    assert KIND.is_settled(orjson.loads(orjson.dumps(pod)))
    other = orjson.loads(orjson.dumps(pod))
    other["spec"]["hostname"] = "Wrong"
    assert not KIND.is_settled(other)
    assert not KIND.is_settled(decode(KIND.schema, _pod(hostname="right")).object)
