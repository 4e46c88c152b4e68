from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mizzen.node.addresses import Addresses
from support.stranger import needs_root, stranger_at_work

NETWORK = 41  # below the networks of instances


@pytest.fixture
def two_homes() -> Iterator[tuple[Addresses, Addresses]]:
    """Whose networks are equal, as those of one pair of homes in 191 are."""
    one, two = Addresses(NETWORK), Addresses(NETWORK)
    yield one, two
    one.close()
    two.close()


def test_two_homes_of_one_network_share_no_address(two_homes: tuple[Addresses, Addresses]) -> None:
    one, two = two_homes
    taken = [home.take(f"{name}{i}") for i in range(10) for name, home in (("a", one), ("b", two))]
    assert len(set(taken)) == 20
    assert one.take("a3") == taken[6]
    assert two.statistics()["passed_over"] > 0


def test_what_is_given_back_may_be_had(two_homes: tuple[Addresses, Addresses]) -> None:
    one, two = two_homes
    address = one.take("a")
    assert two.take("b") != address
    one.release("a")
    one.release("a")
    third = Addresses(NETWORK)
    assert third.take("c") == address
    third.close()


def test_the_next_agent_keeps_the_addresses_of_what_runs(
    two_homes: tuple[Addresses, Addresses],
) -> None:
    one, two = two_homes
    address = one.take("a")
    one.close()  # as when its process ends
    again = Addresses(NETWORK)
    again.restore("a", address)
    assert again.take("a") == address
    assert two.take("b") != address
    again.close()


def test_a_pod_whose_record_is_lost_keeps_the_address_of_its_status(
    two_homes: tuple[Addresses, Addresses],
) -> None:
    one, _ = two_homes
    assert one.take("a", f"127.{NETWORK}.0.9") == f"127.{NETWORK}.0.9"
    assert one.take("b", f"127.{NETWORK}.0.9") != f"127.{NETWORK}.0.9"  # one is enough
    assert one.take("a", f"127.{NETWORK}.0.7") == f"127.{NETWORK}.0.9"
    assert one.take("c", "10.0.0.1").startswith(f"127.{NETWORK}.")


def test_an_address_that_somebody_listens_on_is_passed_over(
    two_homes: tuple[Addresses, Addresses],
) -> None:
    one, _ = two_homes
    with socket.create_server((f"127.{NETWORK}.0.2", 0)):
        assert one.take("a") == f"127.{NETWORK}.0.3"


@needs_root
def test_another_user_who_claims_addresses_is_passed_over(
    two_homes: tuple[Addresses, Addresses],
) -> None:
    program = """
import signal, socket
become()
held = [socket.socket(socket.AF_UNIX) for _ in range(8)]
for number, claim in enumerate(held):
    claim.bind(f"\\0mizzen-pod-127.41.0.{number + 2}")
print("held", flush=True)
signal.pause()
"""
    with stranger_at_work(program) as said:
        assert said == "held"
        assert two_homes[0].take("a") == f"127.{NETWORK}.0.10"
