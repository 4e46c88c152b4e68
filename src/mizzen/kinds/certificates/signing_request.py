"""CertificateSigningRequest: what a signer is asked to sign, and who says that it may.

Who asks is stamped by `apiserver/admission/certificates.py`; `apiserver/certificate_signer.py`
signs what is for the API server's clients and for kubelets.
Source: pkg/apis/certificates/validation, pkg/registry/certificates, Kubernetes 1.36.
"""

from __future__ import annotations

import base64

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, text
from mizzen.kinds.causes import duplicate, forbidden, invalid, required, too_long, unsupported
from mizzen.kinds.certificates.pem import certificates_problem, parse_request
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.kind import Column
from mizzen.kinds.names import dns_label, dns_subdomain, path_segment
from mizzen.kinds.subresource import STATUS_SUBRESOURCE, Subresource
from mizzen.kinds.treatment import acted
from mizzen.kinds.upstream import resource_named, upstream_kind

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
_LIFE_S_MIN = 600
_DOMAIN_MAX = 253
_SIGNER_MAX = 2 * _DOMAIN_MAX + 63 + 2
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign",
    "data encipherment", "decipher only", "digital signature", "email protection",
    "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth",
    "signing", "timestamping",
)  # fmt: skip


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes: list[Cause] = []
    if old is None:
        try:
            parse_request(decoded(spec["request"]))
        except ValueError as error:
            causes.append(invalid("spec.request", spec["request"], str(error)))
    usages: list[str] = spec.get("usages") or []
    if not usages:
        causes.append(required("spec.usages"))
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            causes.append(unsupported(f"spec.usages[{index}]", usage, _USAGES))
        if usage in usages[:index]:
            causes.append(duplicate(f"spec.usages[{index}]", usage))
    signer = spec["signerName"]
    if signer == "kubernetes.io/legacy-unknown":
        problem = "the legacy signerName is not allowed via this API version"
        causes.append(invalid("spec.signerName", signer, problem))
    else:
        causes += _validate_signer(signer)
    life_s = spec.get("expirationSeconds")
    if life_s is not None and life_s < _LIFE_S_MIN:
        problem = "may not specify a duration less than 600 seconds (10 minutes)"
        causes.append(invalid("spec.expirationSeconds", life_s, problem))
    return causes


def _validate_signer(signer: str) -> list[Cause]:
    """A domain of several labels and a path: `example.com/signer-name`."""
    path = "spec.signerName"
    if not signer:
        return [required(path)]
    domain, slash, rest = signer.partition("/")
    if not slash or "/" in rest:
        problem = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(path, signer, problem)]
    causes: list[Cause] = []
    if len(domain) > _DOMAIN_MAX:
        causes.append(too_long(path, _DOMAIN_MAX))
    labels = domain.split(".")
    for whole, parts, rule in ((domain, labels, dns_label), (rest, rest.split("."), dns_subdomain)):
        bad = next(((each, problem) for each in parts if (problem := rule(each))), None)
        if bad is not None:
            causes.append(invalid(path, whole, f'validating label "{bad[0]}": {bad[1]}'))
        if parts is labels and len(labels) < 2:
            problem = "should be a domain with at least two segments separated by dots"
            causes.append(invalid(path, domain, problem))
    if len(signer) > _SIGNER_MAX:
        causes.append(too_long(path, _SIGNER_MAX))
    return causes


def decoded(text: str) -> bytes:
    """The bytes of a field. Errors: ValueError."""
    return base64.b64decode(text, validate=True)


def _validate_status(new: Obj, old: Obj | None) -> list[Cause]:
    path = "status.conditions"
    conditions = entries(new, "status", "conditions")
    types = [each["type"] for each in conditions]
    causes: list[Cause] = []
    for index, each in enumerate(conditions):
        allowed = ("True",) if each["type"] in (APPROVED, DENIED, FAILED) else _STATUSES
        if not each["status"]:
            causes.append(required(f"{path}[{index}].status"))
        elif each["status"] not in allowed:
            causes.append(unsupported(f"{path}[{index}].status", each["status"], allowed))
        if not each["type"]:
            causes.append(required(f"{path}[{index}].type"))
        if each["type"] in types[:index]:
            causes.append(duplicate(f"{path}[{index}].type", each["type"]))
    if APPROVED in types and DENIED in types:
        last = max(types.index(APPROVED), types.index(DENIED))
        problem = "Approved and Denied conditions are mutually exclusive"
        causes.append(invalid(path, types[last], problem))
    before = [each["type"] for each in entries(old or {}, "status", "conditions")]
    for word in (APPROVED, DENIED, FAILED):
        if word in before and word not in types:
            causes.append(forbidden(path, f'updates may not remove a condition of type "{word}"'))
    return causes + _validate_certificate(new, old)


def _validate_certificate(new: Obj, old: Obj | None) -> list[Cause]:
    path = "status.certificate"
    now, before = text(new, "status", "certificate"), text(old or {}, "status", "certificate")
    if now == before:
        return []
    causes: list[Cause] = []
    problem = certificates_problem(decoded(now)) if now else ""
    if problem:
        causes.append(Cause(path, f'Invalid value: "<certificate data>": {problem}'))
    if before:
        causes.append(forbidden(path, "updates may not modify existing certificate content"))
    return causes


_STATUSES = ("False", "True", "Unknown")


def _keep(new: Obj, old: Obj) -> None:
    """A request stays as it was made."""
    new["spec"] = old["spec"]


def _condition(request: Obj, now_ns: int) -> str:
    types = {each["type"] for each in entries(request, "status", "conditions")}
    shown = [word for word in (APPROVED, DENIED) if word in types] or ["Pending"]
    shown += [FAILED] if FAILED in types else []
    if request.get("status", {}).get("certificate"):
        shown.append("Issued")
    return ",".join(shown)


def _life(request: Obj, now_ns: int) -> str:
    life_s = request["spec"].get("expirationSeconds")
    return NONE if life_s is None else f"{life_s}s"


KIND = upstream_kind(
    resource_named("certificates.k8s.io", "certificatesigningrequests"),
    "A request for a certificate.",
    name_rule=path_segment,
    subresources=(STATUS_SUBRESOURCE, Subresource("approval", ("get", "patch", "update"))),
    validate=_validate,
    validate_status=_validate_status,
    on_update=_keep,
    columns=(
        NAME,
        AGE,
        Column("SignerName", of("spec.signerName")),
        Column("Requestor", of("spec.username")),
        Column("RequestedDuration", _life),
        Column("Condition", _condition),
    ),
)

SERVED_FIELDS = {
    "certificates.v1.CertificateSigningRequest": acted("apiserver", "spec"),
    "certificates.v1.CertificateSigningRequestSpec": acted(
        "apiserver kinds", "request signerName expirationSeconds usages username uid groups extra"
    ),
}
