"""Which requests are a kubelet's, which signers sign them, and when they go."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.certificate_requests import (
    CLIENT,
    KUBELET_CLIENT,
    KUBELET_SERVING,
    SIGNERS,
    Names,
    is_old,
    is_signable,
    life_s,
    names_of,
)
from mizzen.base.clock import rfc3339
from mizzen.kinds.certificates.pem import parse_request
from support.certificate_cases import pem_request

NODE = Names("system:node:n1", ("system:nodes",))
SERVING = Names("system:node:n1", ("system:nodes",), dns=True)
SIGN, KEY = "digital signature", "key encipherment"
NOW_NS = 1_800_000_000 * 10**9


def test_names_are_read_off_a_request() -> None:
    pem = pem_request("system:node:n1", ["system:nodes"], dns=["n1"])
    assert names_of(parse_request(pem)) == SERVING


@pytest.mark.parametrize(
    ("signer", "names", "usages", "problem"),
    [
        (KUBELET_CLIENT, NODE, (SIGN, "client auth"), ""),
        (KUBELET_CLIENT, NODE, (SIGN, KEY, "client auth"), ""),
        (KUBELET_CLIENT, NODE, (SIGN, "server auth"), "usages did not match"),
        (KUBELET_CLIENT, SERVING, (SIGN, "client auth"), "DNS subjectAltNames are not allowed"),
        (KUBELET_CLIENT, Names("n1", ("system:nodes",)), (SIGN, "client auth"), "common name"),
        (KUBELET_CLIENT, Names("system:node:n1", ("a",)), (SIGN, "client auth"), "organization"),
        (KUBELET_SERVING, SERVING, (SIGN, KEY, "server auth"), ""),
        (KUBELET_SERVING, NODE, (SIGN, "server auth"), "DNS or IP subjectAltName is required"),
        (CLIENT, Names("jane", ()), ("client auth",), ""),
        (CLIENT, Names("jane", ()), (SIGN,), "missing required usage"),
        (CLIENT, Names("jane", ()), ("client auth", "server auth"), "invalid usage"),
    ],
)
def test_a_signer_signs_what_it_is_for(
    signer: str, names: Names, usages: tuple[str, ...], problem: str
) -> None:
    found = SIGNERS[signer](names, usages)
    assert (problem in found) if problem else not found


@pytest.mark.parametrize(
    ("wanted", "given"), [(None, 31_536_000), (3600, 3600), (10, 600), (10**9, 31_536_000)]
)
def test_a_certificate_lives_as_long_as_is_asked_for_and_a_year_at_most(
    wanted: int | None, given: int
) -> None:
    assert life_s({} if wanted is None else {"expirationSeconds": wanted}) == given


def request(age_s: int, *words: str, certificate: str = "") -> dict[str, Any]:
    at = rfc3339(NOW_NS - age_s * 10**9)
    conditions = [{"type": word, "status": "True", "lastUpdateTime": at} for word in words]
    status = {"conditions": conditions, "certificate": certificate}
    return {"metadata": {"creationTimestamp": at}, "status": status}


@pytest.mark.parametrize(
    ("made", "ends_s", "expected"),
    [
        (request(23 * 3600), None, False),
        (request(25 * 3600), None, True),
        (request(3500, "Denied"), None, False),
        (request(3700, "Denied"), None, True),
        (request(3700, "Approved", "Failed"), None, True),
        (request(3700, "Approved"), None, False),
        (request(3700, "Approved", certificate="x"), 100, True),
        (request(60, "Approved", certificate="x"), 100, False),
        (request(60, "Approved", certificate="x"), -1, True),
    ],
)
def test_a_request_goes_when_nobody_waits_for_it(
    made: dict[str, Any], ends_s: int | None, expected: bool
) -> None:
    ends_ns = None if ends_s is None else NOW_NS + ends_s * 10**9
    assert is_old(made, NOW_NS, ends_ns) is expected


def test_what_is_approved_and_neither_signed_nor_failed_is_to_be_signed() -> None:
    assert is_signable(request(1, "Approved"))
    assert not is_signable(request(1))
    assert not is_signable(request(1, "Approved", "Failed"))
    assert not is_signable(request(1, "Denied"))
    assert not is_signable(request(1, "Approved", certificate="x"))
