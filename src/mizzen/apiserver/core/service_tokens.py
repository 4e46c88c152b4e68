"""Claims of service accounts' tokens: what is signed, and whom a verified token stands for.

Source: pkg/serviceaccount/claims.go, apiserver `authentication/serviceaccount/util.go`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from mizzen.apiserver.core.user import (
    AUTHENTICATED,
    SERVICE_ACCOUNT_PREFIX,
    User,
    service_account_groups,
)
from mizzen.base.clock import parse_rfc3339
from mizzen.base.errors import Unauthorized
from mizzen.base.objects import Obj
from mizzen.base.reading import part, text
from mizzen.base.service_accounts import WARNED_LIFE_S

ISSUER = "https://kubernetes.default.svc.cluster.local"
API_AUDIENCES = (ISSUER,)
EXTENDED_LIFE_S = 365 * 24 * 60 * 60  # of tokens that ask for WARNED_LIFE_S
LEEWAY_S = 60  # between clocks; what is being deleted counts for as long
_EXTRA = "authentication.kubernetes.io/"
_KUBERNETES = "kubernetes.io"
_ACCOUNTS = "serviceaccounts"
_BOUND = (("secret", "secrets"), ("pod", "pods"), ("node", "nodes"))


class Bound(NamedTuple):
    """An object without which a token is worth nothing."""

    what: str  # in messages
    resource: str
    namespace: str
    name: str
    uid: str


def make_claims(
    account: Obj,
    bound: dict[str, Obj],
    audiences: Sequence[str],
    *,
    now_s: int,
    life_s: int,
    token_id: str,
) -> Obj:
    """The claims of a token of this account; `bound` are pod, secret and node by these names."""
    metadata = account["metadata"]
    warns = "pod" in bound and life_s == WARNED_LIFE_S and set(audiences) <= set(API_AUDIENCES)
    own: Obj = {"namespace": metadata["namespace"]}
    for name in ("node", "pod", "secret"):
        if name in bound:
            own[name] = _reference(bound[name])
    own["serviceaccount"] = _reference(account)
    if warns:
        own["warnafter"] = now_s + life_s
    return {
        "aud": list(audiences),
        "exp": now_s + (EXTENDED_LIFE_S if warns else life_s),
        "iat": now_s,
        "iss": ISSUER,
        "jti": token_id,
        _KUBERNETES: own,
        "nbf": now_s,
        "sub": f"{SERVICE_ACCOUNT_PREFIX}{metadata['namespace']}:{metadata['name']}",
    }


def _reference(obj: Obj) -> Obj:
    metadata = obj["metadata"]
    named = {"name": metadata["name"], "uid": metadata.get("uid", "")}
    return {k: v for k, v in named.items() if v}


def time_error(claims: Obj, now_s: float) -> str:
    """Why the token does not count at this moment, "" if it does."""
    if now_s - LEEWAY_S > _number(claims, "exp"):
        return "service account token has expired"
    if now_s + LEEWAY_S < _number(claims, "nbf"):
        return "service account token is not valid yet"
    if now_s + LEEWAY_S < _number(claims, "iat"):
        return "service account token is issued in the future"
    return ""


def life_ns(claims: Obj) -> tuple[int, int]:
    """The first and the last moment at which `time_error` has nothing to say."""
    begins_s = max(_number(claims, "nbf"), _number(claims, "iat")) - LEEWAY_S
    return int(begins_s * 1e9), int((_number(claims, "exp") + LEEWAY_S) * 1e9)


def _number(claims: Obj, name: str) -> float:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def audiences_of(claims: Obj) -> tuple[str, ...]:
    """Whom the token is for; the API server alone where it does not say."""
    said: Any = claims.get("aud")
    found = cast("list[Any]", said if isinstance(said, list) else [said] if said else [])
    return tuple(str(each) for each in found) or API_AUDIENCES


def narrowed(asked: Sequence[str], have: Sequence[str]) -> list[str]:
    """The audiences that are asked for and that a token has. Errors: Unauthorized where it has none."""
    common = [each for each in asked if each in have]
    if not common:
        words = (
            f"token audiences {_listed(have)} is invalid for the target audiences {_listed(asked)}"
        )
        raise Unauthorized(f"Unauthorized: {words}")
    return common


def _listed(audiences: Sequence[str]) -> str:
    quoted = " ".join(f'"{each}"' for each in audiences)
    return f"[{quoted}]"


def bound_objects(claims: Obj) -> Iterator[Bound]:
    """What must be there still: the account, and what the token is bound to. Of a pod's token the
    node is only told."""
    own = part(claims, _KUBERNETES)
    namespace = text(own, "namespace")
    account = part(own, "serviceaccount")
    name, uid = text(account, "name"), text(account, "uid")
    yield Bound("service account", _ACCOUNTS, namespace, name, uid)
    for what, resource in _BOUND:
        if what in own and not (what == "node" and "pod" in own):
            where = "" if what == "node" else namespace
            yield Bound(what, resource, where, text(own, what, "name"), text(own, what, "uid"))


def gone(bound: Bound, obj: Obj | None, now_s: float) -> str:
    """Why the object does not carry the token any more, "" if it does."""
    is_account = bound.resource == _ACCOUNTS
    if obj is None:
        if is_account:
            return f'serviceaccounts "{bound.name}" not found'
        return "service account token has been invalidated"
    metadata = obj["metadata"]
    if metadata["uid"] != bound.uid:
        if is_account:
            return f"service account UID ({metadata['uid']}) does not match claim ({bound.uid})"
        return (
            f"{bound.what} UID ({metadata['uid']}) does not match service account {bound.what} "
            f"ref claim ({bound.uid})"
        )
    ended = metadata.get("deletionTimestamp")
    if ended and parse_rfc3339(ended) / 1e9 < now_s - LEEWAY_S:
        if is_account:
            return f"service account {bound.namespace}/{bound.name} has been deleted"
        return "service account token has been invalidated"
    return ""


def user_of(claims: Obj) -> User:
    """The user that a verified token stands for."""
    own = part(claims, _KUBERNETES)
    namespace = text(own, "namespace")
    extra: dict[str, Sequence[str]] = {}
    if claims.get("jti"):
        extra[_EXTRA + "credential-id"] = (f"JTI={claims['jti']}",)
    for name in ("node", "pod"):
        if text(own, name, "name"):
            extra[f"{_EXTRA}{name}-name"] = (text(own, name, "name"),)
            if text(own, name, "uid"):
                extra[f"{_EXTRA}{name}-uid"] = (text(own, name, "uid"),)
    return User(
        f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{text(own, 'serviceaccount', 'name')}",
        text(own, "serviceaccount", "uid"),
        (*service_account_groups(namespace), AUTHENTICATED),
        extra,
    )
