import json
import socket
from pathlib import Path

import pytest

from mizzen.compose import settings
from mizzen.compose.settings import Settings, StartOptions
from mizzen.host.home import Home
from mizzen.host.ports import PortTaken


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    home = Home.locate(str(tmp_path), {})
    home.make()
    assert settings.load(home) == Settings()
    changed = Settings(port=7001, simulated_devices=3)
    settings.save(home, changed)
    assert settings.load(home) == changed
    home.settings.write_text("{")
    with pytest.raises(settings.BadSettings, match="delete the file"):
        settings.load(home)


def test_a_remembered_port_in_use_gives_way_and_an_explicit_one_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = int(server.getsockname()[1])
        settled = settings.settle(Settings(port=taken), StartOptions(simulated_devices=2))
        assert settled.port != taken
        assert settled.simulated_devices == 2
        with pytest.raises(PortTaken):
            settings.settle(Settings(), StartOptions(port=taken))


def test_one_port_cannot_serve_both() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = int(server.getsockname()[1])
    with pytest.raises(PortTaken, match="both"):
        settings.settle(Settings(), StartOptions(port=free, gateway_port=free))
    for options in (StartOptions(port=free), StartOptions(gateway_port=free), StartOptions()):
        settled = settings.settle(Settings(port=free, gateway_port=free), options)
        assert free in (settled.port, settled.gateway_port)
        assert settled.port != settled.gateway_port


def test_the_port_for_certificates_gives_way_to_the_others(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = int(server.getsockname()[1])
    settled = settings.settle(Settings(certificate_port=free), StartOptions(port=free))
    assert settled.port == free
    assert settled.certificate_port not in (settled.port, settled.gateway_port)
    settings.save(home, settled)
    kept = json.loads(home.settings.read_bytes())
    del kept["certificate_port"]  # as an earlier version has written them
    home.settings.write_text(json.dumps(kept))
    assert settings.load(home).certificate_port == Settings().certificate_port


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.locate(str(tmp_path), {})
    home.make()
    return home


def test_settings_are_remembered_only_once_they_have_worked(home: Home) -> None:
    settings.save(home, Settings(port=7001))
    settings.try_out(home, Settings(port=7002))
    assert settings.load(home).port == 7001
    assert settings.current(home).port == 7002
    settings.remember(home)
    assert settings.load(home).port == 7002


_FORM = '{"listen": %s, "port": %s, "gateway_port": 7, "simulated_devices": %s}'
_NO_SETTINGS = {
    "empty": b"",
    "a list": b"[]",
    "not UTF-8": b"\xff\xfe",
    "nothing in it": b"{}",
    "too deep": b"[" * 100_000,
} | {
    str(values): (_FORM % values).encode()
    for values in (
        ('"localhost"', 7443, 0),
        ('"127.0.0.1"', 0, 0),
        ('"127.0.0.1"', 65536, 0),
        ('"127.0.0.1"', "true", 0),
        ('"127.0.0.1"', '"7443"', 0),
        ('"127.0.0.1"', 7443, -1),
        ('"127.0.0.1"', 7443, "1e999"),
        (2130706433, 7443, 0),
    )
}


@pytest.mark.parametrize("content", _NO_SETTINGS.values(), ids=_NO_SETTINGS)
def test_damaged_settings_are_one_clear_sentence(home: Home, content: bytes) -> None:
    home.settings.write_bytes(content)
    with pytest.raises(
        settings.BadSettings, match=r"instance\.json cannot be read: .*; delete the"
    ):
        settings.load(home)


@pytest.mark.parametrize(
    "listen", ["localhost", "", "example.com", "127.0.0.1:80", "1.2.3", "\x1b"]
)
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(settings.BadSettings, match="not an IP address to listen on: choose"):
        settings.settle(Settings(), StartOptions(listen=listen))


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(settings.BadSettings, match=r"cannot listen on 192\.0\.2\.1, port \d+: .*;"):
        settings.settle(Settings(), StartOptions(listen="192.0.2.1"))


def test_an_emulated_version_is_remembered_until_the_own_is_asked_for() -> None:
    emulating = settings.settle(Settings(), StartOptions(emulate_version="0.1"))
    assert emulating.emulate_version == "0.1" and emulating.version.store_format == 2
    assert settings.settle(emulating, StartOptions()).emulate_version == "0.1"
    assert settings.settle(emulating, StartOptions(emulate_version="0.2")).emulate_version == ""
    with pytest.raises(settings.BadSettings, match=r"--emulate-version: version '9\.9' cannot be"):
        settings.settle(Settings(), StartOptions(emulate_version="9.9"))


def test_a_node_keeps_its_name_from_one_start_to_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often one of its processes starts anew meanwhile."""
    monkeypatch.setattr(socket, "gethostname", lambda: "First")
    settings.try_out(home, settings.settle(Settings(), StartOptions()))
    monkeypatch.setattr(socket, "gethostname", lambda: "second")
    assert settings.current(home).node_name == "first"
    settings.remember(home)
    assert settings.settle(settings.load(home), StartOptions()).node_name == "second"
