"""Approves kubelets' requests for certificates, signs what is approved, and removes what is old.

Source: kube-controller-manager's csrapproving, csrsigning and csrcleaner controllers. They run here
since the authority's key lies beside the API server, and is nobody else's.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from datetime import UTC, datetime, timedelta

from mizzen.apiserver import operations
from mizzen.apiserver.core import certificate_requests as rules
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import API_SERVER, User
from mizzen.apiserver.due_names import DueNames
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.host.certificate_authority import CertificateAuthority
from mizzen.kinds.certificates.pem import parse_request
from mizzen.kinds.certificates.signing_request import APPROVED, FAILED, KIND, decoded
from mizzen.store.store import Event, ObjectKey

CLEAN_S = 3600.0
_GROUP, _PLURAL = KIND.resource.group, KIND.resource.plural
_KEY = f"{_PLURAL}.{_GROUP}"


class CertificateSigner:
    """Follows CertificateSigningRequests of one server."""

    def __init__(self, server: Server, authority: CertificateAuthority) -> None:
        self._server = server
        self._authority = authority
        self._due = DueNames("CertificateSigningRequest", self.handle)

    async def run(self) -> None:
        """Runs until cancelled."""
        store = self._server.store
        store.listen(_KEY, self._on_change)
        while True:
            for stored in store.list(_KEY).items:
                self._due.mark(stored.key.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEAN_S):
                    await self._due.run()

    def _on_change(self, event: Event) -> None:
        if event.type != "DELETED":
            self._due.mark(event.key.name)

    async def handle(self, name: str) -> None:
        """Does with a request what there is to do. Errors: ApiError, OSError, ValueError."""
        draft = self._server.draft(API_SERVER)
        served = self._server.catalog.by_key(_KEY)
        found = draft.get(ObjectKey(_KEY, "", name))
        if found is None or served is None:
            return
        now_ns = draft.now_ns
        if rules.is_old(found, now_ns, _ends_ns(found)):
            operations.delete(draft, served, "", name, DeleteOptions())
        elif message := self._approval(found):
            changed = _with_condition(found, APPROVED, "AutoApproved", message, "")
            operations.update(draft, served, "", name, changed, subresource="approval")
        elif rules.is_signable(found) and found["spec"]["signerName"] in rules.SIGNERS:
            changed = self._signed(found, now_ns)
            operations.update(draft, served, "", name, changed, subresource="status")
        done = draft.commit()
        if done is not None:
            await done

    def _approval(self, request: Obj) -> str:
        """The words in which a kubelet's request is approved, "" where it is not."""
        spec = request["spec"]
        if spec["signerName"] != rules.KUBELET_CLIENT or entries(request, "status", "conditions"):
            return ""
        names = rules.names_of(parse_request(decoded(spec["request"])))
        if rules.kubelet_client_problem(names, spec["usages"]):
            return ""
        extra = {key: tuple(values) for key, values in part(spec, "extra").items()}
        groups = tuple(spec.get("groups") or ())
        user = User(text(spec, "username"), text(spec, "uid"), groups, extra)

        def may_create(subresource: str) -> bool:
            access = Access(user, "create", _GROUP, _PLURAL, subresource)
            return self._server.authorizer.allows(access)

        if user.name == names.common and may_create("selfnodeclient"):
            return "Auto approving self kubelet client certificate after SubjectAccessReview."
        if may_create("nodeclient"):
            return "Auto approving kubelet client certificate after SubjectAccessReview."
        return ""

    def _signed(self, request: Obj, now_ns: int) -> Obj:
        """The request with its certificate, or with why there is none. Errors: OSError, ValueError."""
        spec = request["spec"]
        parsed = parse_request(decoded(spec["request"]))
        problem = rules.SIGNERS[spec["signerName"]](rules.names_of(parsed), spec["usages"])
        if problem:
            now = rfc3339(now_ns)
            return _with_condition(request, FAILED, "SignerValidationFailure", problem, now)
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        life = timedelta(seconds=rules.life_s(spec))
        pem = self._authority.sign(parsed, spec["usages"], now, life)
        status = {**part(request, "status"), "certificate": base64.b64encode(pem).decode()}
        return {**request, "metadata": dict(request["metadata"]), "status": status}


def _with_condition(request: Obj, word: str, reason: str, message: str, now: str) -> Obj:
    condition = {"type": word, "status": "True", "reason": reason, "message": message}
    if now:
        condition["lastUpdateTime"] = now
    status = dict(part(request, "status"))
    status["conditions"] = [*entries(request, "status", "conditions"), condition]
    return {**request, "metadata": dict(request["metadata"]), "status": status}


def _ends_ns(request: Obj) -> int | None:
    """When the certificate ends; None where there is none that can be read."""
    pem = text(request, "status", "certificate")
    if not pem:
        return None
    from cryptography import x509

    try:
        made = x509.load_pem_x509_certificate(decoded(pem))
    except ValueError:
        return None
    return int(made.not_valid_after_utc.timestamp()) * 10**9
