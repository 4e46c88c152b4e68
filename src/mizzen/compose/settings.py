"""What an instance remembers between starts: addresses, ports, simulated devices."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from mizzen.host.files import write_atomically
from mizzen.host.home import Home
from mizzen.host.ports import API_PORT, GATEWAY_PORT, PortTaken, choose


@dataclass(frozen=True, slots=True)
class Settings:
    listen: str = "127.0.0.1"
    port: int = API_PORT
    gateway_port: int = GATEWAY_PORT
    simulated_devices: int = 0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What this `mizzen up` asks for; None leaves what the instance remembers."""

    listen: str | None = None
    port: int | None = None
    gateway_port: int | None = None
    simulated_devices: int | None = None


class BadSettings(Exception):
    """The remembered settings cannot be read; the message says what to do."""


def load(home: Home) -> Settings:
    """The remembered settings, or the defaults before the first start."""
    try:
        text = home.settings.read_text()
    except FileNotFoundError:
        return Settings()
    try:
        known = json.loads(text)
        return Settings(
            listen=str(known["listen"]),
            port=int(known["port"]),
            gateway_port=int(known["gateway_port"]),
            simulated_devices=int(known["simulated_devices"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadSettings(
            f"settings {home.settings} cannot be read ({error}); delete the file to use defaults"
        ) from error


def save(home: Home, settings: Settings) -> None:
    write_atomically(home.settings, (json.dumps(asdict(settings), indent=2) + "\n").encode())


def settle(remembered: Settings, wishes: Wishes) -> Settings:
    """The settings for this start, with ports that are free now.

    Errors: PortTaken when a port was asked for by number and is in use.
    """
    listen = wishes.listen or remembered.listen
    simulated = wishes.simulated_devices
    port = choose(listen, wishes.port or remembered.port, explicit=wishes.port is not None)
    gateway = choose(
        listen,
        wishes.gateway_port or remembered.gateway_port,
        explicit=wishes.gateway_port is not None,
    )
    if gateway == port:
        raise PortTaken(f"port {port} cannot serve both the API and the gateway; choose another")
    return replace(
        remembered,
        listen=listen,
        port=port,
        gateway_port=gateway,
        simulated_devices=remembered.simulated_devices if simulated is None else simulated,
    )
