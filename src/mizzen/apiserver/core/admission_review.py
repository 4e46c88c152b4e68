"""AdmissionReviews (admission.k8s.io/v1): what webhooks are asked, and what they answer.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/request, errors; v0.36.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from mizzen.apiserver.core.user import User
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import Resource

API_VERSION = "admission.k8s.io/v1"


class CallFailed(Exception):
    """A webhook that could not be asked, or whose answer is none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A webhook's answer. `status` is its refusal; `patch` are operations of a JSON patch."""

    is_allowed: bool
    status: Obj = field(default_factory=dict[str, Any])
    patch: list[Any] = field(default_factory=list[Any])
    warnings: tuple[str, ...] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=dict[str, str])


def user_info(user: User) -> Obj:
    """The UserInfo (authentication.k8s.io/v1) of a user."""
    info: Obj = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def options_of(kind: str, params: Mapping[str, str]) -> Obj:
    """The CreateOptions and the like of a request's parameters."""
    options: Obj = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if params.get("dryRun"):
        options["dryRun"] = [params["dryRun"]]
    said = ("fieldManager", "fieldValidation", "propagationPolicy")
    return options | {name: params[name] for name in said if params.get(name)}


def review_request(
    asked: Resource,
    version: str,
    shown: Obj,
    *,
    subresource: str,
    operation: str,
    namespace: str,
    name: str,
    user: User,
    new: Obj | None,
    old: Obj | None,
    is_dry: bool,
    options: Obj | None,
) -> Obj:
    """`request` of an AdmissionReview, but for its uid; `version` is that of the resource, and the
    kind that of what is `shown`, by way of some subresources another's."""
    group, _, kind_version = shown["apiVersion"].rpartition("/")
    is_own = group == asked.group
    request: Obj = {
        "kind": {"group": group, "version": kind_version, "kind": shown["kind"]},
        "resource": {"group": asked.group, "version": version, "resource": asked.plural},
        "requestKind": {
            "group": group, "version": asked.version if is_own else kind_version,
            "kind": shown["kind"],
        },
        "requestResource": {
            "group": asked.group, "version": asked.version, "resource": asked.plural,
        },
        "operation": operation,
        "userInfo": user_info(user),
        "object": new,
        "oldObject": old,
        "dryRun": is_dry,
        "options": options,
    }  # fmt: skip
    if subresource:
        request["subResource"] = request["requestSubResource"] = subresource
    if name:
        request["name"] = name
    if namespace:
        request["namespace"] = namespace
    return request


def read_verdict(body: bytes, uid: str, *, is_mutating: bool) -> Verdict:
    """The verdict in the body of an answer. Errors: CallFailed where it is none."""
    try:
        review: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise CallFailed(f"received invalid webhook response: {error}") from error
    review = part({"review": review}, "review")
    response = part(review, "response")
    if not response:
        raise CallFailed("received invalid webhook response: webhook response was absent")
    problem = _problem(review, response, uid, is_mutating=is_mutating)
    if problem:
        raise CallFailed(f"received invalid webhook response: {problem}")
    said = part(response, "auditAnnotations")
    return Verdict(
        is_allowed=bool(response.get("allowed")),
        status=part(response, "status"),
        patch=_patch(response.get("patch")),
        warnings=tuple(str(each) for each in response.get("warnings") or ()),
        audit_annotations={str(key): str(value) for key, value in said.items()},
    )


def _problem(review: Obj, response: Obj, uid: str, *, is_mutating: bool) -> str:
    if response.get("uid") != uid:
        return f'expected response.uid="{uid}", got "{response.get("uid") or ""}"'
    found = f"{review.get('apiVersion') or ''}, Kind={review.get('kind') or ''}"
    if found != f"{API_VERSION}, Kind=AdmissionReview":
        return f"expected webhook response of {API_VERSION}, Kind=AdmissionReview, got {found}"
    patch, kind = response.get("patch"), response.get("patchType")
    if not is_mutating:
        if patch:
            return "validating webhook may not return response.patch"
        return "validating webhook may not return response.patchType" if kind else ""
    if patch and kind is None:
        return "webhook returned response.patch but not response.patchType"
    if not patch and kind is not None:
        return "webhook returned response.patchType but not response.patch"
    if kind not in (None, "JSONPatch"):
        return f'webhook returned invalid response.patchType of "{kind}"'
    return ""


def _patch(encoded: Any) -> list[Any]:
    if not encoded:
        return []
    try:
        operations: Any = orjson.loads(base64.b64decode(str(encoded), validate=True))
    except (binascii.Error, ValueError) as error:
        raise CallFailed(f"received undecodable patch in webhook response: {error}") from error
    if not isinstance(operations, list):
        raise CallFailed("received undecodable patch in webhook response: it is no list")
    return cast("list[Any]", operations)


def denial(webhook: str, status: Obj) -> Obj:
    """The Status with which a webhook's refusal is passed on."""
    said = f'admission webhook "{webhook}" denied the request'
    why = status.get("message") or status.get("reason")
    said = f"{said}: {why}" if why else f"{said} without explanation"
    code = int(status.get("code") or 0)
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        **status,
        "status": "Failure",
        "message": said,
        "code": code if code >= 400 else 400,
    }
