"""Sequences on which Mizzen and kube-apiserver once differed, against what upstream answered.

`tests/kubernetes/test_differential.py` asks both servers anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from differential.cases import CASES
from differential.compare import differences
from differential.play import play
from differential.servers import InProcess, in_process
from differential.setup import set_up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[InProcess]:
    folder: Path = tmp_path_factory.mktemp("mizzen")
    async with in_process(folder) as server:
        await set_up(server)
        yield server


@pytest.mark.asyncio(loop_scope="module")
async def test_answers_are_upstreams(server: InProcess) -> None:
    found: list[str] = []
    for number, case in enumerate(CASES.values()):
        answers = await play(server, f"case-{number}", case.steps)
        for each in differences(case.steps, answers, case.expected):
            found.append(f"{case.name}, {each.step}\n  {each}")
    assert found == [], "\n".join(found)
