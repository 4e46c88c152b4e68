import socket
from collections.abc import Iterator

import pytest

from mizzen.host import ports


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


def test_a_wrong_address_is_an_error_of_its_own() -> None:
    with pytest.raises(OSError):
        ports.choose("192.0.2.1", 7443, explicit=False)
