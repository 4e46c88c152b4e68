"""Reviews of access: what is asked, what is wrong with the question, what is answered.

Source: pkg/registry/authorization and pkg/apis/authorization/validation, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.policy_rules import PolicyRule
from mizzen.apiserver.core.user import User
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part, text
from mizzen.kinds.report import quoted

_COMBINED = "cannot be specified in combination with resourceAttributes"
_ONE = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
_NOBODY = "at least one of user or group must be specified"
_SERVERS = ("creationTimestamp", "managedFields")  # metadata that clients send without a wish


def check_self(review: Obj) -> list[Cause]:
    """Every cause to refuse a SelfSubjectAccessReview."""
    return [*_check_attributes(review), *_check_metadata(review, "must be empty")]


def check_subject(review: Obj) -> list[Cause]:
    """Every cause to refuse a SubjectAccessReview."""
    return [*_check_spec(review), *_check_metadata(review, "must be empty")]


def check_local(review: Obj) -> list[Cause]:
    """Every cause to refuse a LocalSubjectAccessReview."""
    namespace = text(review, "metadata", "namespace")
    words = "must be empty except for namespace"
    causes = [*_check_spec(review), *_check_metadata(review, words, "namespace")]
    attributes = part(review, "spec").get("resourceAttributes")
    if attributes is not None and text(attributes, "namespace") != namespace:
        where = "spec.resourceAttributes.namespace"
        value = quoted(text(attributes, "namespace"))
        causes.append(_invalid(where, value, "must match metadata.namespace"))
    if part(review, "spec").get("nonResourceAttributes") is not None:
        where = "spec.nonResourceAttributes"
        causes.append(_invalid(where, "{...}", "disallowed on this kind of request"))
    return causes


def subject_of(review: Obj) -> User:
    """The user whom a review is about."""
    spec = part(review, "spec")
    extra: dict[str, list[str]] = {
        key.lower(): list(values or ()) for key, values in part(spec, "extra").items()
    }
    return User(text(spec, "user"), text(spec, "uid"), tuple(spec.get("groups") or ()), extra)


def access_of(review: Obj, user: User) -> Access:
    """The attributes that a review, which was checked, asks about."""
    spec = part(review, "spec")
    asked = spec.get("resourceAttributes")
    if asked is None:
        path = part(spec, "nonResourceAttributes")
        return Access(user, text(path, "verb"), path=text(path, "path") or "/")
    return Access(
        user,
        text(asked, "verb"),
        text(asked, "group"),
        text(asked, "resource"),
        text(asked, "subresource"),
        text(asked, "namespace"),
        text(asked, "name"),
        "",
        _field_selector(asked),
    )


def _field_selector(asked: Obj) -> str:
    raw = text(asked, "fieldSelector", "rawSelector")
    if raw:
        return raw
    return ",".join(
        f"{text(each, 'key')}={(each.get('values') or [''])[0]}"
        for each in entries(asked, "fieldSelector", "requirements")
        if text(each, "operator") == "In" and len(each.get("values") or ()) == 1
    )


def access_status(authorizer: Authorizer, access: Access) -> Obj:
    """The `status` of a review of access."""
    status: Obj = {"allowed": authorizer.allows(access)}
    reason = authorizer.reason(access)
    if reason:
        status["reason"] = reason
    return status


def rules_status(rules: Sequence[PolicyRule], errors: Sequence[str]) -> Obj:
    """The `status` of a SelfSubjectRulesReview."""
    of_resources: list[Obj] = []
    of_paths: list[Obj] = []
    for rule in rules:
        if rule.resources:
            of_resources.append(rule._replace(urls=()).to_object())
        if rule.urls:
            of_paths.append(PolicyRule(rule.verbs, urls=rule.urls).to_object())
    status: Obj = {
        "resourceRules": of_resources,
        "nonResourceRules": of_paths,
        "incomplete": False,
    }
    if errors:
        found = list(dict.fromkeys(errors))
        status["evaluationError"] = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
    return status


def _check_spec(review: Obj) -> list[Cause]:
    causes = _check_attributes(review)
    spec = part(review, "spec")
    if not text(spec, "user") and not spec.get("groups"):
        causes.append(_invalid("spec.user", '""', _NOBODY))
    return causes


def _check_attributes(review: Obj) -> list[Cause]:
    spec = part(review, "spec")
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    causes: list[Cause] = []
    if resource is not None and path is not None:
        causes.append(_invalid("spec.nonResourceAttributes", "{...}", _COMBINED))
    if resource is None and path is None:
        causes.append(_invalid("spec.resourceAttributes", "null", _ONE))
    for name in ("fieldSelector", "labelSelector"):
        if field(spec, "resourceAttributes", name) is not None:
            selector = part(spec, "resourceAttributes", name)
            causes += _check_selector(selector, f"spec.resourceAttributes.{name}")
    return causes


def _check_selector(selector: Obj, path: str) -> list[Cause]:
    raw, requirements = text(selector, "rawSelector"), selector.get("requirements")
    if raw and requirements:
        words = "may not specified at the same time as requirements"
        return [_invalid(f"{path}.rawSelector", quoted(raw), words)]
    if not raw and not requirements:
        words = f"when {path} is specified, requirements or rawSelector is required"
        message = f"Required value: {words}"
        return [Cause(f"{path}.requirements", message, "FieldValueRequired")]
    return []


def _check_metadata(review: Obj, words: str, *allowed: str) -> list[Cause]:
    metadata = part(review, "metadata")
    said = [name for name, value in metadata.items() if value and name not in (*allowed, *_SERVERS)]
    return [_invalid("metadata", "{...}", words)] if said else []


def _invalid(path: str, value: Any, words: str) -> Cause:
    return Cause(path, f"Invalid value: {value}: {words}", "FieldValueInvalid")
