"""Carrying out HTTP and TCP probes. Exec probes are commands, so runtimes run them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable

from mizzen.base.objects import Obj
from mizzen.host.listeners import holds, stranger_at

HEADER_BYTES_MAX = 64 * 1024


class Stranger(Exception):
    """Another user of the machine answers at the pod's address."""


async def check(
    spec: Obj,
    container: Obj,
    ip: str,
    timeout_s: float,
    unix: str = "",
    pids: Callable[[], Iterable[int]] = list,
) -> tuple[bool, str]:
    """Carries out an httpGet or tcpSocket probe: (success, message of the failure).

    `unix` is the socket that answers an httpGet in place of the port, if any does. `pids` are the
    pod's processes: what listens at its address as another user than ours must be one of them.

    Source: core/v1 Probe: HTTP status 200 to 399 is success.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if spec.get("httpGet"):
                return await _http(spec["httpGet"], container, ip, unix, pids)
            if spec.get("tcpSocket"):
                action = spec["tcpSocket"]
                port = _port(action["port"], container)
                _, writer = await asyncio.open_connection(action.get("host") or ip, port)
                writer.close()
                if not action.get("host"):
                    _refuse_stranger(ip, port, pids)
                return True, ""
    except TimeoutError:
        return False, f"no answer within {timeout_s:g} s"
    except Stranger as error:
        return False, str(error)
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return False, str(error) or type(error).__name__
    return False, f"a probe of type {sorted(spec)} is not supported; use httpGet, tcpSocket or exec"


async def call(
    action: Obj, container: Obj, ip: str, timeout_s: float, pids: Callable[[], Iterable[int]]
) -> tuple[bool, str]:
    """Carries out the httpGet of a hook, of which any answer is a success: (success, message).

    Source: pkg/kubelet/lifecycle/handlers.go.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await _status(action, container, ip, "", pids)
    except TimeoutError:
        return False, f"no answer within {timeout_s:g} s"
    except Stranger as error:
        return False, str(error)
    except (OSError, ValueError, OverflowError, asyncio.LimitOverrunError) as error:
        return False, str(error) or type(error).__name__
    return True, ""


async def _http(
    action: Obj, container: Obj, ip: str, unix: str, pids: Callable[[], Iterable[int]]
) -> tuple[bool, str]:
    code = await _status(action, container, ip, unix, pids)
    return 200 <= code < 400, f"HTTP probe failed with status code: {code}"


async def _status(
    action: Obj, container: Obj, ip: str, unix: str, pids: Callable[[], Iterable[int]]
) -> int:
    """The status code of the answer, 0 for what is no HTTP."""
    host = action.get("host") or ip
    port = _port(action["port"], container)
    secure: ssl.SSLContext | None = None
    if str(action.get("scheme") or "HTTP").upper() == "HTTPS":
        secure = ssl.create_default_context()
        secure.check_hostname = False
        secure.verify_mode = ssl.CERT_NONE  # as the kubelet: probes do not verify
    if unix:
        reader, writer = await asyncio.open_unix_connection(unix, limit=HEADER_BYTES_MAX)
    else:
        reader, writer = await asyncio.open_connection(
            host, port, ssl=secure, limit=HEADER_BYTES_MAX
        )
    try:
        if not unix and not action.get("host"):
            _refuse_stranger(ip, port, pids)
        headers = {"Host": f"{host}:{port}", "User-Agent": "mizzen-probe", "Connection": "close"}
        headers |= {h["name"]: h["value"] for h in action.get("httpHeaders") or ()}
        lines = [
            f"GET {action.get('path') or '/'} HTTP/1.1",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()
        status_line = (await reader.readline()).decode("latin-1").split(" ", 2)
        return int(status_line[1]) if len(status_line) > 1 else 0
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _refuse_stranger(ip: str, port: int, pids: Callable[[], Iterable[int]]) -> None:
    why = stranger_at(ip, port, lambda inode: any(holds(pid, inode) for pid in pids()))
    if why:
        raise Stranger(why)


def _port(port: int | str, container: Obj) -> int:
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise ValueError(f"the container has no port named {port!r}")
