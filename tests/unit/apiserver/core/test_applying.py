"""Bodies of apply patches: JSON or YAML, bounded, with what they repeat and what nobody declared."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.applying import check, configuration, repeated
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
    assert found == ('line 1: key "a" already set in map',)


@pytest.mark.parametrize(
    "body",
    [b"- a", b"text", b"a: [", b"{", b"? [a]\n: b", b"[" * 5000, b"a: &x [*x]", b"\xff\xff"],
)
def test_what_is_no_configuration_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        configuration(body)


def test_tags_make_no_objects() -> None:
    assert configuration(b"a: !!python/object:os.system {}") == ({"a": {}}, ())
    assert configuration(b"") == configuration(b"null") == ({}, ())


def test_numbers_that_yaml_reads_otherwise_than_json() -> None:
    found, _ = configuration(b'{"a": 1e400, "b": 1.0, "c": 2.5, "d": 99999999999999999999}')
    assert found == {"a": "1e400", "b": 1, "c": 2.5, "d": 1e20}
    assert type(found["b"]) is int


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "error converting YAML to JSON: yaml: line 1: did not find expected node content"),
        (b"a: b: c", "error converting YAML to JSON: yaml: mapping values are not allowed in this context"),
        (b"x: 1\na: b: c", "error converting YAML to JSON: yaml: line 2: mapping values are not allowed in this context"),
        (b"[1]", "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_yaml_is_told_as_by_go(body: bytes, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        configuration(body)
    assert caught.value.message == f"error decoding YAML: {told}"


def _check(config: dict[str, object]) -> None:
    check(KIND.resource, KIND.schema, {"apiVersion": "v1", "kind": "ConfigMap", **config})


def test_fields_that_nobody_declared_are_named() -> None:
    with pytest.raises(Unclassified) as caught:
        _check({"metadata": {"name": "a", "namespace": "n"}, "dta": {}})
    assert caught.value.message == (
        "failed to create typed patch object (n/a; /v1, Kind=ConfigMap): "
        ".dta: field not declared in schema"
    )


def test_what_is_required_need_not_be_applied() -> None:
    _check({"metadata": {"name": "a"}})


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ({"apiVersion": "apps/v1"}, "apps/v1, Kind=ConfigMap"),
        ({"apiVersion": "a/b/c"}, "/, Kind="),
        ({"apiVersion": 5}, "/, Kind=ConfigMap"),
        ({"kind": None}, "/v1, Kind="),
    ],
)
def test_another_type_is_refused_before_its_fields(head: dict[str, object], told: str) -> None:
    with pytest.raises(BadRequest, match=r"^invalid object type: ") as caught:
        _check({**head, "dta": {}})
    assert caught.value.message.endswith(told)


def test_managed_fields_are_refused() -> None:
    with pytest.raises(BadRequest, match="managedFields must be nil"):
        _check({"metadata": {"name": "a", "managedFields": []}})


def test_repeated_fields_are_refused_or_warned_of() -> None:
    assert repeated("Strict", ()) == []
    assert repeated("Warn", ("a", "b")) == ["a", "b"]
    assert repeated("Ignore", ("a",)) == []
    with pytest.raises(BadRequest, match=r"yaml: unmarshal errors:\n  a$"):
        repeated("Strict", ("a",))
