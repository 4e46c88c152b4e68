"""Policies are compiled once and judge what is written."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.policies import Bill, Denial, Policy
from mizzen.cel.authorization import Authorizer, Check
from mizzen.kinds.admission_expressions import namespace_value, object_value, request_value

Obj = dict[str, Any]


def policy(*validations: Obj, **spec: Any) -> Policy:
    return Policy.of(
        {"metadata": {"name": "p"}, "spec": {"validations": list(validations), **spec}}
    )


def names(**given: Any) -> dict[str, object]:
    request = {
        "operation": "CREATE", "name": "w",
        "userInfo": {"username": "jane", "groups": ["devs"]},
        "options": {"kind": "CreateOptions"},
    }  # fmt: skip

    def allows(check: Check) -> tuple[bool, str]:
        return check.verb == "get" and check.resource == "pods", "said so"

    namespace = {"metadata": {"name": "d", "labels": {"team": "a"}}}
    return {
        "object": object_value({"spec": {"replicas": 7}, "metadata": {"labels": {"a": "b"}}}),
        "oldObject": None,
        "request": request_value(request),
        "namespaceObject": namespace_value(namespace),
        "authorizer": Authorizer(allows, Check(), Check(resource="pods")),
        "params": object_value({"most": 5}),
        **given,
    }


def denied(made: Policy, **given: Any) -> list[Denial]:
    return made.validate(names(**given), Bill())[0]


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("object.spec.replicas <= 5", False),
        ("object.spec.replicas <= 7", True),
        ("oldObject == null", True),
        ("request.operation == 'CREATE' && request.userInfo.username == 'jane'", True),
        ("'devs' in request.userInfo.groups", True),
        ("request.options.kind == 'CreateOptions'", True),
        ("namespaceObject.metadata.labels['team'] == 'a'", True),
        ("has(object.metadata.labels) && object.metadata.labels.a == 'b'", True),
        ("authorizer.group('').resource('pods').check('get').allowed()", True),
        ("authorizer.group('').resource('pods').namespace('d').name('n').check('list').allowed()",
         False),
        ("authorizer.requestResource.check('get').allowed()", True),
        ("authorizer.serviceAccount('d', 's').path('/x').check('get').allowed()", False),
        ("authorizer.group('').resource('pods').check('get').reason() == 'said so'", True),
    ],
)  # fmt: skip
def test_expressions_see_the_request(expression: str, holds: bool) -> None:
    assert denied(policy({"expression": expression})) == (
        [] if holds else [Denial(f"failed expression: {expression}")]
    )


def test_the_message_is_the_expressions_or_the_written_one() -> None:
    rule = {"expression": "object.spec.replicas <= params.most", "message": "too many",
            "reason": "Forbidden",
            "messageExpression": "'at most ' + string(params.most)"}  # fmt: skip
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert denied(policy(rule, paramKind=kind)) == [Denial("at most 5", "Forbidden")]
    rule["messageExpression"] = "params.absent"
    assert denied(policy(rule, paramKind=kind)) == [Denial("too many", "Forbidden")]


def test_variables_are_evaluated_when_they_are_asked_for_and_in_each_other() -> None:
    made = policy(
        {"expression": "variables.double == 14 && !has(variables.broken.x)"},
        {"expression": "variables.double < 10"},
        variables=[
            {"name": "count", "expression": "int(object.spec.replicas)"},
            {"name": "double", "expression": "variables.count * 2"},
            {"name": "broken", "expression": "{'y': object.spec.replicas}"},
            {"name": "never", "expression": "object.spec.absent"},
        ],
    )
    assert denied(made) == [Denial("failed expression: variables.double < 10")]


@pytest.mark.parametrize(
    ("conditions", "is_asked"),
    [(["true", "false"], False), (["true"], True), (["object.absent.x", "false"], False)],
)
def test_match_conditions_must_all_hold(conditions: list[str], is_asked: bool) -> None:
    written = [{"name": f"c{i}", "expression": each} for i, each in enumerate(conditions)]
    made = policy({"expression": "false"}, matchConditions=written)
    assert bool(denied(made)) is is_asked


def test_what_cannot_be_evaluated_is_denied_unless_it_is_ignored() -> None:
    rule = {"expression": "object.spec.absent.x == 1"}
    assert denied(policy(rule)) == [
        Denial("expression 'object.spec.absent.x == 1' resulted in error: no such key: absent")
    ]
    assert denied(policy(rule, failurePolicy="Ignore")) == []


def test_what_costs_too_much_is_denied() -> None:
    rule = {"expression": "[1,2,3,4,5,6,7,8,9,10].map(x, [1,2,3,4,5,6,7,8,9,10].map(y, "
                          "[1,2,3,4,5,6,7,8,9,10].map(z, [1,2,3,4,5,6,7,8,9,10].map(w, x+y)"
                          "))).size() > 0"}  # fmt: skip
    made = policy(rule, {"expression": "true"})
    first, second = denied(made)
    assert "actual cost limit 20000 exceeded" in first.message
    assert "running out of cost budget" in second.message


def test_audit_annotations_are_texts() -> None:
    made = policy(auditAnnotations=[
        {"key": "who", "valueExpression": "request.userInfo.username"},
        {"key": "none", "valueExpression": "''"},
    ])  # fmt: skip
    assert made.validate(names(), Bill()) == ([], {"who": "jane"})
