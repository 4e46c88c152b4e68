import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mizzen.host import ports
from support.ports import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_a_free_port_is_taken_as_it_is(taken: int) -> None:
    other = ports.choose("127.0.0.1", taken, explicit=False)
    assert other != taken
    assert ports.choose("127.0.0.1", other, explicit=True) == other


def test_an_explicit_port_in_use_names_who_holds_it(taken: int) -> None:
    with pytest.raises(ports.PortTaken, match=rf"port {taken} .* in use by .*pid \d+"):
        ports.choose("127.0.0.1", taken, explicit=True)


@pytest.fixture
def others() -> Iterator[int]:
    """A port that another process has chosen and does not listen on."""
    program = (
        "from mizzen.host import ports\n"
        f"print(ports.choose('127.0.0.1', {free_port()}, explicit=True), flush=True)\n"
        "input()"
    )
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        yield int(other.stdout.readline())


def test_what_another_instance_has_chosen_is_taken_before_it_listens(others: int) -> None:
    assert ports.choose("127.0.0.1", others, explicit=False) != others
    with pytest.raises(ports.PortTaken, match=f"port {others} .* by another instance of Mizzen"):
        ports.choose("127.0.0.1", others, explicit=True)


def test_what_this_process_has_plans_for_is_not_chosen() -> None:
    """The kernel may give the same free port twice: nobody listens at the first one yet."""
    planned = free_port()
    assert ports.choose("127.0.0.1", planned, explicit=False, others=(planned,)) != planned
    with pytest.raises(OSError, match="no port is free"):
        ports.choose("127.0.0.1", planned, explicit=False, others=range(1 << 16))


def test_a_wrong_address_is_an_error_of_its_own() -> None:
    with pytest.raises(OSError):
        ports.choose("192.0.2.1", 7443, explicit=False)
