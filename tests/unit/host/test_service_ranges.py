"""Each instance has a range of cluster IPs that no other's Services or pods are in."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from mizzen.host import ports, service_ranges
from mizzen.host.service_ranges import RangeTaken, choose

PODS = IPv4Network("127.64.0.0/10")


@pytest.fixture(autouse=True)
def claims(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test claims is free after it."""
    own: dict[str, int] = {}
    monkeypatch.setattr(ports, "_claims", own)
    yield
    for held in own.values():
        os.close(held)


def held_by_another(network: str) -> socket.socket:
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.bind(f"\0mizzen/services/{network}")
    return other


def test_a_first_start_takes_a_free_range_that_no_pod_is_in() -> None:
    first = choose("", None, 12345)
    assert IPv4Network(first).prefixlen == 20
    assert not IPv4Network(first).overlaps(PODS)
    assert not IPv4Network(first).overlaps(IPv4Network("127.0.0.0/16"))
    assert choose(first, None, 12345) == first  # the same process, the same range


def test_two_homes_with_the_same_seed_do_not_meet() -> None:
    with held_by_another("127.9.16.0/20"):
        seed = int(service_ranges.parse("127.9.16.0/20").network_address) - 0x7F010000 >> 12
        chosen = choose("", None, seed)
        assert not IPv4Network(chosen).overlaps(IPv4Network("127.9.16.0/20"))
        assert choose("127.9.16.0/20", None, seed) != "127.9.16.0/20"  # it gives way


def test_a_range_inside_of_anothers_is_not_free() -> None:
    with held_by_another("127.20.0.0/16"), pytest.raises(RangeTaken, match="another instance"):
        choose("", "127.20.5.0/24", 0)


def test_a_range_that_was_wished_for_stays_or_is_refused() -> None:
    assert choose("", "198.18.96.0/20", 0) == "198.18.96.0/20"
    assert choose("198.18.96.0/20", None, 0) == "198.18.96.0/20"
    with held_by_another("198.18.112.0/20"), pytest.raises(RangeTaken):
        choose("198.18.112.0/20", None, 0)


@pytest.mark.parametrize(
    "text", ["127.64.0.0/20", "127.0.0.0/24", "127.0.0.0/8", "10.0.0.0/31", "10.0.0.1/8", "fd00::/64", "x"]
)  # fmt: skip
def test_what_cannot_be_a_range_is_refused(text: str) -> None:
    with pytest.raises(RangeTaken):
        choose("", text, 0)
