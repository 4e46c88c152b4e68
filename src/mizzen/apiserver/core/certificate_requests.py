"""Decides about requests for certificates: which are approved by themselves, which signer signs
what, and which are old.

Source: pkg/apis/certificates/helpers.go, pkg/controller/certificates (approver, signer, cleaner).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mizzen.apiserver.core.user import NODE_PREFIX, NODES
from mizzen.base.clock import parse_rfc3339
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text
from mizzen.kinds.certificates.signing_request import APPROVED, DENIED, FAILED

if TYPE_CHECKING:
    from cryptography import x509

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LIFE_S_MAX = 365 * 24 * 3600
_LIFE_S_MIN = 600
_HOUR_NS = 3600 * 10**9
_KEPT_NS = {APPROVED: _HOUR_NS, DENIED: _HOUR_NS, FAILED: _HOUR_NS}
_PENDING_KEPT_NS = 24 * _HOUR_NS


@dataclass(frozen=True, slots=True)
class Names:
    """What a request says of its holder."""

    common: str
    organizations: tuple[str, ...]
    dns: bool = False
    ip: bool = False
    email: bool = False
    uri: bool = False


def names_of(request: x509.CertificateSigningRequest) -> Names:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    def all_of(oid: x509.ObjectIdentifier) -> tuple[str, ...]:
        return tuple(str(each.value) for each in request.subject.get_attributes_for_oid(oid))

    kinds: set[type[x509.GeneralName]] = set()
    for extension in request.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            kinds = {type(each) for each in extension.value}
    return Names(
        (all_of(NameOID.COMMON_NAME) or ("",))[-1],
        all_of(NameOID.ORGANIZATION_NAME),
        dns=x509.DNSName in kinds,
        ip=x509.IPAddress in kinds,
        email=x509.RFC822Name in kinds,
        uri=x509.UniformResourceIdentifier in kinds,
    )


def kubelet_client_problem(names: Names, usages: Collection[str]) -> str:
    """Why it is no request for a kubelet's client certificate, "" where it is one."""
    if names.organizations != (NODES,):
        return f"subject organization is not {NODES}"
    for is_there, kind in (
        (names.dns, "DNS"), (names.email, "Email"), (names.ip, "IP"), (names.uri, "URI"),
    ):  # fmt: skip
        if is_there:
            return f"{kind} subjectAltNames are not allowed"
    if not names.common.startswith(NODE_PREFIX):
        return f"subject common name does not begin with {NODE_PREFIX}"
    return _usages_problem("client auth", usages)


def _kubelet_serving_problem(names: Names, usages: Collection[str]) -> str:
    if names.organizations != (NODES,):
        return f"subject organization is not {NODES}"
    if not (names.dns or names.ip):
        return "DNS or IP subjectAltName is required"
    for is_there, kind in ((names.email, "Email"), (names.uri, "URI")):
        if is_there:
            return f"{kind} subjectAltNames are not allowed"
    if problem := _usages_problem("server auth", usages):
        return problem
    if not names.common.startswith(NODE_PREFIX):
        return f"subject common name does not begin with {NODE_PREFIX}"
    return ""


def _usages_problem(purpose: str, usages: Collection[str]) -> str:
    needed = {"digital signature", purpose}
    if set(usages) in (needed, needed | {"key encipherment"}):
        return ""
    return f"usages did not match [{' '.join(sorted(needed | {'key encipherment'}))}]"


def _client_problem(_: Names, usages: Collection[str]) -> str:
    for each in usages:
        if each not in ("digital signature", "key encipherment", "client auth"):
            return f"invalid usage for client certificate: {each}"
    if "client auth" not in usages:
        return "missing required usage for client certificate: client auth"
    return ""


# The signers that there are: each says why it does not sign a request, or "".
SIGNERS: dict[str, Callable[[Names, Collection[str]], str]] = {
    CLIENT: _client_problem,
    KUBELET_CLIENT: kubelet_client_problem,
    KUBELET_SERVING: _kubelet_serving_problem,
}


def life_s(spec: Obj) -> int:
    """How long a certificate is to count, of a request's spec."""
    wanted = spec.get("expirationSeconds")
    return LIFE_S_MAX if wanted is None else max(_LIFE_S_MIN, min(int(wanted), LIFE_S_MAX))


def conditions(request: Obj) -> dict[str, Obj]:
    return {each["type"]: each for each in entries(request, "status", "conditions")}


def is_signable(request: Obj) -> bool:
    """True if it is approved, and neither signed nor failed."""
    found = conditions(request)
    is_refused = DENIED in found or found.get(FAILED, {}).get("status") == "True"
    return APPROVED in found and not is_refused and not text(request, "status", "certificate")


def is_old(request: Obj, now_ns: int, certificate_ends_ns: int | None) -> bool:
    """True if nobody waits for it any more."""
    found = conditions(request)
    if not found:
        created = text(request, "metadata", "creationTimestamp")
        return _is_older(created, now_ns, _PENDING_KEPT_NS)
    is_issued = bool(part(request, "status").get("certificate"))
    if certificate_ends_ns is not None and APPROVED in found and now_ns > certificate_ends_ns:
        return True
    for word, kept_ns in _KEPT_NS.items():
        if word in found:
            kept = _PENDING_KEPT_NS if word == APPROVED and not is_issued else kept_ns
            if _is_older(text(found[word], "lastUpdateTime"), now_ns, kept):
                return True
    return False


def _is_older(moment: str, now_ns: int, than_ns: int) -> bool:
    try:
        return now_ns - parse_rfc3339(moment) > than_ns
    except ValueError:  # without a time it is not
        return False
