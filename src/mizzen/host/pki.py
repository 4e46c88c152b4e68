"""Keys, certificates and tokens of one instance, and the kubeconfigs made of them.

Tokens and the CA live as long as the instance; certificates are renewed when the listen address
changes or a month before they end. The instance's own roles are known by tokens; the API server
shows a certificate to the agents of nodes, as users may to the API server.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mizzen.base.clock import Clock
from mizzen.base.names import ADMIN, IDENTITY_PREFIX, KUBELET_CLIENT
from mizzen.host import records
from mizzen.host.files import write_atomically
from mizzen.host.home import Home
from mizzen.host.mutual_tls import MutualTls
from mizzen.host.token_signer import ensure_key

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

FRONT_PROXY = "front-proxy-client"
COMPONENTS = ("controllers", "scheduler", "node", "gateway")
_CA_DAYS = 3650
_SERVER_DAYS = 397  # what clients accept at most of a server certificate
_RENEW_DAYS = 30
_BACKDATED = timedelta(hours=1)  # so that a clock that is set back a little ends nothing
_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")  # RFC 6750, 2.1
_ALWAYS_NAMED = (
    "localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pki:
    """The API server's certificate, those of the API server and the nodes' agents for each other,
    and the user of each token."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    tokens: Mapping[str, str]  # identity -> token
    kubelet: MutualTls
    kubelet_client: MutualTls
    service_account_key: Path
    front_proxy: MutualTls  # shown to aggregated API servers, which know it by this authority


def ensure(home: Home, clock: Clock, *, listen: str, port: int, service_address: str = "") -> Pki:
    """Makes what is missing or due, and writes the kubeconfigs for this address.

    `service_address` is that of the Service `kubernetes`, by which pods find the API server.

    Each file is replaced atomically; interrupted at any point, the next call completes it.
    Certificates that are not valid at this moment (the clock was wrong when they were made) or
    that cannot be read are made anew. Errors: OSError when the folders cannot be written,
    records.Damaged where tokens cannot be read.
    """
    now = datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
    paths = _places(home, _tokens(home.tokens))
    own = (service_address,) if service_address else ()
    _ensure_certificates(paths, home.pki / "ca.key", (*_ALWAYS_NAMED, listen, *own), now)
    ensure_key(paths.service_account_key)
    _api_keys(home.api_keys)
    load_api_keys(home)
    authority = paths.ca_file.read_bytes()
    server = server_url(listen, port)
    for identity, token in paths.tokens.items():
        where = home.kubeconfig if identity == ADMIN else component_kubeconfig(home, identity)
        text = kubeconfig(server, authority, identity, token)
        if not where.is_file() or where.read_bytes() != text.encode():
            write_atomically(where, text.encode(), mode=0o600, durable=False)
    return paths


def server_url(listen: str, port: int) -> str:
    """The URL local clients use: a wildcard address is reached over loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(listen, listen)
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def component_kubeconfig(home: Home, identity: str) -> Path:
    return home.pki / f"{identity.removeprefix(IDENTITY_PREFIX)}.kubeconfig"


def load(home: Home) -> Pki:
    """The files of `ensure`. Errors: FileNotFoundError before the first start, records.Damaged."""
    return _places(home, _read_tokens(home.tokens))


def certify_kubelet(
    home: Home, clock: Clock, folder: Path, node: str, addresses: Sequence[str]
) -> MutualTls:
    """The serving certificate of a kubelet at these addresses, made in `folder` with a new key, and
    a copy of the authority by which it knows the API server.

    Errors: FileNotFoundError before the first start, OSError.
    """
    now = datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
    made = MutualTls(folder / "ca.crt", folder / "kubelet.crt", folder / "kubelet.key")
    authority = _Authority(home.pki / "ca.key", home.pki / "ca.crt", now)
    write_atomically(made.ca_file, (home.pki / "ca.crt").read_bytes())
    authority.certify(f"system:node:{node}", made.cert_file, made.key_file, (*addresses, node))
    return made


def client_certificate(
    home: Home, now: datetime, user: str, groups: Sequence[str] = ()
) -> tuple[bytes, bytes]:
    """A certificate by which the API server knows its holder as this user, and its key, as PEM.

    It is shown at the port for certificates (`Settings.certificate_port`), for 397 days.
    Errors: OSError before the first start.
    """
    return _Authority(home.pki / "ca.key", home.pki / "ca.crt", now).make(user, groups, ())


def kubelet_tls(home: Home) -> MutualTls:
    """The certificate and trust of the agent's own API."""
    return _mutual_tls(home, "kubelet")


def _mutual_tls(home: Home, name: str) -> MutualTls:
    return MutualTls(home.pki / "ca.crt", home.pki / f"{name}.crt", home.pki / f"{name}.key")


def _places(home: Home, tokens: Mapping[str, str]) -> Pki:
    folder = home.pki
    authority = folder / "ca.crt"
    return Pki(
        authority,
        folder / "server.crt",
        folder / "server.key",
        tokens,
        kubelet_tls(home),
        _mutual_tls(home, "kubelet-client"),
        folder / "service-account.key",
        MutualTls(
            folder / "front-proxy-ca.crt",
            folder / "front-proxy-client.crt",
            folder / "front-proxy-client.key",
        ),
    )


def load_api_keys(home: Home) -> list[str]:
    """Errors: FileNotFoundError before the first start, records.Damaged."""
    advice = "restore the file, or delete it and `mizzen up` makes a new key"
    found: Any = records.read(home.api_keys, advice)
    keys = cast("list[Any]", found if isinstance(found, list) else [])
    if not keys or not all(_is_secret(key) for key in keys):
        raise records.damaged(home.api_keys, "it is no list of keys", advice)
    return keys


def kubeconfig(server: str, authority: bytes, identity: str, token: str) -> str:
    """A kubeconfig (v1 Config) as JSON, which is YAML too and needs no quoting rules."""
    return _kubeconfig(server, authority, identity, {"token": token})


def certificate_kubeconfig(
    server: str, authority: bytes, identity: str, certificate: bytes, key: bytes
) -> str:
    """As `kubeconfig`, for a server's port for certificates."""
    pair = {"client-certificate-data": certificate, "client-key-data": key}
    data = {name: base64.b64encode(value).decode() for name, value in pair.items()}
    return _kubeconfig(server, authority, identity, data)


def _kubeconfig(server: str, authority: bytes, identity: str, user: Mapping[str, str]) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mizzen",
        "clusters": [
            {
                "name": "mizzen",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": identity, "user": user}],
        "contexts": [
            {
                "name": "mizzen",
                "context": {"cluster": "mizzen", "user": identity, "namespace": "default"},
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _tokens(path: Path) -> dict[str, str]:
    known: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        known = _read_tokens(path)
    wanted = [ADMIN, *(IDENTITY_PREFIX + name for name in COMPONENTS)]
    tokens = {name: known.get(name) or secrets.token_urlsafe(32) for name in wanted}
    if tokens != known:
        write_atomically(path, json.dumps(tokens, indent=2).encode(), mode=0o600)
    return tokens


def _read_tokens(path: Path) -> dict[str, str]:
    """Errors: FileNotFoundError, records.Damaged: new tokens would lock out holders of old ones."""
    advice = "restore the file, or delete it and `mizzen up` makes new tokens and kubeconfigs"
    found: Any = records.read(path, advice)
    if not isinstance(found, dict):
        raise records.damaged(path, "it is no object of names and tokens", advice)
    tokens = cast("dict[str, Any]", found)
    for name, token in tokens.items():
        if not _is_secret(token):
            raise records.damaged(path, f"the token of {name!r} is none", advice)
    if len(set(tokens.values())) < len(tokens):
        raise records.damaged(path, "one token stands for two identities", advice)
    return tokens


def _is_secret(value: Any) -> bool:
    """True if the value can be sent as a bearer token and is not easily guessed."""
    return isinstance(value, str) and _SECRET.fullmatch(value) is not None


def _api_keys(path: Path) -> None:
    if not path.exists():  # a damaged one is left: whoever has a key may restore it
        keys = [f"mz-{secrets.token_urlsafe(24)}"]
        write_atomically(path, json.dumps(keys).encode(), mode=0o600)


def _ensure_certificates(paths: Pki, ca_key: Path, names: Sequence[str], now: datetime) -> None:
    # Loading the cryptography package takes tens of milliseconds: leave it out of a plain restart.
    stamp = paths.cert_file.with_suffix(".json")
    proxy = paths.front_proxy
    pairs = (paths.kubelet, paths.kubelet_client, proxy)
    files = [paths.ca_file, paths.cert_file, paths.key_file, proxy.ca_file]
    files += [file for pair in pairs for file in (pair.cert_file, pair.key_file)]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        made = json.loads(stamp.read_bytes())
        is_due = not made["from"] <= now.timestamp() < made["renew"]
        is_whole = made["sum"] == _sum(files)
        if is_whole and not is_due and set(names) <= set(made["names"]):
            return
    if not _is_usable(ca_key, paths.ca_file, now):
        _make_authority(ca_key, paths.ca_file, now)
    authority = _Authority(ca_key, paths.ca_file, now)
    # What a crash leaves half written does not have the stamp's sum, and is made anew.
    for common, made, own in (
        ("mizzen-apiserver", (paths.cert_file, paths.key_file), names),
        ("mizzen-node", (paths.kubelet.cert_file, paths.kubelet.key_file), names),
        (KUBELET_CLIENT, (paths.kubelet_client.cert_file, paths.kubelet_client.key_file), ()),
    ):
        authority.certify(common, *made, own, durable=False)
    # An authority of its own: who has another certificate of ours speaks in nobody's name.
    proxy_key = ca_key.with_name("front-proxy-ca.key")
    if not _is_usable(proxy_key, proxy.ca_file, now):
        _make_authority(proxy_key, proxy.ca_file, now)
    authority = _Authority(proxy_key, proxy.ca_file, now)
    authority.certify(FRONT_PROXY, proxy.cert_file, proxy.key_file, (), durable=False)
    record = {
        "names": sorted(set(names)),
        "from": int((now - _BACKDATED).timestamp()),
        "renew": int((now + timedelta(days=_SERVER_DAYS - _RENEW_DAYS)).timestamp()),
        "sum": _sum(files),
    }
    write_atomically(stamp, json.dumps(record).encode(), durable=False)


def _sum(files: Sequence[Path]) -> str:
    """A digest by which files are recognised as those that were made together."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _is_usable(key_file: Path, cert_file: Path, now: datetime) -> bool:
    """True if the authority can be read, is one pair, and is valid for as long as a server's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
    except (OSError, ValueError, TypeError):
        return False
    last = now + timedelta(days=_SERVER_DAYS)
    is_valid = certificate.not_valid_before_utc <= now and last < certificate.not_valid_after_utc
    return is_valid and certificate.public_key() == key.public_key()


def _make_authority(key_file: Path, cert_file: Path, now: datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"mizzen {secrets.token_hex(4)}")
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key, now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_atomically(key_file, _key_pem(key), mode=0o600)
    write_atomically(cert_file, _cert_pem(certificate))


def self_signed(common: str, now: datetime) -> bytes:
    """A self-signed certificate for a server, and its key, as PEM."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), _name(common)
    names = _alternative_names((common, *_ALWAYS_NAMED))
    builder = _builder(name, name, key, now, _CA_DAYS).add_extension(names, critical=False)
    return _cert_pem(builder.sign(key, hashes.SHA256())) + _key_pem(key)


class _Authority:
    """Certifies keys that it makes."""

    def __init__(self, key_file: Path, cert_file: Path, now: datetime) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the CA's key is always an EC key"
        self._key = key
        self._subject = x509.load_pem_x509_certificate(cert_file.read_bytes()).subject
        self._now = now

    def certify(
        self,
        common: str,
        cert_file: Path,
        key_file: Path,
        names: Sequence[str],
        *,
        durable: bool = True,
    ) -> None:
        """A server of these names; a client where there are none."""
        certificate, key = self.make(common, (), names)
        write_atomically(key_file, key, mode=0o600, durable=durable)
        write_atomically(cert_file, certificate, durable=durable)

    def make(
        self, common: str, organizations: Sequence[str], names: Sequence[str]
    ) -> tuple[bytes, bytes]:
        """The certificate of a new key, and the key, as PEM."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = ec.generate_private_key(ec.SECP256R1())
        role = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_name(common, *organizations), self._subject, key, self._now, _SERVER_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([role]), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names:
            builder = builder.add_extension(_alternative_names(names), critical=False)
        return _cert_pem(builder.sign(self._key, hashes.SHA256())), _key_pem(key)


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    from cryptography import x509

    entries: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            entries.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            entries.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(entries)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common: str, *organizations: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _cert_pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
