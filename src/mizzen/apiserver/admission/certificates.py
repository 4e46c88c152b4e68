"""Says who asks for a certificate, and lets approve and sign only who may for that signer.

Source: pkg/registry/certificates/certificates/strategy.go; plugin/pkg/admission/certificates.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import (
    CREATE,
    UPDATE_APPROVAL,
    UPDATE_STATUS,
    AdmissionRequest,
    Plugin,
)
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.admission_review import user_info
from mizzen.apiserver.core.certificate_requests import CLIENT, names_of
from mizzen.apiserver.core.refusals import forbidden
from mizzen.apiserver.core.user import MASTERS
from mizzen.base.clock import rfc3339
from mizzen.base.errors import Cause, invalid
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.kinds.certificates.pem import parse_request
from mizzen.kinds.certificates.signing_request import APPROVED, DENIED, FAILED, KIND, decoded

_RESOURCE = KIND.resource
_ASKER = ("username", "uid", "groups", "extra")


def _mutate(request: AdmissionRequest) -> None:
    new, old = request.object, request.old
    if old is None:
        spec = {name: value for name, value in new["spec"].items() if name not in _ASKER}
        new["spec"] = spec | user_info(request.draft.user)
        new["status"] = {}
        return
    before = part(old, "status")
    status: Obj = dict(part(new, "status"))
    conditions = [dict(each) for each in entries(status, "conditions")]
    now = rfc3339(request.draft.now_ns)
    known = {(each["type"], each["status"]): each for each in entries(before, "conditions")}
    for each in conditions:
        same = known.get((each["type"], each["status"]), {})
        each.setdefault("lastUpdateTime", now)
        each.setdefault("lastTransitionTime", same.get("lastTransitionTime") or now)
    if request.operation == UPDATE_APPROVAL:
        status = dict(before)
    else:
        conditions = _with_approval(conditions, entries(before, "conditions"))
    status.pop("conditions", None)
    new["status"] = {**status, "conditions": conditions} if conditions else status


def _with_approval(new: list[Obj], old: list[Obj]) -> list[Obj]:
    """A status says nothing else of who approved or denied. Errors come with `_admit`."""
    kept = {each["type"]: each for each in old if each["type"] in (APPROVED, DENIED)}
    return [kept.get(each["type"], each) for each in new]


class _Signers:
    def __init__(self, context: Context) -> None:
        self._context = context

    def admit(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden, Invalid."""
        new, old = request.object, request.old
        if old is None:
            _check_subject(request)
            return
        if request.operation == UPDATE_APPROVAL:
            self._require(request, "approve")
            return
        before, after = (_types(each) for each in (old, new))
        causes = [
            Cause("status.conditions", f'Forbidden: updates may not add a condition of type "{t}"',
                  "FieldValueForbidden")
            for t in (APPROVED, DENIED)
            if t in after and t not in before
        ]  # fmt: skip
        if causes:
            name = request.key.name
            raise invalid(_RESOURCE.kind, _RESOURCE.group, name, causes)
        is_signed = text(old, "status", "certificate") != text(new, "status", "certificate")
        if is_signed or (FAILED in after) != (FAILED in before):
            self._require(request, "sign")

    def _require(self, request: AdmissionRequest, verb: str) -> None:
        assert request.old is not None, "a status is of something that is there"
        signer = text(request.old, "spec", "signerName")
        user, authorizer = request.draft.user, self._context.authorizer
        for name in (signer, f"{signer.partition('/')[0]}/*"):
            if authorizer.allows(Access(user, verb, _RESOURCE.group, "signers", "", "", name)):
                return
        why = f'user not permitted to {verb} requests with signerName "{signer}"'
        raise forbidden(_RESOURCE, request.key.name, why)


def _check_subject(request: AdmissionRequest) -> None:
    """Errors: Forbidden where a client would be a master."""
    spec = request.object["spec"]
    if spec["signerName"] != CLIENT:
        return
    if MASTERS in names_of(parse_request(decoded(spec["request"]))).organizations:
        why = f"use of {CLIENT} signer with {MASTERS} group is not allowed"
        raise forbidden(_RESOURCE, request.key.name, why)


def _types(request: Obj) -> set[str]:
    return {each["type"] for each in entries(request, "status", "conditions")}


def certificates(context: Context) -> tuple[Plugin, Plugin]:
    signers = _Signers(context)
    return (
        Plugin(
            frozenset((CREATE, UPDATE_STATUS, UPDATE_APPROVAL)),
            lambda served: served.resource == _RESOURCE,
            mutate=_mutate,
        ),
        Plugin(
            frozenset((CREATE, UPDATE_STATUS, UPDATE_APPROVAL)),
            lambda served: served.resource == _RESOURCE,
            admit=signers.admit,
        ),
    )


PLUGIN = certificates
