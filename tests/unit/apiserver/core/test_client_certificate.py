"""A certificate's subject says who its holder is, by upstream's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mizzen.apiserver.core.client_certificate import UID_OID, client_certificate

START = datetime(2026, 1, 1, tzinfo=UTC)
NAME, GROUP = NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME
UID = x509.ObjectIdentifier(UID_OID)


def certificate(*subject: tuple[x509.ObjectIdentifier, str]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def test_the_last_common_name_counts_and_every_organization() -> None:
    read = client_certificate(
        certificate((GROUP, "a"), (NAME, "first"), (GROUP, "b"), (NAME, "jane"), (UID, "u-1"))
    )
    assert read.user is not None
    assert (read.user.name, read.user.uid, read.user.groups) == ("jane", "u-1", ("a", "b"))
    assert read.ends_ns - read.begins_ns == 86_400 * 10**9
    assert read.begins_ns == int(START.timestamp()) * 10**9


def test_without_a_common_name_it_names_nobody() -> None:
    read = client_certificate(certificate((GROUP, "a")))
    assert (read.user, read.error) == (None, "")


def test_two_uids_are_an_error() -> None:
    read = client_certificate(certificate((NAME, "jane"), (UID, "1"), (UID, "2")))
    assert read.user is None and "multiple" in read.error


def test_what_is_no_certificate_is_an_error() -> None:
    with pytest.raises(ValueError):
        client_certificate(b"\x30\x00")
