"""Configurations in YAML are bounded, and loaded for those alone who send them."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core import yaml_bodies
from mizzen.base.errors import BadRequest, TooLarge


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadRequest, match="excessive aliasing"):
        yaml_bodies.parse("\n".join(lines).encode())


def test_yaml_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_bodies, "YAML_BYTES_MAX", 10)
    with pytest.raises(TooLarge, match="send it as JSON"):
        yaml_bodies.parse(b"data: {a: b, c: d}")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "yaml: line 1: did not find expected node content"),
        (b'{"a":"\\ud800"}', "yaml: found invalid Unicode character escape code"),
        (b"a:\n  - b\n c: d\n", "yaml: line 2: did not find expected key"),
        (b"a: *x", "yaml: unknown anchor 'x' referenced"),
        (b"\x01", "yaml: control characters are not allowed"),
        (b"a: .nan", "json: unsupported value: NaN"),
        (b"a: !!int x", "yaml: cannot decode !!str `x` as a !!int"),
    ],
)
def test_what_is_no_yaml_is_told_in_the_words_of_gos_parser(body: bytes, problem: str) -> None:
    with pytest.raises(yaml_bodies.NoYaml) as caught:
        yaml_bodies.parse(body)
    assert caught.value.problem == problem


def test_merged_keys_lose_to_those_behind_them() -> None:
    body = b"a: &x {b: 1, c: 1}\nd:\n  c: 0\n  <<: *x\n  b: 2\n"
    assert yaml_bodies.parse(body)[0]["d"] == {"b": 2, "c": 1}
