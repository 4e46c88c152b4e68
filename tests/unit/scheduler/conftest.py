from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from mizzen.base.names import ADMIN, IDENTITY_PREFIX
from mizzen.client.client import Client
from support.api_in_process import api_clients


@dataclass
class Api:
    """`admin` sets the stage; `scheduler` may do only what the scheduler may."""

    admin: Client
    scheduler: Client


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    identities = (ADMIN, f"{IDENTITY_PREFIX}scheduler")
    async with api_clients(tmp_path, *identities) as (admin, scheduler):
        yield Api(admin, scheduler)
