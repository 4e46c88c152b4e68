"""The settings of an instance kept between starts: addresses, ports, simulated devices."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from mizzen.base.versions import EffectiveVersion, NotEmulated, effective
from mizzen.host import records, service_ranges
from mizzen.host.files import write_atomically
from mizzen.host.home import Home
from mizzen.host.ports import API_PORT, CERTIFICATE_PORT, GATEWAY_PORT, PortTaken, choose

SIMULATED_DEVICES_MAX = 100_000


def _own_node_name() -> str:
    return socket.gethostname().lower()


@dataclass(frozen=True, slots=True)
class Settings:
    """`node_name` is what this machine is called as a node: read once at each start, so that the
    agent and the API server, which knows its own agent by it, mean the same until the next."""

    listen: str = "127.0.0.1"
    port: int = API_PORT
    gateway_port: int = GATEWAY_PORT
    certificate_port: int = CERTIFICATE_PORT  # the API's, for clients that show a certificate
    simulated_devices: int = 0
    service_cluster_ip_range: str = ""  # "" until the first start has chosen one
    node_port_address: str = "127.0.0.1"  # where node ports are listened on
    emulate_version: str = ""  # "": the binary's own
    node_name: str = field(default_factory=_own_node_name)

    @property
    def version(self) -> EffectiveVersion:
        """Errors: NotEmulated after an update to a binary that cannot."""
        return effective(self.emulate_version)


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The settings that this `mizzen up` asks for; None keeps the stored value."""

    listen: str | None = None
    port: int | None = None
    gateway_port: int | None = None
    simulated_devices: int | None = None
    service_cluster_ip_range: str | None = None
    node_port_address: str | None = None
    emulate_version: str | None = None


class BadSettings(Exception):
    """A setting that was asked for, or is stored, is invalid; the message says what to do."""


_ADVICE = "delete the file to use the defaults"


def load(home: Home) -> Settings:
    """The remembered settings, or the defaults before the first start. Errors: BadSettings."""
    try:
        return _parse(home.settings)
    except FileNotFoundError:
        return Settings()


def current(home: Home) -> Settings:
    """The settings of the current start, or of the last that succeeded. Errors: BadSettings."""
    try:
        return _parse(_trial(home))
    except FileNotFoundError:
        return load(home)


def save(home: Home, settings: Settings) -> None:
    write_atomically(home.settings, _encode(settings))


def try_out(home: Home, settings: Settings) -> None:
    """For the processes of this start alone, until it has worked and they are remembered."""
    write_atomically(_trial(home), _encode(settings))


def remember(home: Home) -> None:
    """Stores the settings of a start that succeeded. Errors: BadSettings, OSError."""
    settings = current(home)
    if not home.settings.exists() or settings != load(home):
        save(home, settings)


def _trial(home: Home) -> Path:
    return home.run / "settings.json"


def _encode(settings: Settings) -> bytes:
    return (json.dumps(asdict(settings), indent=2) + "\n").encode()


def _parse(path: Path) -> Settings:
    try:
        known = records.read(path, _ADVICE)
        if not isinstance(known, dict):
            raise ValueError("it is no object")
        fields = cast("dict[str, Any]", known)
        return Settings(
            listen=_address(fields["listen"]),
            port=_whole(fields, "port", 1, 65535),
            gateway_port=_whole(fields, "gateway_port", 1, 65535),
            certificate_port=_whole(
                {"certificate_port": CERTIFICATE_PORT, **fields}, "certificate_port", 1, 65535
            ),
            simulated_devices=_whole(fields, "simulated_devices", 0, SIMULATED_DEVICES_MAX),
            service_cluster_ip_range=_range(fields.get("service_cluster_ip_range") or ""),
            node_port_address=_address(fields.get("node_port_address") or "127.0.0.1"),
            emulate_version=str(fields.get("emulate_version") or ""),
            node_name=str(fields.get("node_name") or _own_node_name()),
        )
    except records.Damaged as error:
        raise BadSettings(str(error)) from error
    except KeyError as error:
        raise BadSettings(str(records.damaged(path, f"{error} is missing", _ADVICE))) from error
    except ValueError as error:
        raise BadSettings(str(records.damaged(path, str(error), _ADVICE))) from error


def _whole(fields: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = fields[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is {value!r}, not a number from {least} to {most}")
    return value


def _address(value: Any) -> str:
    """Errors: ValueError for what is no IP address: a name may mean several, or none tomorrow."""
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError(
            f"{value!r} is not an IP address to listen on: choose 127.0.0.1 (this machine alone), "
            "one of this machine's, or 0.0.0.0 (all of them)"
        ) from None


def _range(text: str) -> str:
    """Errors: ValueError."""
    try:
        return str(service_ranges.parse(text)) if text else ""
    except service_ranges.RangeTaken as error:
        raise ValueError(str(error)) from error


def settle(remembered: Settings, options: StartOptions, seed: int = 0) -> Settings:
    """The settings for this start, with ports and a range of cluster IPs that are free now.

    `seed` says at which range to begin. Errors: PortTaken when a port was asked for by number and
    is in use; BadSettings.
    """
    listen = _chosen("--listen", options.listen, remembered.listen)
    node_ports = _chosen(
        "--node-port-address", options.node_port_address, remembered.node_port_address
    )
    simulated = options.simulated_devices
    gateway = options.gateway_port or remembered.gateway_port
    port = _free(listen, options.port, remembered.port, gateway)
    gateway = _free(listen, options.gateway_port, remembered.gateway_port, port)
    certificate = _free(listen, None, remembered.certificate_port, port, gateway)
    if gateway == port:
        raise PortTaken(f"port {port} cannot serve both the API and the gateway; choose another")
    try:
        services = service_ranges.choose(
            remembered.service_cluster_ip_range, options.service_cluster_ip_range, seed
        )
    except service_ranges.RangeTaken as error:
        raise BadSettings(f"--service-cluster-ip-range: {error}") from error
    return replace(
        remembered,
        listen=listen,
        port=port,
        gateway_port=gateway,
        certificate_port=certificate,
        simulated_devices=remembered.simulated_devices if simulated is None else simulated,
        service_cluster_ip_range=services,
        node_port_address=node_ports,
        emulate_version=_emulated(remembered.emulate_version, options.emulate_version),
        node_name=_own_node_name(),
    )


def _chosen(option: str, wished: str | None, remembered: str) -> str:
    """Errors: BadSettings."""
    try:
        return remembered if wished is None else _address(wished)
    except ValueError as error:
        raise BadSettings(f"{option}: {error}") from error


def _emulated(remembered: str, wished: str | None) -> str:
    """The binary's own version ends emulation. Errors: BadSettings."""
    version = remembered if wished is None else wished
    try:
        effective_version = effective(version)
    except NotEmulated as error:
        raise BadSettings(f"--emulate-version: {error}") from error
    return version if effective_version.is_emulated else ""


def _free(listen: str, wished: int | None, remembered: int, *others: int) -> int:
    try:
        return choose(listen, wished or remembered, explicit=wished is not None, others=others)
    except OSError as error:
        raise BadSettings(
            f"cannot listen on {listen}, port {wished or remembered}: {error.strerror}; choose "
            "another with --listen ADDRESS or --port, --gateway-port"
        ) from error
