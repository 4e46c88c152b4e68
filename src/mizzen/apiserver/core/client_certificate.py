"""Reads off a client's certificate whom it is of, as upstream's request authenticator does.

That its authority is the instance's, and that it is for clients, is settled in the handshake.
Source: apiserver/pkg/authentication/request/x509/x509.go.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mizzen.apiserver.core.user import User

CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
UID_OID = "1.3.6.1.4.1.57683.2"  # of a user's uid in a distinguished name
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """`user` is None where it names nobody; `error` says why it is of no use, "" otherwise."""

    user: User | None
    begins_ns: int
    ends_ns: int
    error: str = ""


def client_certificate(der: bytes) -> ClientCertificate:
    """Errors: ValueError for what is no certificate."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parsed = x509.load_der_x509_certificate(der)
    names: list[str] = []
    groups: list[str] = []
    uids: list[str] = []
    for attribute in parsed.subject:
        value = attribute.value
        text = value if isinstance(value, str) else value.decode("latin-1")
        if attribute.oid == NameOID.COMMON_NAME:
            names.append(text)
        elif attribute.oid == NameOID.ORGANIZATION_NAME:
            groups.append(text)
        elif attribute.oid.dotted_string == UID_OID:
            uids.append(text)
    begins_ns = int(parsed.not_valid_before_utc.timestamp()) * _SECOND_NS
    ends_ns = int(parsed.not_valid_after_utc.timestamp()) * _SECOND_NS
    error = ""
    if len(uids) > 1:
        error = f"expected 1 UID, but found multiple: {uids}"
    elif uids == [""]:
        error = "UID cannot be an empty string"
    if error or not names or not names[-1]:
        return ClientCertificate(None, begins_ns, ends_ns, error)
    extra = {CREDENTIAL_ID: (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    user = User(names[-1], "".join(uids), tuple(groups), extra)
    return ClientCertificate(user, begins_ns, ends_ns)
