"""Configurations of webhooks are checked as upstream does."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.admissionregistration.webhooks import KINDS

Obj = dict[str, Any]
RULE: Obj = {
    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"],
}  # fmt: skip


def causes_of(rule: Obj | None = None, **hook: Any) -> list[tuple[str, str]]:
    whole = {
        "name": "a.acme.com", "clientConfig": {"url": "https://here/x"},
        "rules": [{**RULE, **(rule or {})}], "sideEffects": "None",
        "admissionReviewVersions": ["v1"], **hook,
    }  # fmt: skip
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "w"},
        "webhooks": [whole],
    }
    decoded = KINDS[0].decode(body)
    assert decoded.causes == []
    return [(cause.field, cause.message) for cause in KINDS[0].validate(decoded.object, None)]


def test_it_is_completed() -> None:
    assert causes_of() == []


@pytest.mark.parametrize(
    ("hook", "field", "message"),
    [
        (
            {"name": "short"}, "name",
            'Invalid value: "short": should be a domain with at least three segments separated by '
            "dots",
        ),
        (
            {"sideEffects": "Some"}, "sideEffects",
            'Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
        ),
        (
            {"timeoutSeconds": 31}, "timeoutSeconds",
            "Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (
            {"admissionReviewVersions": ["v2"]}, "admissionReviewVersions",
            'Invalid value: ["v2"]: must include at least one of v1, v1beta1',
        ),
        (
            {"clientConfig": {}}, "clientConfig",
            "Required value: exactly one of url or service is required",
        ),
        (
            {"clientConfig": {"url": "http://here"}}, "clientConfig.url",
            "Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: "
            "https://host[/path]",
        ),
        (
            {"rule": {"operations": ["*", "CREATE"]}}, "rules[0].operations",
            "Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other "
            "operations",
        ),
        (
            {"rule": {"resources": ["*/*", "pods"]}}, "rules[0].resources",
            "Invalid value: [\"*/*\",\"pods\"]: if '*/*' is present, must not specify other "
            "resources",
        ),
        (
            {"matchConditions": [{"name": "c", "expression": "object.x +"}]},
            "matchConditions[0].expression", None,
        ),
        (
            {"matchConditions": [{"name": "c", "expression": "'text'"}]},
            "matchConditions[0].expression",
            "Invalid value: \"'text'\": must evaluate to bool but got string",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(hook: Obj, field: str, message: str | None) -> None:
    found = causes_of(**hook)
    assert f"webhooks[0].{field}" in [at for at, _ in found]
    assert message is None or (f"webhooks[0].{field}", message) in found
