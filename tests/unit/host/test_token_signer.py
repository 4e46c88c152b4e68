"""A token says what was signed, and nothing that was not."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mizzen.host.token_signer import InvalidToken, TokenSigner, ensure_key, unverified_claims

CLAIMS = {"iss": "me", "sub": "you", "n": 1}


@pytest.fixture
def signer(tmp_path: Path) -> TokenSigner:
    ensure_key(tmp_path / "key")
    return TokenSigner(tmp_path / "key")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_what_is_signed_is_read_again(signer: TokenSigner) -> None:
    token = signer.sign(CLAIMS)
    assert signer.verify(token) == CLAIMS == unverified_claims(token)
    assert json.loads(decoded(token.split(".")[0])) == {"alg": "ES256", "kid": signer.key_id}


def test_others_verify_it_by_the_public_key(signer: TokenSigner) -> None:
    (key,) = signer.public_keys()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    x, y = (int.from_bytes(decoded(key[name]), "big") for name in "xy")
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signed, _, signature = signer.sign(CLAIMS).rpartition(".")
    r, s = decoded(signature)[:32], decoded(signature)[32:]
    der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    public.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "key"
    ensure_key(file)
    made = file.read_bytes()
    ensure_key(file)
    assert file.read_bytes() == made and file.stat().st_mode & 0o777 == 0o600


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_another_key_signed_or_none_is_refused(signer: TokenSigner, tmp_path: Path) -> None:
    ensure_key(tmp_path / "other")
    strange = TokenSigner(tmp_path / "other").sign(CLAIMS)
    head, claims, signature = signer.sign(CLAIMS).split(".")
    forged = encoded({**CLAIMS, "sub": "root"})
    none = encoded({"alg": "none"})
    for token in (
        strange,
        f"{head}.{forged}.{signature}",
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        f"{head}.{claims}.{signature[:-8]}",
        f"{head}.{claims}",
        f"{head}.{claims}.{signature}.{signature}",
        f"!!.{claims}.{signature}",
        f"{encoded([])}.{claims}.{signature}",
        "x" * 100_000,
        "",
    ):
        with pytest.raises(InvalidToken):
            signer.verify(token)
