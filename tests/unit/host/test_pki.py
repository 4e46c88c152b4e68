import base64
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from mizzen.host import pki
from mizzen.host.home import Home
from mizzen.host.records import Damaged

_DAY_NS = 86_400 * 10**9


class FixedClock:
    def __init__(self, now_ns: int = 1_900_000_000 * 10**9) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.locate(str(tmp_path), {})
    home.make()
    return home


def _names(path: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    entries = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(entry.value) for entry in entries}


def test_first_start_makes_keys_only_the_owner_reads(home: Home) -> None:
    made = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    assert {"admin", "system:mizzen:node", "system:mizzen:gateway"} <= set(made.tokens)
    assert len(set(made.tokens.values())) == len(made.tokens)
    keys = (made.key_file, made.kubelet.key_file, made.kubelet_client.key_file)
    secret = (*keys, home.pki / "ca.key", home.tokens, home.api_keys, home.kubeconfig)
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret)
    assert {"localhost", "127.0.0.1", "::1"} <= _names(made.cert_file)


def test_the_certificate_is_trusted_through_the_ca(home: Home) -> None:
    made = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(made.cert_file, made.key_file)
    ca = x509.load_pem_x509_certificate(made.ca_file.read_bytes())
    leaf = x509.load_pem_x509_certificate(made.cert_file.read_bytes())
    leaf.verify_directly_issued_by(ca)


def test_a_second_start_changes_nothing(home: Home) -> None:
    first = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    before = (first.cert_file.read_bytes(), home.kubeconfig.read_bytes())
    second = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    assert (second.cert_file.read_bytes(), home.kubeconfig.read_bytes()) == before
    assert second.tokens == first.tokens == pki.load(home).tokens


@pytest.mark.parametrize("days,renewed", [(300, False), (380, True)])
def test_renewal_near_the_end_keeps_the_authority(home: Home, days: int, renewed: bool) -> None:
    clock = FixedClock()
    made = pki.ensure(home, clock, listen="127.0.0.1", port=7443)
    before, authority = made.cert_file.read_bytes(), made.ca_file.read_bytes()
    clock.now += days * _DAY_NS
    pki.ensure(home, clock, listen="127.0.0.1", port=7443)
    assert (made.cert_file.read_bytes() != before) is renewed
    assert made.ca_file.read_bytes() == authority


def test_a_new_address_is_added_to_the_certificate(home: Home) -> None:
    pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    made = pki.ensure(home, FixedClock(), listen="192.0.2.7", port=7500)
    assert "192.0.2.7" in _names(made.cert_file)
    config = json.loads(home.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://192.0.2.7:7500"


def test_wildcard_addresses_are_reached_over_loopback() -> None:
    assert pki.server_url("0.0.0.0", 7443) == "https://127.0.0.1:7443"
    assert pki.server_url("::1", 7443) == "https://[::1]:7443"


def _is_valid_at(path: Path, now_ns: int) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    now_s = now_ns / 1e9
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins.timestamp() <= now_s < ends.timestamp()


@pytest.mark.parametrize("days", [-2, -1000, 3650, 20000])
def test_what_is_not_valid_now_is_made_anew(home: Home, days: int) -> None:
    """The clock was wrong at the first start, or years have gone by."""
    clock = FixedClock()
    pki.ensure(home, clock, listen="127.0.0.1", port=7443)
    clock.now += days * _DAY_NS
    made = pki.ensure(home, clock, listen="127.0.0.1", port=7443)
    assert _is_valid_at(made.cert_file, clock.now) and _is_valid_at(made.ca_file, clock.now)
    assert base64.b64encode(made.ca_file.read_bytes()).decode() in home.kubeconfig.read_text()


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt", "ca.key", "server.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\n", b"[]"])
def test_a_damaged_certificate_or_key_is_made_anew(home: Home, name: str, content: bytes) -> None:
    pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    (home.pki / name).write_bytes(content)
    if name == "ca.key":  # nobody needs it but for a new certificate
        (home.pki / "server.crt").unlink()
    made = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(made.cert_file, made.key_file)
    authority = x509.load_pem_x509_certificate(made.ca_file.read_bytes())
    leaf = x509.load_pem_x509_certificate(made.cert_file.read_bytes())
    leaf.verify_directly_issued_by(authority)


_NO_TOKENS = {
    "empty": b"",
    "cut off": b"{",
    "not UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "a number": b'{"admin": 5}',
    "an empty one": b'{"admin": ""}',
    "too deep": b"[" * 100_000,
    "two lines": b'{"admin": "line\\nbreak-0123456789"}',
    "one for two": b'{"a": "0123456789abcdef", "b": "0123456789abcdef"}',
}


@pytest.mark.parametrize("content", _NO_TOKENS.values(), ids=_NO_TOKENS)
def test_damaged_tokens_are_named_and_never_replaced_in_silence(home: Home, content: bytes) -> None:
    pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    home.tokens.write_bytes(content)
    for call in (
        lambda: pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443),
        lambda: pki.load(home),
    ):
        with pytest.raises(Damaged, match=r"tokens\.json cannot be read: .*; restore the file"):
            call()
    assert home.tokens.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"[5]", b"\xff", b'["short"]'])
def test_damaged_api_keys_are_named(home: Home, content: bytes) -> None:
    pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    home.api_keys.write_bytes(content)
    with pytest.raises(Damaged, match=r"api-keys\.json cannot be read"):
        pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)


def test_one_certificate_alone_is_a_clients(home: Home) -> None:
    """The API server shows it to agents; a server's certificate lets nobody in there."""
    made = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    purposes = {
        path.name: list(
            x509.load_pem_x509_certificate(path.read_bytes())
            .extensions.get_extension_for_class(x509.ExtendedKeyUsage)
            .value
        )
        for path in (made.cert_file, made.kubelet.cert_file, made.kubelet_client.cert_file)
    }
    server, client = (
        x509.oid.ExtendedKeyUsageOID.SERVER_AUTH,
        x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH,
    )
    assert purposes == {
        "server.crt": [server],
        "kubelet.crt": [server],
        "kubelet-client.crt": [client],
    }


def test_a_home_from_before_gets_what_it_lacks_and_keeps_its_authority(home: Home) -> None:
    made = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    authority = made.ca_file.read_bytes()
    made.kubelet_client.key_file.unlink()
    made = pki.ensure(home, FixedClock(), listen="127.0.0.1", port=7443)
    assert made.kubelet_client.key_file.exists() and made.ca_file.read_bytes() == authority
