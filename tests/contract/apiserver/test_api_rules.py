"""Every rule of `support/api_rules`, asked of Mizzen."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.api_process import ApiServer
from support.api_rules import table
from support.api_rules.registry import rules
from support.api_rules.talk import Talk


@pytest.fixture(scope="session")
def talk(api: ApiServer) -> Talk:
    return Talk(api.url, api.home.pki / "ca.crt", api.tokens["admin"])


@pytest.mark.parametrize("name", rules())
def test_rule(talk: Talk, name: str) -> None:
    rules()[name].ask(talk)


def test_the_page_lists_them_all() -> None:
    page = Path(__file__).parents[3] / "docs" / "api-rules.md"
    assert page.read_text() == table.text(), "write docs/api-rules.md anew: its head says how"
