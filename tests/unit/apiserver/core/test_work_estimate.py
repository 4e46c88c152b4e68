"""What requests are reckoned to take: as upstream's estimators do for the same sizes and watches."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.work_estimate import EVENT_S, ONE, Work, is_told, of_list, of_write


def seats(
    objects: int, each: int, verb: str = "list", *, single: bool = False, most: int = 100, **params: str
) -> int:  # fmt: skip
    made = of_list(objects, objects * each, verb, params, is_single=single, seats_max=most)
    assert made.final_seats == 0
    return made.seats


@pytest.mark.parametrize(
    ("objects", "each", "params", "expected"),
    [
        (0, 0, {}, 1),
        (1, 100, {}, 1),
        (99, 1000, {}, 1),
        (101, 1000, {}, 2),
        (799, 1000, {}, 8),
        (100_000, 1000, {}, 10),
        (100_000, 1000, {"limit": "500"}, 5),
        (400, 1000, {"limit": "500"}, 4),
        (400, 1000, {"limit": "0"}, 4),
        (400, 1000, {"limit": "many"}, 4),
        (400, 1000, {"limit": "9" * 4000}, 4),
        (800, 1000, {"limit": "1", "labelSelector": "a=b"}, 4),
        (800, 1000, {"fieldSelector": "a=b"}, 8),
    ],
)
def test_a_list_takes_a_seat_for_each_hundred_thousand_bytes(
    objects: int, each: int, params: dict[str, str], expected: int
) -> None:
    assert seats(objects, each, **params) == expected


def test_a_level_and_a_name_bound_it() -> None:
    assert seats(800, 1000, most=3) == 3
    assert seats(800, 1000, single=True, fieldSelector="metadata.name=x") == 1


def test_a_watch_takes_what_the_list_takes_that_it_begins_with() -> None:
    assert seats(800, 1000, "watch") == seats(800, 1000, "watch", resourceVersion="0") == 8
    assert seats(800, 1000, "watch", resourceVersion="12") == 1
    assert seats(800, 1000, "watch", resourceVersion="12", sendInitialEvents="true") == 8


def test_a_write_takes_seats_for_its_watches_when_it_is_over() -> None:
    assert of_write(0, seats_max=10) == of_write(9, seats_max=10) == ONE
    assert of_write(35, seats_max=10) == Work(1, 4, EVENT_S)
    wide = of_write(1000, seats_max=100)
    assert wide == Work(1, 10, 10 * EVENT_S) and wide.width == 10
    narrow = of_write(1000, seats_max=4)
    assert narrow.final_seats * narrow.final_s == pytest.approx(wide.final_seats * wide.final_s)


def test_whose_watches_hear_of_it() -> None:
    assert is_told("patch", "pods", "status") and is_told("create", "serviceaccounts", "")
    assert not is_told("create", "serviceaccounts", "token")
    assert not is_told("get", "pods", "") and not is_told("deletecollection", "pods", "")
