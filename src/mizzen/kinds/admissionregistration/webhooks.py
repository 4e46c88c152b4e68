"""MutatingWebhookConfiguration and ValidatingWebhookConfiguration: who is asked about writes.

Source: pkg/apis/admissionregistration/validation/validation.go, v1/defaults.go, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds import causes as words
from mizzen.kinds.admission_expressions import Scope
from mizzen.kinds.admissionregistration.matching import (
    FAILURES,
    check_choice,
    check_conditions,
    check_matching,
    check_rule,
    check_size,
    default_matching,
)
from mizzen.kinds.columns import AGE, NAME, Column, keys
from mizzen.kinds.kind import Kind
from mizzen.kinds.names import dns_subdomain
from mizzen.kinds.reading import entries, part
from mizzen.kinds.treatment import accepted, acted
from mizzen.kinds.upstream import upstream_kind
from mizzen.kinds.webhook_clients import check_client, check_review_versions, default_client

TIMEOUT_S, TIMEOUT_S_MAX = 10, 30
_VERSIONS = ("v1", "v1beta1")
_EFFECTS = ("None", "NoneOnDryRun")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    causes: list[Cause] = []
    hooks = entries(new, "webhooks")
    expressions = [c["expression"] for hook in hooks for c in entries(hook, "matchConditions")]
    causes += check_size(expressions, "webhooks")
    if causes:
        return causes
    seen: set[str] = set()
    for index, hook in enumerate(hooks):
        path = f"webhooks[{index}]"
        causes += _check(hook, path)
        if hook["name"] in seen:
            causes.append(words.duplicate(f"{path}.name", hook["name"]))
        seen.add(hook["name"])
    return causes


def _check(hook: Obj, path: str) -> Iterator[Cause]:
    name = hook["name"]
    if not name:
        yield words.required(f"{path}.name")
    elif problem := dns_subdomain(name):
        yield words.invalid(f"{path}.name", name, problem)
    elif name.count(".") < 2:
        what = "should be a domain with at least three segments separated by dots"
        yield words.invalid(f"{path}.name", name, what)
    for index, rule in enumerate(entries(hook, "rules")):
        yield from check_rule(rule, f"{path}.rules[{index}]")
    if "sideEffects" not in hook:
        what = f"must specify one of {', '.join(_EFFECTS)}"
        yield words.required(f"{path}.sideEffects", what)
    yield from check_choice(hook, "sideEffects", _EFFECTS, path)
    yield from check_choice(hook, "failurePolicy", FAILURES, path)
    yield from check_choice(hook, "reinvocationPolicy", ("IfNeeded", "Never"), path)
    timeout = hook.get("timeoutSeconds", TIMEOUT_S)
    if not 1 <= timeout <= TIMEOUT_S_MAX:
        what = "the timeout value must be between 1 and 30 seconds"
        yield words.invalid(f"{path}.timeoutSeconds", timeout, what)
    yield from check_matching(hook, path)
    yield from _check_versions(hook, f"{path}.admissionReviewVersions")
    yield from check_client(part(hook, "clientConfig"), f"{path}.clientConfig")
    conditions = entries(hook, "matchConditions")
    scope = Scope(has_variables=False)
    yield from check_conditions(conditions, f"{path}.matchConditions", scope)


def _check_versions(hook: Obj, path: str) -> Iterator[Cause]:
    versions: list[str] = hook.get("admissionReviewVersions") or []
    if not versions:
        yield words.required(path, f"must specify one of {', '.join(_VERSIONS)}")
        return
    yield from check_review_versions(versions, path)
    if not set(_VERSIONS) & set(versions):
        yield words.invalid(path, versions, f"must include at least one of {', '.join(_VERSIONS)}")


def _default(configuration: Obj) -> None:
    for hook in entries(configuration, "webhooks"):
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("timeoutSeconds", TIMEOUT_S)
        default_matching(hook)
        default_client(part(hook, "clientConfig"))


def _default_mutating(configuration: Obj) -> None:
    _default(configuration)
    for hook in entries(configuration, "webhooks"):
        hook.setdefault("reinvocationPolicy", "Never")


def _kind(plural: str, kind: str, default: Callable[[Obj], None]) -> Kind:
    return upstream_kind(
        Resource("admissionregistration.k8s.io", "v1", plural, kind, namespaced=False),
        "Webhooks that are asked about writes.",
        default=default,
        validate=_validate,
        columns=(NAME, Column("Webhooks", keys("webhooks"), type="integer"), AGE),
    )


KINDS = (
    _kind("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", _default_mutating),
    _kind("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", _default),
)

_OF_ALL = {
    **acted("apiserver", "name clientConfig rules failurePolicy matchPolicy namespaceSelector"),
    **acted("apiserver", "objectSelector sideEffects timeoutSeconds matchConditions"),
    **accepted("admissionReviewVersions", "AdmissionReviews are of v1, which all must take"),
}
SERVED_FIELDS = {
    "admissionregistration.v1.MutatingWebhookConfiguration": acted("apiserver", "webhooks"),
    "admissionregistration.v1.ValidatingWebhookConfiguration": acted("apiserver", "webhooks"),
    "admissionregistration.v1.MutatingWebhook": _OF_ALL | acted("apiserver", "reinvocationPolicy"),
    "admissionregistration.v1.ValidatingWebhook": _OF_ALL,
    "admissionregistration.v1.WebhookClientConfig": acted("apiserver", "url service caBundle"),
    "admissionregistration.v1.ServiceReference": acted("apiserver", "namespace name path port"),
}
