"""Reads PEM (RFC 7468) and what requests for certificates hold, with upstream's words for errors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded with the first request: most instances never have one
    from cryptography import x509

REQUEST, CERTIFICATE = "CERTIFICATE REQUEST", "CERTIFICATE"
_BLOCK = re.compile(
    rb"^-----BEGIN ([^\r\n]*?)-----[ \t]*\r?\n(.*?)^-----END \1-----[ \t]*\r?$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    kind: str
    has_headers: bool
    der: bytes


def blocks(pem: bytes) -> Iterator[Block]:
    """The blocks, in order; what is none is passed over."""
    for found in _BLOCK.finditer(pem):
        lines = found[2].splitlines()
        headers = [line for line in lines if b":" in line]
        body = b"".join(line.strip() for line in lines if b":" not in line)
        try:
            der = base64.b64decode(body, validate=True)
        except binascii.Error:
            continue
        yield Block(found[1].decode("latin-1"), bool(headers), der)


def parse_request(pem: bytes) -> x509.CertificateSigningRequest:
    """The PKCS#10 request of the first block. Errors: ValueError, also for a wrong signature."""
    block = next(blocks(pem), None)
    if block is None or block.kind != REQUEST:
        raise ValueError(f"PEM block type must be {REQUEST}")
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        request = x509.load_der_x509_csr(block.der)
        key, _, _ = request.public_key(), request.subject, request.extensions
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise ValueError(f"x509: malformed certificate request: {error}") from error
    if not is_signed:
        raise ValueError(_UNVERIFIED.get(type(key).__name__, "x509: verification failure"))
    return request


_UNVERIFIED = {
    "RSAPublicKey": "crypto/rsa: verification error",
    "ECPublicKey": "x509: ECDSA verification failure",
    "Ed25519PublicKey": "x509: Ed25519 verification failure",
}


def certificates_problem(pem: bytes) -> str:
    """The problem with what is to be nothing but certificates, "" where there is none."""
    count = 0
    for block in blocks(pem):
        if block.kind != CERTIFICATE:
            return f'only {CERTIFICATE} PEM blocks are allowed, found "{block.kind}"'
        if block.has_headers:
            return "no PEM block headers are permitted"
        count += 1
        from cryptography import x509

        try:
            x509.load_der_x509_certificate(block.der)
        except ValueError as error:
            return f"x509: malformed certificate: {error}"
    return "" if count else f"must contain at least one {CERTIFICATE} PEM block"
