import socket
from pathlib import Path

import pytest

from mizzen.compose import settings
from mizzen.compose.settings import Settings, Wishes
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
        settled = settings.settle(Settings(port=taken), Wishes(simulated_devices=2))
        assert settled.port != taken
        assert settled.simulated_devices == 2
        with pytest.raises(PortTaken):
            settings.settle(Settings(), Wishes(port=taken))


def test_one_port_cannot_serve_both() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = int(server.getsockname()[1])
    with pytest.raises(PortTaken, match="both"):
        settings.settle(Settings(), Wishes(port=free, gateway_port=free))
