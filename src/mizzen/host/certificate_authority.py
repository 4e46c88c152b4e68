"""Signs requests for certificates with an authority's key, as upstream's local signer does.

Source: pkg/controller/certificates/authority. Certificates have the subject and the alternative
names of their requests, no other extension of theirs, and are never an authority's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography import x509

_BACKDATE = timedelta(minutes=5)
_SHORT = timedelta(hours=8)  # below it the end is not moved by what the beginning is


class CertificateAuthority:
    """An authority whose files are read when first needed."""

    def __init__(self, key_file: Path, cert_file: Path) -> None:
        self._key_file, self._cert_file = key_file, cert_file

    @cached_property
    def _pair(self) -> tuple[Any, x509.Certificate]:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        return key, x509.load_pem_x509_certificate(self._cert_file.read_bytes())

    def sign(
        self,
        request: x509.CertificateSigningRequest,
        usages: Iterable[str],
        now: datetime,
        life: timedelta,
    ) -> bytes:
        """The certificate as PEM; it ends with the authority at the latest.

        Errors: OSError, ValueError where the authority has ended, KeyError for a usage that it does
        not give.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        key, authority = self._pair
        now = now.astimezone(UTC).replace(microsecond=0)
        if now >= authority.not_valid_after_utc:
            raise ValueError(f"the authority has ended at {authority.not_valid_after_utc}")
        ends = now + (life if life < _SHORT else life - _BACKDATE)
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(authority.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(min(ends, authority.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
        )
        for extension, is_critical in _usages(frozenset(usages)):
            builder = builder.add_extension(extension, critical=is_critical)
        names = _alternative_names(request)
        if names is not None:
            builder = builder.add_extension(names, critical=not list(request.subject))
        made = builder.sign(key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)


def _usages(usages: frozenset[str]) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions for these usages, each with whether it is critical. Errors: KeyError."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    extended = {
        "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
        "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    plain = usages & {"digital signature", "key encipherment"}
    purposes = [extended[each] for each in sorted(usages - plain, reverse=True)]
    made: list[tuple[x509.ExtensionType, bool]] = []
    if plain:
        usage = x509.KeyUsage(
            digital_signature="digital signature" in plain,
            key_encipherment="key encipherment" in plain,
            content_commitment=False, data_encipherment=False, key_agreement=False,
            key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made.append((usage, True))
    if purposes:
        made.append((x509.ExtendedKeyUsage(purposes), False))
    return made


def _alternative_names(
    request: x509.CertificateSigningRequest,
) -> x509.SubjectAlternativeName | None:
    """Those of the kinds that are passed on."""
    from cryptography import x509

    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    kinds = (
        x509.DNSName,
        x509.RFC822Name,
        x509.IPAddress,
        x509.UniformResourceIdentifier,
    )
    names = [each for each in found.value if isinstance(each, kinds)]
    return x509.SubjectAlternativeName(names) if names else None
