"""ModelEndpoint and UsageRecord."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds

ENDPOINT = builtin_kinds()[("mizzen.dev", "modelendpoints")]
RECORD = builtin_kinds()[("mizzen.dev", "usagerecords")]


def _endpoint(name: str = "tiny", path: str = "/m.gguf", **spec: Any) -> dict[str, Any]:
    body = {
        "apiVersion": "mizzen.dev/v1alpha1", "kind": "ModelEndpoint", "metadata": {"name": name},
        "spec": {"model": {"path": path}, **spec},
    }  # fmt: skip
    decoded = ENDPOINT.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    ENDPOINT.default(decoded.object)
    return decoded.object


def test_defaults() -> None:
    spec = _endpoint()["spec"]
    assert spec["model"]["name"] == "tiny" and spec["replicas"] == {"min": 1, "max": 1}
    assert spec["scaling"] == {
        "targetConcurrency": 8,
        "scaleDownDelaySeconds": 30,
        "scaleToZeroDelaySeconds": 300,
    }
    assert spec["queue"] == {"maxLength": 256, "timeoutSeconds": 60}
    assert spec["resources"] == {"deviceClassName": "cpu-core.mizzen.dev", "count": 1}
    assert spec["priorityClassName"] == "mizzen-inference" and spec["engine"] == {
        "maxBatchSize": 16
    }
    assert _endpoint(replicas={"min": 3})["spec"]["replicas"] == {"min": 3, "max": 3}


@pytest.mark.parametrize(
    ("arguments", "causes"),
    [
        ({}, []),
        ({"path": "m.gguf"}, ["spec.model.path"]),
        ({"path": "/" + "x" * 4095}, ["spec.model.path"]),
        ({"path": "/m\0"}, ["spec.model.path"]),
        ({"replicas": {"min": 2, "max": 1}}, ["spec.replicas.max"]),
        ({"replicas": {"min": 0, "max": 2}}, []),
        ({"name": "x" * 51}, ["metadata.name"]),
        ({"resources": {"deviceClassName": "Bad"}}, ["spec.resources.deviceClassName"]),
    ],
)
def test_checks(arguments: dict[str, Any], causes: list[str]) -> None:
    assert [c.field for c in ENDPOINT.check(_endpoint(**arguments), None)] == causes


@pytest.mark.parametrize(
    ("name", "is_fine"),
    [
        ("tiny", True), ("Qwen2.5-7B:q4", True), ("default/tiny", False), ("a b", False),
        ("", False), (" tiny", False), ("x" * 254, False), ("t\u00efny", False), ("-a", False),
    ],
)  # fmt: skip
def test_a_models_name_cannot_be_taken_for_another_endpoint(name: str, is_fine: bool) -> None:
    body = {"model": {"path": "/m.gguf", "name": name}}
    endpoint = _endpoint(model=body["model"])
    causes = [c.field for c in ENDPOINT.check(endpoint, None)]
    assert causes == ([] if is_fine else ["spec.model.name"])
    assert ENDPOINT.check(endpoint, endpoint) == []  # what is stored already does not block


def _record(*intervals: tuple[str, int, int], start: int = 0, end: int = 10) -> dict[str, Any]:
    body = {
        "apiVersion": "mizzen.dev/v1alpha1", "kind": "UsageRecord", "metadata": {"name": "r"},
        "spec": {
            "node": "n", "driver": "d", "pool": "n", "device": "core-0", "start": start, "end": end,
            "intervals": [{"line": line, "start": a, "end": b} for line, a, b in intervals],
        },
    }  # fmt: skip
    decoded = RECORD.decode(body)
    assert not decoded.causes, decoded.causes
    return decoded.object


@pytest.mark.parametrize(
    ("intervals", "causes"),
    [
        ([("free", 0, 10)], []),
        ([("free", 0, 4), ("starting", 4, 10)], []),
        ([("free", 0, 4), ("starting", 5, 10)], ["spec.intervals[1].start"]),
        ([("free", 0, 6), ("starting", 5, 10)], ["spec.intervals[1].start"]),
        ([("free", 0, 9)], ["spec.intervals"]),
        ([("free", 1, 10)], ["spec.intervals[0].start"]),
    ],
)
def test_intervals_fill_the_record(
    intervals: list[tuple[str, int, int]], causes: list[str]
) -> None:
    assert [c.field for c in RECORD.check(_record(*intervals), None)] == causes


def test_records_never_change() -> None:
    assert [
        c.field for c in RECORD.check(_record(("running", 0, 10)), _record(("free", 0, 10)))
    ] == ["spec"]
