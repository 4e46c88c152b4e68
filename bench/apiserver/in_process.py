"""CPU of one request in the API server's Python, without HTTP, TLS and the disk.

    python bench/apiserver/in_process.py [--requests 256] [--rounds 12]

The bridge to the HTTP server is called as that calls it, 64 requests at once, with an admin's token;
the store forgets. The figure is the least of the rounds, in microseconds of this process's CPU: other
programs on the machine make it larger, never smaller. Pods of one template come beside pods of which
no two specs are alike, since what follows from a spec is remembered.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parent.parent / "tests")]

import uvloop  # noqa: E402
from measuring import Figure, main  # noqa: E402

from mizzen.apiserver.asgi import Bridge  # noqa: E402
from mizzen.apiserver.connections import Connections  # noqa: E402
from mizzen.compose.shell import GC_THRESHOLDS  # noqa: E402
from mizzen.store.memory import MemoryStore  # noqa: E402
from support.api_handlers import an_api  # noqa: E402

AT_ONCE = 64
PODS = "/api/v1/namespaces/default/pods"
_HEAD = [(b"host", b"127.0.0.1"), (b"user-agent", b"bench/1"), (b"accept", b"application/json")]
_POD = (
    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","labels":{"app":"load"}},"spec":'
    '{"containers":[{"name":"main","image":"%s","command":["sleep","3600"],"env":[{"name":"A",'
    '"value":"b"}],"resources":{"requests":{"cpu":"100m","memory":"64Mi"}}}]}}'
)
_APPLIED = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","annotations":{"at":"%d"}}}'


def _requests(round: int) -> dict[str, Callable[[int], tuple[str, str, str, str]]]:
    """The method, path, body and media type of each request of a kind, by its number."""
    made, other = f"made-{round}-%05d", f"other-{round}-%05d"
    one = f"{PODS}/{made}"
    return {
        "create a Pod": lambda n: ("POST", PODS, _POD % (made % n, "app:1"), "application/json"),
        "create a Pod, no two specs alike": lambda n: (
            "POST", PODS, _POD % (other % n, f"app:{round}-{n}"), "application/json",
        ),
        "get a Pod": lambda n: ("GET", one % n, "", ""),
        "merge patch": lambda n: (
            "PATCH", one % n, f'{{"metadata":{{"annotations":{{"at":"{n}"}}}}}}',
            "application/merge-patch+json",
        ),
        "strategic patch": lambda n: (
            "PATCH", one % n, f'{{"metadata":{{"labels":{{"at":"{n}"}}}}}}',
            "application/strategic-merge-patch+json",
        ),
        "apply": lambda n: (
            "PATCH", one % n + "?fieldManager=bench&force=true", _APPLIED % (made % n, n),
            "application/apply-patch+yaml",
        ),
        "patch its status": lambda n: (
            "PATCH", one % n + "/status", '{"status":{"phase":"Running"}}',
            "application/merge-patch+json",
        ),
    }  # fmt: skip


async def _ask(bridge: Bridge, worker: int, method: str, path: str, body: str, media: str) -> None:
    path, _, query = path.partition("?")
    data = body.encode()
    headers = [*_HEAD, (b"authorization", b"Bearer test")]
    if data:
        size = str(len(data)).encode()
        headers += [(b"content-type", media.encode()), (b"content-length", size)]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "headers": headers, "client": ("127.0.0.1", 1000 + worker),
    }  # fmt: skip
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    await bridge(scope, receive, send)
    assert answered[0]["status"] < 300, answered[-1]["body"]


async def _rounds(count: int, rounds: int) -> dict[str, float]:
    api = await an_api(MemoryStore())
    bridge = Bridge(api.server, Connections(1))
    gc.collect()
    gc.freeze()
    least: dict[str, float] = {}
    for round in range(rounds):
        for name, request in _requests(round).items():
            numbers = iter(range(count))

            async def work(worker: int, numbers: Iterator[int], request: Any) -> None:
                for number in numbers:
                    await _ask(bridge, worker, *request(number))

            began = time.process_time()
            await asyncio.gather(*(work(each, numbers, request) for each in range(AT_ONCE)))
            us = 1e6 * (time.process_time() - began) / count
            least[name] = min(us, least.get(name, us))
    return least


def measure(arguments: Namespace) -> Iterator[Figure]:
    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        least = runner.run(_rounds(arguments.requests, arguments.rounds))
    yield from map(partial(Figure, unit="us"), least, least.values())


if __name__ == "__main__":
    sys.exit(
        main(
            __doc__ or "",
            measure,
            [
                ("requests", 256, "of a kind in each round"),
                ("rounds", 12, "of which the least counts"),
            ],
        )
    )
