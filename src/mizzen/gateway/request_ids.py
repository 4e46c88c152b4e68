"""The id of a request, under which gateway, engine and pods log it: the client's, or one made."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar

from aiohttp import web

from mizzen.gateway.core.forwarding import REQUEST_HEADER

REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID")  # of the request that this task answers
_VALID = re.compile(r"[A-Za-z0-9_.:-]{1,128}\Z")


def identify(request: web.Request) -> str:
    """The id, which is `REQUEST_ID` from now on."""
    given = request.headers.get(REQUEST_HEADER, "")
    found = given if _VALID.match(given) else uuid.uuid4().hex
    REQUEST_ID.set(found)
    return found
