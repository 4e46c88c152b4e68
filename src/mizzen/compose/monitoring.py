"""A role's metrics and health on a socket of the instance's own, where its API server asks."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable

from mizzen.host.home import Home
from mizzen.host.monitor import BACKLOG, Monitor
from mizzen.host.sockets import SocketFolder

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def monitor_of(
    home: Home, role: str, on_ready: Callable[[], None]
) -> AsyncGenerator[tuple[Monitor, Callable[[], None]]]:
    """The role's monitor, and what to call in place of `on_ready`.

    A role whose socket cannot be made (a full disk) works without being seen.
    """
    monitor = Monitor()

    def ready() -> None:
        monitor.is_ready = True
        on_ready()

    try:
        folder = SocketFolder(home.monitors)
        try:
            await monitor.open(folder.listen(role, BACKLOG))
        finally:
            folder.close()
    except OSError as error:
        _log.warning("metrics of this process are not to be had: %s", error)
    try:
        yield monitor, ready
    finally:
        await monitor.close()
