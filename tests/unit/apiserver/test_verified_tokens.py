"""Tokens are verified once, as long as they are among the newest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mizzen.apiserver import verified_tokens
from mizzen.apiserver.http import Request
from mizzen.apiserver.verified_tokens import VerifiedTokens
from mizzen.base.errors import Unauthorized
from mizzen.host.token_signer import TokenSigner, ensure_key

Obj = dict[str, Any]


def bearing(token: str) -> Request:
    return Request("GET", "/", {}, {"authorization": f"Bearer {token}"}, b"")


def signed(tmp_path: Path, name: str = "key") -> TokenSigner:
    ensure_key(tmp_path / name)
    return TokenSigner(tmp_path / name)


def test_a_token_is_verified_once_and_the_oldest_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified_tokens, "CACHED_MAX", 2)
    signer, seen = signed(tmp_path), list[str]()

    def read(claims: Obj) -> str:
        seen.append(claims["sub"])
        return claims["sub"]

    known = VerifiedTokens(signer, "me", read)
    tokens = {sub: signer.sign({"iss": "me", "sub": sub}) for sub in "abc"}
    for sub in "aabaca":
        assert known.of(bearing(tokens[sub])) == (tokens[sub], sub)
    assert seen == ["a", "b", "c", "a"]


def test_another_issuers_is_left_to_others_and_what_was_not_signed_here_counts_for_nothing(
    tmp_path: Path,
) -> None:
    def read(claims: Obj) -> str:
        if "sub" not in claims:
            raise ValueError("sub claim is missing")
        return claims["sub"]

    mine, other = signed(tmp_path), signed(tmp_path, "other")
    known = VerifiedTokens(mine, "me", read)
    for token in ("opaque", "no.web.token", mine.sign({"iss": "you", "sub": "a"})):
        assert known.of(bearing(token)) is None
    with pytest.raises(Unauthorized):
        known.of(bearing(other.sign({"iss": "me", "sub": "a"})))
    with pytest.raises(Unauthorized, match="sub claim is missing"):
        known.of(bearing(mine.sign({"iss": "me"})))
