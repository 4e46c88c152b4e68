"""Bodies of apply patches: JSON or YAML, bounded, with what they repeat and what nobody declared."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.applying import check, configuration
from mizzen.base.errors import BadRequest, Unclassified
from mizzen.kinds.core.config_map import KIND


def test_json_and_yaml_are_the_same_configuration() -> None:
    text = b"apiVersion: v1\nmetadata: {name: a}\ndata: {when: 2026-01-02, yes: 'n'}\n"
    same = b'{"apiVersion":"v1","metadata":{"name":"a"},"data":{"when":"2026-01-02","true":"n"}}'
    assert configuration(text) == configuration(same)


def test_repeated_keys_are_told_with_their_line() -> None:
    _, found = configuration(b"\ndata:\n  a: '1'\n  a: '2'\n")
    assert found == ('line 4: key "a" already set in map',)
    _, found = configuration(b'{"data": {"a": "1", "a": "2"}}')
    assert found == ('duplicate field "data.a"',)


@pytest.mark.parametrize(
    "body",
    [b"- a", b"text", b"", b"a: [", b"{", b"a: !!python/object:os.system {}", b"? [a]\n: b",
     b"[" * 5000, b"a: &x [*x]", b"\xff\xfe"],
)  # fmt: skip
def test_what_is_no_configuration_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        configuration(body)


def test_fields_that_nobody_declared_are_named() -> None:
    config = {"metadata": {"name": "a", "namespace": "n"}, "dta": {}}
    with pytest.raises(Unclassified) as caught:
        check(KIND, config, "Ignore", ())
    assert caught.value.message == (
        "failed to create typed patch object (n/a; /v1, Kind=ConfigMap): "
        ".dta: field not declared in schema"
    )


def test_what_is_required_need_not_be_applied() -> None:
    check(KIND, {"metadata": {"name": "a"}}, "Strict", ())
