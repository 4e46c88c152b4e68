"""Addresses and ranges are judged in upstream's words."""

from __future__ import annotations

import pytest

from mizzen.kinds import ip_addresses as ips


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10.9.8.7", ""),
        ("FE80:0:0:0:0:0:0:0abc", ""),
        ("010.9.8.7", "must not have leading 0s"),
        ("::ffff:1.2.3.4", "must not be an IPv4-mapped IPv6 address"),
        ("10.9.8", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("fe80::1%eth0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    ],
)
def test_addresses(value: str, said: str) -> None:
    found = [cause.message for cause in ips.check_address("a", value)]
    assert found == ([f'Invalid value: "{value}": {said}'] if said else [])
    assert ips.check_address("a", value, [value]) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10.0.0.0/8", ""),
        ("2001:db8::/64", ""),
        ("10.0.0.1/8", "must not have bits set beyond the prefix length"),
        ("10.0.0.0/08", "must not have leading 0s in IP or prefix length"),
        ("10.0.0.0", "must be a valid CIDR value"),
        ("10.0.0.0/255.0.0.0", "must be a valid CIDR value"),
        ("10.0.0.0/33", "must be a valid CIDR value"),
    ],
)
def test_ranges(value: str, said: str) -> None:
    found = [cause.message for cause in ips.check_range("a", value)]
    assert bool(found) == bool(said) and all(said in text for text in found)


def test_endpoints_may_be_loopback_addresses_but_not_of_one_link() -> None:
    assert ips.check_endpoint("a", "127.64.0.2") == []
    assert "may not be unspecified" in ips.check_endpoint("a", "0.0.0.0")[0].message
    assert "link-local range" in ips.check_endpoint("a", "169.254.1.1")[0].message
    assert "link-local multicast" in ips.check_endpoint("a", "224.0.0.5")[0].message


def test_new_fields_want_the_canonical_form() -> None:
    assert ips.check_canonical("a", "fd00::1") == []
    (cause,) = ips.check_canonical("a", "FD00::1")
    assert cause.message.endswith('must be in canonical form ("fd00::1")')
    assert ips.warnings_of("a", "FD00::1") == [
        'a: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1")'
    ]
