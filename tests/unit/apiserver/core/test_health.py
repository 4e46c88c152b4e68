"""Health in upstream's words, whole or check by check."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.health import told

_ALL = "[+]ping ok\n[+]etcd ok\n"


@pytest.mark.parametrize(
    ("path", "query", "answer"),
    [
        ("/healthz", "", "ok"),
        ("/livez/ping", "", "ok"),
        ("/readyz/etcd", "verbose", "ok"),
        ("/readyz/", "", None),
        ("/readyz/nothing", "", None),
        ("/readyzping", "", None),
        ("/livez", "verbose", f"{_ALL}livez check passed\n"),
        ("/livez", "exclude=ping", "ok"),
        ("/healthz", "verbose=1&exclude=etcd", "[+]ping ok\n[+]etcd excluded: ok\nhealthz check passed\n"),
        (
            "/readyz", "verbose&exclude=b&exclude=a",
            f'{_ALL}warn: some health checks cannot be excluded: no matches for "a","b"\n'
            "readyz check passed\n",
        ),
    ],
)  # fmt: skip
def test_what_is_asked_of_health(path: str, query: str, answer: str | None) -> None:
    assert told(path, query) == answer
