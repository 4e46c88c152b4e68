"""Health of the API server as upstream tells it: `ok`, or check by check.

A process that answers has its store, for nothing is answered before the store is open; so what is
asked is whether it answers. Source: apiserver `server/healthz/healthz.go`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs

PATHS = ("/healthz", "/livez", "/readyz")
CHECKS = ("ping", "etcd")  # the store is what probes know by that name


def told(path: str, query: str) -> str | None:
    """The answer below one of `PATHS`; None: there is no such check."""
    root = next((each for each in PATHS if path.startswith(each)), "")
    below = path.removeprefix(root)
    if below:
        return "ok" if below.removeprefix("/") in CHECKS and below.startswith("/") else None
    params = parse_qs(query, keep_blank_values=True)
    if "verbose" not in params:
        return "ok"
    return _listed(root.removeprefix("/"), params.get("exclude", ()))


def _listed(name: str, excluded: Sequence[str]) -> str:
    lines = [f"[+]{each} {'excluded: ' * (each in excluded)}ok" for each in CHECKS]
    unknown = sorted({*excluded} - {*CHECKS})
    if unknown:
        shown = ",".join(f'"{each}"' for each in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {shown}")
    return "\n".join((*lines, f"{name} check passed\n"))
