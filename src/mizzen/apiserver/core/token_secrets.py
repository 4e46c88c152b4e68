"""Secrets that hold a token of a ServiceAccount: what is to be in them, and when their token counts.

Source: pkg/controller/serviceaccount/tokens_controller.go, pkg/serviceaccount/legacy.go, Kubernetes 1.36.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import NamedTuple

from mizzen.apiserver.core.user import (
    AUTHENTICATED,
    SERVICE_ACCOUNT_PREFIX,
    User,
    service_account_groups,
)
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, is_terminating
from mizzen.base.reading import entries, field, part, text
from mizzen.kinds.core.secret import ACCOUNT_NAME, ACCOUNT_UID, SERVICE_ACCOUNT_TOKEN

ISSUER = "kubernetes/serviceaccount"
LAST_USED = "kubernetes.io/legacy-token-last-used"  # labels, each a day
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
GENERATED = (
    "Use tokens from the TokenRequest API or manually created secret-based tokens instead of "
    "auto-generated secret-based tokens."
)
_TOKEN, _AUTHORITY, _NAMESPACE = "token", "ca.crt", "namespace"
_CLAIM = "kubernetes.io/serviceaccount/"
_MARK = SERVICE_ACCOUNT_TOKEN.encode()


class Claims(NamedTuple):
    """What a Secret's token says; it names no end and no audience."""

    namespace: str
    secret: str
    account: str
    uid: str  # the account's

    @property
    def user(self) -> User:
        return User(
            f"{SERVICE_ACCOUNT_PREFIX}{self.namespace}:{self.account}",
            self.uid,
            (*service_account_groups(self.namespace), AUTHENTICATED),
        )


def day_of(now_ns: int) -> str:
    """As labels have it."""
    return rfc3339(now_ns)[:10]


def may_be_one(data: bytes) -> bool:
    """False for the JSON of a Secret that is none of these, without reading it."""
    return _MARK in data


def account_name(secret: Obj) -> str:
    """The account whose token is to be in the Secret, "" where it is of another type."""
    is_one = secret.get("type") == SERVICE_ACCOUNT_TOKEN
    return text(secret, "metadata", "annotations", ACCOUNT_NAME) if is_one else ""


def belongs_to(secret: Obj, account: Obj | None) -> bool:
    """`account` is the one of that name; one that was made anew is another."""
    if account is None:
        return False
    uid = text(secret, "metadata", "annotations", ACCOUNT_UID)
    return uid in ("", account["metadata"]["uid"])


def filled(secret: Obj, account: Obj, root_ca: str, sign: Callable[[Obj], str]) -> Obj | None:
    """The Secret with what it lacks, None where it lacks nothing or cannot be changed."""
    data = dict(part(secret, "data"))
    metadata = secret["metadata"]
    authority = _encoded(root_ca)
    if root_ca and data.get(_AUTHORITY) != authority:
        data[_AUTHORITY] = authority
    data[_NAMESPACE] = data.get(_NAMESPACE) or _encoded(metadata["namespace"])
    if not data.get(_TOKEN):
        data[_TOKEN] = _encoded(sign(_claims(secret, account)))
    if data == part(secret, "data") or secret.get("immutable"):
        return None
    owner = {ACCOUNT_NAME: account["metadata"]["name"], ACCOUNT_UID: account["metadata"]["uid"]}
    annotations = {**part(metadata, "annotations"), **owner}
    return {**secret, "metadata": {**metadata, "annotations": annotations}, "data": data}


def _claims(secret: Obj, account: Obj) -> Obj:
    namespace, name = account["metadata"]["namespace"], account["metadata"]["name"]
    return {
        "iss": ISSUER,
        f"{_CLAIM}namespace": namespace,
        f"{_CLAIM}secret.name": secret["metadata"]["name"],
        f"{_CLAIM}service-account.name": name,
        f"{_CLAIM}service-account.uid": account["metadata"]["uid"],
        "sub": f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}",
    }


def claims_of(said: Obj) -> Claims | None:
    """None of a token that says less than it must, or of another than it says."""
    found = Claims(
        text(said, f"{_CLAIM}namespace"),
        text(said, f"{_CLAIM}secret.name"),
        text(said, f"{_CLAIM}service-account.name"),
        text(said, f"{_CLAIM}service-account.uid"),
    )
    subject = f"{SERVICE_ACCOUNT_PREFIX}{found.namespace}:{found.account}"
    return found if all(found) and said.get("sub") == subject else None


def problem(claims: Claims, token: str, secret: Obj | None, account: Obj | None) -> str:
    """Why the token does not count, "" if it does."""
    if secret is None or is_terminating(secret):
        return "Token has been invalidated"
    if not hmac.compare_digest(text(secret, "data", _TOKEN).encode(), _encoded(token).encode()):
        return "Token does not match server's copy"
    if account is None:
        return f'serviceaccounts "{claims.account}" not found'
    if is_terminating(account):
        return f"ServiceAccount {claims.namespace}/{claims.account} has been deleted"
    uid = account["metadata"]["uid"]
    if uid != claims.uid:
        return f"ServiceAccount UID ({uid}) does not match claim ({claims.uid})"
    if field(secret, "metadata", "labels", INVALID_SINCE):
        return (
            f"the token in secret {claims.namespace}/{claims.secret} for service account "
            f"{claims.namespace}/{claims.account} has been marked invalid. Use tokens from the "
            "TokenRequest API or manually created secret-based tokens, or remove the "
            f"'{INVALID_SINCE}' label from the secret to temporarily allow use of this token"
        )
    return ""


def is_generated(claims: Claims, account: Obj) -> bool:
    """True if the account lists the Secret, as those are that were made of their own accord."""
    return any(each.get("name") == claims.secret for each in entries(account, "secrets"))


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
