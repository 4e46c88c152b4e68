"""Requests for certificates, good and bad, as they are sent to Mizzen and to kube-apiserver."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
OTHER = "example.com/signer"
CLIENT_USAGES = ("digital signature", "client auth")

Ask = Callable[[str, str, Any], tuple[int, Any]]  # method, path, body -> status, answer


def pem_request(
    user: str = "jane",
    groups: Sequence[str] = (),
    dns: Sequence[str] = (),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """A PKCS#10 request as PEM."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in groups]
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if dns:
        names = x509.SubjectAlternativeName([x509.DNSName(each) for each in dns])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def wish(
    request: bytes,
    signer: str = CLIENT,
    usages: Sequence[str] = CLIENT_USAGES,
    name: str = "wish",
    **spec: Any,
) -> dict[str, Any]:
    """The CertificateSigningRequest that holds it."""
    encoded = base64.b64encode(request).decode()
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {"request": encoded, "signerName": signer, "usages": list(usages), **spec},
    }


def _broken_signature() -> bytes:
    der = bytearray(base64.b64decode(b"".join(GOOD.split(b"\n")[1:-2])))
    der[-1] ^= 1
    return armoured(bytes(der))


def armoured(der: bytes, kind: str = "CERTIFICATE REQUEST", header: str = "") -> bytes:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {kind}-----\n{header}{text}-----END {kind}-----\n".encode()


GOOD = pem_request()
DER = base64.b64decode(b"".join(GOOD.split(b"\n")[1:-2]))
CREATED: dict[str, Any] = {
    "good": wish(GOOD),
    "text before": wish(b"hello\n" + GOOD),
    "headers": wish(armoured(DER, header="a: b\n\n")),
    "two blocks": wish(GOOD + pem_request("other")),
    "another block first": wish(armoured(b"x", "THING") + GOOD),
    "no PEM": wish(b"hi"),
    "empty": wish(b""),
    "another type": wish(armoured(DER, "NEW CERTIFICATE REQUEST")),
    "wrong signature": wish(_broken_signature()),
    "masters": wish(pem_request(groups=["system:masters"])),
    "masters elsewhere": wish(pem_request(groups=["system:masters"]), OTHER),
    "no usages": wish(GOOD, usages=()),
    "usage twice": wish(GOOD, usages=("client auth", "client auth")),
    "unknown usage": wish(GOOD, usages=("client auth", "bogus")),
    "short life": wish(GOOD, expirationSeconds=599),
    "long life": wish(GOOD, expirationSeconds=600),
    "legacy": wish(GOOD, "kubernetes.io/legacy-unknown"),
    "no signer": wish(GOOD, ""),
    "everything wrong": wish(b"hi", "x", (), expirationSeconds=-1),
} | {
    f"signer {signer}": wish(GOOD, signer)
    for signer in (
        "a", "a/b", "a.b/", "/b", "a.b/c/d", "A.b/c", "a.b/C", "a.b/c_d", "a.b/c..d", "a.b/-c",
        "-a.b/c", "a..b/c", "kubernetes.io/other", f"{'a' * 64}.b/c", f"a.b/{'c' * 64}",
        f"a.b/{'.'.join(['c' * 63] * 9)}", "a.b/c.d", "a.b/c:d",
    )
}  # fmt: skip


def create_all(ask: Ask) -> dict[str, Any]:
    """The answers to dry creates of all."""
    return {case: ask("POST", f"{REQUESTS}?dryRun=All", body) for case, body in CREATED.items()}


def _condition(kind: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status}


def change_all(ask: Ask) -> list[Any]:
    """The answers to writes of one request's approval and status, one after another."""
    ask("DELETE", f"{REQUESTS}/changes", None)
    body = wish(GOOD, OTHER, name="changes")
    body["spec"]["username"] = "somebody"
    body["status"] = {"conditions": [_condition("Approved")], "certificate": "aGk="}
    answers = [ask("POST", REQUESTS, body)]

    def write(below: str, conditions: list[Any], certificate: bytes | None = None) -> None:
        now = ask("GET", f"{REQUESTS}/changes", None)[1]
        now["status"] = {"conditions": conditions}
        if certificate is not None:
            now["status"]["certificate"] = base64.b64encode(certificate).decode()
        answers.append(ask("PUT", f"{REQUESTS}/changes{below}", json.loads(json.dumps(now))))

    write("/status", [_condition("Approved")])
    write("/approval", [_condition("Approved", "False")])
    write("/approval", [_condition("Approved", ""), _condition("", "True")])
    write("/approval", [_condition("Approved"), _condition("Denied")])
    write("/approval", [_condition("Approved"), _condition("Approved")])
    write("/approval", [_condition("Approved")], b"hi")
    approved = ask("GET", f"{REQUESTS}/changes", None)[1].get("status", {}).get("conditions", [])
    write("/approval", [])
    write("/approval", [*approved, _condition("Denied")])
    write("/status", [])
    write("/status", [{**each, "message": "changed"} for each in approved])
    write("/status", [*approved, _condition("Mine", "Maybe")])
    write("/status", approved, b"hi")
    write("/status", approved, armoured(DER))
    write("/status", approved, armoured(CERTIFICATE, "CERTIFICATE", "a: b\n\n"))
    write("/status", approved, armoured(CERTIFICATE, "CERTIFICATE"))
    write("/status", approved, armoured(CERTIFICATE, "CERTIFICATE") * 2)
    write("/status", approved, b"")
    write("/status", [*approved, _condition("Failed")], armoured(CERTIFICATE, "CERTIFICATE"))
    write("", [_condition("Denied")])
    ask("DELETE", f"{REQUESTS}/changes", None)
    return answers


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = (  # of a hundred years: requests go when their certificates have ended
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


CERTIFICATE = _certificate()
