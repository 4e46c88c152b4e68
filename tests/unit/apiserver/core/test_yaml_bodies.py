"""Configurations in YAML are bounded, and loaded for those alone who send them."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core import yaml_bodies
from mizzen.base.errors import BadRequest, TooLarge


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadRequest, match="more than"):
        yaml_bodies.parse("\n".join(lines).encode())


def test_yaml_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_bodies, "YAML_BYTES_MAX", 10)
    with pytest.raises(TooLarge, match="send it as JSON"):
        yaml_bodies.parse(b"data: {a: b, c: d}")
