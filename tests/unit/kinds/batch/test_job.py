"""Jobs: defaults, selector, checks, columns."""

from __future__ import annotations

import copy
from typing import Any

from mizzen.kinds.registry import builtin_kinds

JOB = builtin_kinds()[("batch", "jobs")]


def _job(policy: str = "Never", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": policy, "containers": [{"name": "a", "image": "x"}]}}
    body = {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "uid": "u"},
        "spec": {"template": template, **spec},
    }  # fmt: skip
    decoded = JOB.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    JOB.prepare_create(decoded.object)
    JOB.default(decoded.object)
    return decoded.object


def test_defaults_and_selector() -> None:
    spec = _job()["spec"]
    assert (spec["parallelism"], spec["completions"], spec["backoffLimit"]) == (1, 1, 6)
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert spec["template"]["metadata"]["labels"]["job-name"] == "j"
    assert "completions" not in _job(parallelism=3)["spec"]
    assert JOB.check(_job(), None) == []


def test_checks() -> None:
    assert [c.field for c in JOB.check(_job("Always"), None)] == [
        "spec.template.spec.restartPolicy"
    ]
    indexed = _job(completionMode="Indexed", parallelism=2)
    assert [c.field for c in JOB.check(indexed, None)] == ["spec.completions"]
    old = _job()
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "y"
    assert [c.field for c in JOB.check(new, old)] == ["spec.template"]


def test_columns() -> None:
    job = _job()
    job["status"] = {"succeeded": 1, "startTime": "1970-01-01T00:00:00Z", "completionTime": "1970-01-01T00:00:30Z",
                     "conditions": [{"type": "Complete", "status": "True"}]}  # fmt: skip
    cells = {c.name: c.cell(job, 90 * 10**9) for c in JOB.columns}
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == ("Complete", "1/1", "30s")
