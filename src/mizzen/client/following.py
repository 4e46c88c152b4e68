"""A log that is followed over every restart of the API server: each line once.

The server ends a followed log in order only when no more will be written; where it breaks off, the
follower asks again for the last line that it has by that line's time, and for what comes after.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from mizzen.base.errors import Unavailable
from mizzen.base.objects import Obj, name_of, namespace_of, uid_of
from mizzen.base.resources import PODS
from mizzen.client.client import Client

_TIME = re.compile(rb"([0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z) ", re.ASCII)


async def followed(
    client: Client, pod: Obj, *, container: str = "", tail: int | None = None
) -> AsyncGenerator[bytes, None]:
    """Lines as `Client.logs` yields them, until the pod's container will not run again.

    Errors: ApiError; Unavailable once nobody can be waited for any more, or at once where the
    client has no `Patience`.
    """
    name, namespace, last = name_of(pod), namespace_of(pod), b""
    waiting = client.waits()
    while True:
        known = last
        try:
            if uid_of(await client.get(PODS, name, namespace)) != uid_of(pod):
                return  # another pod has its name by now
            lines = client.logs(
                name,
                namespace,
                container=container,
                follow=True,
                tail=None if known else tail,
                timestamps=True,
                resume_at=known.decode(),
            )
            async for line in lines:
                waiting = client.waits()
                match = _TIME.match(line)
                last = match[1] if match is not None else last
                if match is not None and match[1] == known:
                    known = b""  # the one that is here already
                else:
                    yield line[match.end() :] if match is not None else line
            return
        except Unavailable:
            if not await anext(waiting, False):
                raise
