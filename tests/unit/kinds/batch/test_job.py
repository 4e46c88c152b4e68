"""Jobs: defaults, selector, checks, columns."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds

JOB = builtin_kinds()[("batch", "jobs")]


def _job(policy: str = "Never", name: str = "j", **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": policy, "containers": [{"name": "a", "image": "x"}]}}
    body = {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "uid": "u"},
        "spec": {"template": template, **spec},
    }  # fmt: skip
    decoded = JOB.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    JOB.prepare_create(decoded.object)
    JOB.default(decoded.object)
    JOB.complete(decoded.object)
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


INDEXED = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}


def _policy(**rule: Any) -> dict[str, Any]:
    return {"podFailurePolicy": {"rules": [{"action": "FailJob", **rule}]}}


def _exits(*values: int, operator: str = "In", **more: Any) -> dict[str, Any]:
    return _policy(onExitCodes={"operator": operator, "values": list(values), **more})


def _success(**rule: Any) -> dict[str, Any]:
    return {**INDEXED, "successPolicy": {"rules": [rule]}}


CONDITION = {"onPodConditions": [{"type": "DisruptionTarget"}]}
PATH = "spec.podFailurePolicy.rules[0]"
RULE = "spec.successPolicy.rules[0]"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex"),
        ({**INDEXED, "backoffLimitPerIndex": 1, "maxFailedIndexes": 3}, ""),
        ({**INDEXED, "maxFailedIndexes": 1}, "spec.backoffLimitPerIndex"),
        ({**INDEXED, "backoffLimitPerIndex": 1, "maxFailedIndexes": 4}, "spec.maxFailedIndexes"),
        ({**INDEXED, "backoffLimitPerIndex": 1, "completions": 10**6}, "spec.maxFailedIndexes"),
        ({**INDEXED, "parallelism": 100_001}, "spec.parallelism"),
        (_exits(1, 42), ""),
        (_exits(0), f"{PATH}.onExitCodes.values[0]"),
        (_exits(0, operator="NotIn"), ""),
        (_exits(2, 1), f"{PATH}.onExitCodes.values"),
        (_exits(1, 1), f"{PATH}.onExitCodes.values[1]"),
        (_exits(1, containerName="b"), f"{PATH}.onExitCodes.containerName"),
        (_policy(**CONDITION), ""),
        (_policy(onPodConditions=[{"type": "a b"}]), f"{PATH}.onPodConditions[0].type"),
        (_policy(), PATH),
        ({"podFailurePolicy": {"rules": [{"action": "FailIndex", **CONDITION}]}}, f"{PATH}.action"),
        ({**_exits(1), "podReplacementPolicy": "TerminatingOrFailed"}, "spec.podReplacementPolicy"),
        ({**_success(succeededCount=1), "completionMode": "NonIndexed"}, "spec.successPolicy"),
        (_success(succeededCount=3), ""),
        (_success(succeededCount=4), f"{RULE}.succeededCount"),
        (_success(succeededIndexes="0-2", succeededCount=3), ""),
        (_success(succeededIndexes="0-1", succeededCount=3), f"{RULE}.succeededCount"),
        (_success(succeededIndexes="0-3"), f"{RULE}.succeededIndexes"),
        (_success(succeededIndexes="2,1"), f"{RULE}.succeededIndexes"),
        (_success(), RULE),
        ({"managedBy": "mine"}, "spec.managedBy"),
        ({"managedBy": "example.com/mine"}, ""),
    ],
)  # fmt: skip
def test_policies_are_checked_as_upstream_does(spec: dict[str, Any], field: str) -> None:
    assert [c.field for c in JOB.check(_job(**spec), None)] == ([field] if field else [])


def test_a_failure_policy_asks_for_pods_that_do_not_restart_in_place() -> None:
    refused = [c.field for c in JOB.check(_job("OnFailure", **_exits(1)), None)]
    assert refused == ["spec.template.spec.restartPolicy"]


LABELS = "spec.template.metadata.labels"
LEGACY = [f"{LABELS}[controller-uid]", f"{LABELS}[job-name]"]
GENERATED = [f"{LABELS}[batch.kubernetes.io/{name}]" for name in ("controller-uid", "job-name")]


@pytest.mark.parametrize(
    ("spec", "labels", "fields"),
    [
        (
            {"selector": {"matchLabels": {"a": "b"}}},
            {},
            [*LEGACY, *GENERATED, "spec.selector", LABELS],
        ),
        ({"manualSelector": True}, {}, ["spec.selector", LABELS]),
        ({"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}}, {}, [LABELS]),
        ({"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}}, {"a": "b"}, []),
    ],
)
def test_a_selector_of_ones_own(
    spec: dict[str, Any], labels: dict[str, str], fields: list[str]
) -> None:
    job = _job(**spec)
    job["spec"]["template"].setdefault("metadata", {})["labels"] = labels
    assert sorted(c.field for c in JOB.check(job, None)) == sorted(fields)


def test_an_update_keeps_the_selector_and_the_labels_that_were_made() -> None:
    old = _job()
    assert JOB.check(old, old) == []
    new = copy.deepcopy(old)
    del new["spec"]["selector"]
    new["spec"]["template"]["metadata"]["labels"]["job-name"] = "k"
    refused = [(c.field, c.reason) for c in JOB.check(new, old)]
    assert ("spec.selector", "FieldValueRequired") in refused
    assert (LABELS, "FieldValueInvalid") in refused
    new["spec"]["selector"] = old["spec"]["selector"]
    assert (f"{LABELS}[job-name]", "FieldValueInvalid") in [
        (c.field, c.reason) for c in JOB.check(new, old)
    ]


@pytest.mark.parametrize(
    ("name", "spec", "is_fine"),
    [
        ("a" * 63, {}, True),
        ("a" * 64, {}, False),
        ("a.b", {}, True),
        ("a.b", INDEXED, False),
        ("a" * 61, INDEXED, True),
        ("a" * 62, INDEXED, False),
        ("a" * 60, {**INDEXED, "completions": 11}, True),
        ("a" * 61, {**INDEXED, "completions": 11}, False),
        ("a" * 63, {**INDEXED, "completions": 0}, True),
    ],
)  # fmt: skip
def test_names_that_pods_cannot_be_derived_from(
    name: str, spec: dict[str, Any], is_fine: bool
) -> None:
    job = _job(name=name, **spec)
    assert [c.field for c in JOB.check(job, None)] == ([] if is_fine else ["metadata.name"])


@pytest.mark.parametrize(
    ("change", "is_fine"),
    [
        (lambda s: s["template"]["spec"]["containers"][0].update(image="y"), False),
        (lambda s: s["template"]["spec"]["containers"][0].update(command=["y"]), False),
        (lambda s: s["template"]["spec"]["containers"][0].update(env=[{"name": "A"}]), False),
        (lambda s: s["template"]["spec"].update(restartPolicy="OnFailure"), False),
        (lambda s: s["template"]["spec"].update(priorityClassName="p"), False),
        (lambda s: s["template"]["spec"].update(nodeSelector={"a": "b"}), True),
        (lambda s: s["template"]["spec"].update(tolerations=[{"operator": "Exists"}]), True),
        (lambda s: s["template"]["spec"].update(schedulingGates=[{"name": "g"}]), True),
        (lambda s: s["template"]["metadata"].update(annotations={"a": "b"}), True),
        (
            lambda s: s["template"]["spec"]["containers"][0].update(
                resources={"requests": {"cpu": "1"}}
            ),
            True,
        ),
    ],
)
def test_what_may_change_in_a_suspended_job(change: Any, is_fine: bool) -> None:
    old = _job(suspend=True)
    new = copy.deepcopy(old)
    change(new["spec"])
    assert (JOB.check(new, old) == []) is is_fine
    old["status"] = {"active": 1}
    assert JOB.check(new, old) != [], "pods of the old template still run"


@pytest.mark.parametrize(
    ("completions", "parallelism", "is_fine"), [(5, 5, True), (5, 3, False), (3, 1, True)]
)
def test_an_indexed_job_grows_with_its_parallelism(
    completions: int, parallelism: int, is_fine: bool
) -> None:
    old = _job(**INDEXED)
    new = copy.deepcopy(old)
    new["spec"] |= {"completions": completions, "parallelism": parallelism}
    assert (JOB.check(new, old) == []) is is_fine


def test_columns() -> None:
    job = _job()
    job["status"] = {"succeeded": 1, "startTime": "1970-01-01T00:00:00Z", "completionTime": "1970-01-01T00:00:30Z",
                     "conditions": [{"type": "Complete", "status": "True"}]}  # fmt: skip
    cells = {c.name: c.cell(job, 90 * 10**9) for c in JOB.columns}
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == ("Complete", "1/1", "30s")


def test_what_a_failure_policy_leaves_out_is_told_with_what_could_be_said() -> None:
    policy = {"rules": [{"onExitCodes": {}}, {"action": "Count", "onPodConditions": [{}]}]}
    rules = "spec.podFailurePolicy.rules"
    assert [(c.field, c.message) for c in JOB.check(_job(podFailurePolicy=policy), None)][:3] == [
        (
            f"{rules}[0].action",
            'Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]',
        ),
        (f"{rules}[0].onExitCodes.operator", 'Required value: valid values: ["In" "NotIn"]'),
        (f"{rules}[0].onExitCodes.values", "Invalid value: null: at least one value is required"),
    ]
    assert JOB.check(_job(podFailurePolicy={}), None) == []
