"""Signs and verifies JSON web tokens by the key of an instance (ES256), and shows its public half.

Source: RFC 7515, 7518; the key's id as kube-apiserver has it (pkg/serviceaccount/jwt.go).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mizzen.base.objects import Obj
from mizzen.host.files import write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

ALGORITHM = "ES256"
TOKEN_BYTES_MAX = 16 * 1024
_NUMBER_BYTES = 32  # of each half of a signature


class InvalidToken(Exception):
    """The text is no token, or not one that this key has signed."""


class TokenSigner:
    """The key is read, and the cryptography package loaded, when it is first used."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    def sign(self, claims: Obj) -> str:
        """The token that says these claims."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        head = {"alg": ALGORITHM, "kid": self.key_id}
        signed = f"{_encoded(_json(head))}.{_encoded(_json(claims))}"
        made = self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        halves = b"".join(n.to_bytes(_NUMBER_BYTES, "big") for n in decode_dss_signature(made))
        return f"{signed}.{_encoded(halves)}"

    def verify(self, token: str) -> Obj:
        """The claims of a token that this key has signed. Errors: InvalidToken."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        head, claims, signature = _parts(token)
        if head.get("alg") != ALGORITHM or head.get("kid", self.key_id) != self.key_id:
            raise InvalidToken("invalid signature, no keys found")
        if len(signature) != 2 * _NUMBER_BYTES:
            raise InvalidToken("invalid signature")
        r, s = signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        signed = token.rpartition(".")[0].encode()
        try:
            self._key.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise InvalidToken("invalid signature") from error
        return claims

    @cached_property
    def key_id(self) -> str:
        """A digest of the public key, by which whoever verifies picks it."""
        from cryptography.hazmat.primitives import serialization

        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return _encoded(hashlib.sha256(public).digest())

    def public_keys(self) -> Obj:
        """The JSON web key set (RFC 7517) of whoever is to verify tokens."""
        numbers = self._key.public_key().public_numbers()
        x, y = (_encoded(n.to_bytes(_NUMBER_BYTES, "big")) for n in (numbers.x, numbers.y))
        key = {"use": "sig", "kty": "EC", "kid": self.key_id, "crv": "P-256", "alg": ALGORITHM}
        return {"keys": [{**key, "x": x, "y": y}]}

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "an instance's key is always an EC key"
        return key


def ensure_key(key_file: Path) -> None:
    """Makes the key that is missing. Errors: OSError."""
    if key_file.exists():
        return
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_atomically(key_file, pem, mode=0o600)


def unverified_claims(token: str) -> Obj:
    """What a token says, whoever has signed it. Errors: InvalidToken."""
    return _parts(token)[1]


def _parts(token: str) -> tuple[Obj, Obj, bytes]:
    parts = token.split(".") if len(token) <= TOKEN_BYTES_MAX else []
    if len(parts) != 3:
        raise InvalidToken("it is no JSON web token")
    try:
        head, claims = (json.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
    except (ValueError, RecursionError) as error:
        raise InvalidToken("it is no JSON web token") from error
    if not isinstance(head, dict) or not isinstance(claims, dict):
        raise InvalidToken("it is no JSON web token")
    return cast("Obj", head), cast("Obj", claims), signature


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Errors: ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
