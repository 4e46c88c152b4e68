"""Tokens that the instance has signed for nodes stand for them, and nothing else does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mizzen.apiserver.core import node_tokens
from mizzen.host.token_signer import TokenSigner, ensure_key
from mizzen.store.memory import MemoryStore
from support.api_handlers import Api

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def signer(tmp_path: Path) -> TokenSigner:
    ensure_key(tmp_path / "key")
    return TokenSigner(tmp_path / "key")


@pytest.fixture
def api(tmp_path: Path, signer: TokenSigner) -> Api:
    return Api(MemoryStore(), service_account_key=tmp_path / "key")


def review(api: Api, token: str) -> dict[str, Any]:
    code, made = asyncio.run(api.call("POST", REVIEWS, {"spec": {"token": token}}))
    assert code == 201, made
    return made["status"]


def now_s(api: Api) -> int:
    return api.server.clock.now_ns() // 10**9


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ("system:node:n1", ["system:nodes", "system:authenticated"]),
        ("system:kube-proxy", ["system:authenticated"]),
    ],
)
def test_a_signed_token_stands_for_its_user(
    api: Api, signer: TokenSigner, user: str, groups: list[str]
) -> None:
    token = node_tokens.PREFIX + signer.sign(node_tokens.make_claims(user, now_s(api)))
    for _ in range(2):  # the second time it is known
        status = review(api, token)
        assert status["authenticated"]
        assert status["user"]["username"] == user
        assert status["user"]["groups"] == groups


@pytest.mark.parametrize("user", ["admin", "system:mizzen:scheduler", "system:node:", "", None])
def test_a_token_is_nobody_elses(api: Api, signer: TokenSigner, user: Any) -> None:
    token = node_tokens.PREFIX + signer.sign(node_tokens.make_claims(user, now_s(api)))
    assert not review(api, token).get("authenticated")


def test_a_token_of_another_key_issuer_or_time_counts_for_nothing(
    api: Api, signer: TokenSigner, tmp_path: Path
) -> None:
    ensure_key(tmp_path / "other")
    claims = node_tokens.make_claims("system:node:n1", now_s(api))
    past = node_tokens.make_claims("system:node:n1", now_s(api) - node_tokens.LIFE_S - 10)
    for token in (
        TokenSigner(tmp_path / "other").sign(claims),
        signer.sign({**claims, "iss": "https://kubernetes.default.svc.cluster.local"}),
        signer.sign(past),
        "x",
    ):
        assert not review(api, node_tokens.PREFIX + token).get("authenticated")
