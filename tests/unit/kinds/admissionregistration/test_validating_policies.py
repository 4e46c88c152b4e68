"""Policies and bindings are compiled and checked when they are written."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.admissionregistration.validating_policies import KINDS

Obj = dict[str, Any]
POLICY, BINDING = KINDS
RULE: Obj = {
    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
}  # fmt: skip


def policy(**spec: Any) -> Obj:
    whole = {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "object.spec.x == 1"}],
        **spec,
    }
    return {"metadata": {"name": "p"}, "spec": whole}


def binding(**spec: Any) -> Obj:
    return {
        "metadata": {"name": "b"},
        "spec": {"policyName": "p", "validationActions": ["Deny"], **spec},
    }


def test_variables_may_build_on_each_other() -> None:
    made = policy(
        variables=[
            {"name": "a", "expression": "size(object.spec.x)"},
            {"name": "b", "expression": "variables.a + 1"},
        ],
        validations=[{"expression": "variables.b > 1", "messageExpression": "string(variables.b)"}],
    )
    assert POLICY.validate(made, None) == []


@pytest.mark.parametrize(
    ("spec", "field", "part"),
    [
        ({"validations": [{"expression": "object.spec"}]}, "validations[0].expression",
         "must evaluate to bool but got dyn"),
        ({"validations": [{"expression": "params.x == 1"}]}, "validations[0].expression",
         "undeclared reference to 'params'"),
        ({"validations": [{"expression": "variables.x == 1"}]}, "validations[0].expression",
         "undefined field 'x'"),
        ({"validations": [{"expression": "request.nothing == 1"}]}, "validations[0].expression",
         "undefined field 'nothing'"),
        ({"validations": []}, "validations", "must contain at least one item"),
        ({"validations": [{"expression": "true", "reason": "NotFound"}]}, "validations[0].reason",
         "Unsupported value"),
        ({"validations": [{"expression": "true", "messageExpression":
                           "string(authorizer.path('/').check('get').allowed())"}]},
         "validations[0].messageExpression", "undeclared reference to 'authorizer'"),
        ({"matchConstraints": {}}, "matchConstraints.resourceRules", "Required value"),
        ({"paramKind": {"kind": "ConfigMap"}}, "paramKind.apiVersion", "Required value"),
        ({"variables": [{"name": "no-name", "expression": "1"}]}, "variables[0].name",
         "must be a valid CEL identifier"),
        ({"auditAnnotations": [{"key": "a", "valueExpression": "1"}]},
         "auditAnnotations[0].valueExpression", "must evaluate to one of [string null_type] but got "),
        ({"validations": [{"expression": "'" + "x" * 40_000 + "' == ''"}]}, "", "Too long"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy(spec: Obj, field: str, part: str) -> None:
    causes = POLICY.validate(policy(**spec), None)
    path = f"spec.{field}" if field else "spec"
    assert any(cause.field == path and part in cause.message for cause in causes), causes


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"policyName": ""}, "policyName"),
        ({"validationActions": []}, "validationActions"),
        ({"validationActions": ["Deny", "Warn"]}, "validationActions"),
        ({"validationActions": ["Refuse"]}, "validationActions[0]"),
        ({"paramRef": {"parameterNotFoundAction": "Deny"}}, "paramRef"),
        ({"paramRef": {"name": "x"}}, "paramRef.parameterNotFoundAction"),
        (
            {"paramRef": {"name": "x", "selector": {}, "parameterNotFoundAction": "Deny"}},
            "paramRef.name",
        ),
    ],
)
def test_what_is_wrong_with_a_binding(spec: Obj, field: str) -> None:
    assert f"spec.{field}" in [cause.field for cause in BINDING.validate(binding(**spec), None)]
    assert BINDING.validate(binding(), None) == []
