"""PEM is read as Go reads it."""

from __future__ import annotations

import pytest

from mizzen.kinds.certificates.pem import blocks, certificates_problem, parse_request
from support.certificate_cases import CERTIFICATE, DER, GOOD, armoured

SIGNED = armoured(CERTIFICATE, "CERTIFICATE")


def test_text_around_and_headers_within_are_passed_over() -> None:
    pem = b"hello\n" + armoured(b"one", "A", "k: v\n\n") + b"-----BEGIN B-----\n???\n" + SIGNED
    first, second = blocks(pem.replace(b"\n", b"\r\n"))
    assert (first.kind, first.has_headers, first.der) == ("A", True, b"one")
    assert (second.kind, second.der) == ("CERTIFICATE", CERTIFICATE)


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        (b"", "PEM block type must be"),
        (armoured(DER, "NEW CERTIFICATE REQUEST"), "PEM block type must be"),
        (armoured(DER[:-9]), "malformed"),
        (armoured(b""), "malformed"),
        (armoured(DER[:-1] + bytes([DER[-1] ^ 1])), "ECDSA verification failure"),
    ],
)
def test_what_is_no_request_is_told_so(pem: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_request(pem)


def test_a_request_says_who_asks() -> None:
    assert parse_request(GOOD).subject.rfc4514_string() == "CN=jane"


@pytest.mark.parametrize(
    ("pem", "problem"),
    [
        (SIGNED * 2, ""),
        (b"hi", "must contain at least one CERTIFICATE PEM block"),
        (SIGNED + GOOD, 'only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"'),
        (armoured(CERTIFICATE, "CERTIFICATE", "a: b\n\n"), "no PEM block headers are permitted"),
    ],
)
def test_a_status_holds_certificates_alone(pem: bytes, problem: str) -> None:
    assert certificates_problem(pem) == problem
