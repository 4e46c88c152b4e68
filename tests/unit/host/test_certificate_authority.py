"""Certificates have what their requests ask for, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mizzen.host import pki
from mizzen.host.certificate_authority import CertificateAuthority
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from support.certificate_cases import pem_request


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home.locate(str(tmp_path), {})
    made.make()
    pki.ensure(made, RealClock(), listen="127.0.0.1", port=1)
    return made


def signed(home: Home, now: datetime, life: timedelta, *usages: str) -> x509.Certificate:
    authority = CertificateAuthority(home.pki / "ca.key", home.pki / "ca.crt")
    request = x509.load_pem_x509_csr(pem_request("n", ["g"], dns=["a.b"]))
    return x509.load_pem_x509_certificate(authority.sign(request, usages, now, life))


def test_the_subject_is_kept_and_usages_are_those_allowed(home: Home) -> None:
    now = datetime.now(UTC)
    made = signed(home, now, timedelta(hours=1), "digital signature", "client auth")
    ca = x509.load_pem_x509_certificate((home.pki / "ca.crt").read_bytes())
    made.verify_directly_issued_by(ca)
    assert made.subject.rfc4514_string() == "CN=n,O=g"
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_encipherment
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical and not basic.value.ca
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.b"]


def test_short_ones_end_when_asked_and_none_outlives_the_authority(home: Home) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    backdate = timedelta(minutes=5)
    for life, whole in ((timedelta(hours=1), True), (timedelta(hours=9), False)):
        made = signed(home, now, life, "client auth")
        assert made.not_valid_before_utc == now - backdate
        assert made.not_valid_after_utc == now + life - (timedelta() if whole else backdate)
    ca = x509.load_pem_x509_certificate((home.pki / "ca.crt").read_bytes())
    last = signed(home, now, timedelta(days=9999), "client auth")
    assert last.not_valid_after_utc == ca.not_valid_after_utc
    with pytest.raises(ValueError, match="ended"):
        signed(home, ca.not_valid_after_utc, timedelta(hours=1), "client auth")
    with pytest.raises(KeyError):
        signed(home, now, timedelta(hours=1), "code signing")
