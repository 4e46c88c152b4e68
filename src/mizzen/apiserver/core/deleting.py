"""What a deletion says, in its body or in its query: the body, where there is one, is all of it.

Source: apiserver `endpoints/handlers/delete.go`, apimachinery `meta/v1/validation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from mizzen.apiserver.core import go_errors, json_bodies
from mizzen.apiserver.core.bodies import grace_seconds, text
from mizzen.apiserver.core.envelope import UNVERSIONED, unregistered
from mizzen.apiserver.core.request_options import check_dry, check_propagation, refused
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.base import query
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.kinds.decoding import decode
from mizzen.kinds.schema import Schema
from mizzen.kinds.upstream import upstream_type

EXPECTED = _VERSION, _KIND = "meta.k8s.io/v1", "DeleteOptions"
# Options that may be read in any version, as those of deletions.
_OTHER_OPTIONS = ("CreateOptions", "UpdateOptions")


def of_params(params: Mapping[str, str]) -> DeleteOptions:
    """Errors: BadRequest, Invalid."""
    grace_s = grace_seconds(query.int64(params, "gracePeriodSeconds"))
    said = params.get("orphanDependents")
    orphans = query.is_true(said) if said is not None else None
    dry = [params["dryRun"]] if "dryRun" in params else []
    uid, revision = params.get("uid", ""), params.get("resourceVersion", "")
    return _checked(grace_s, params.get("propagationPolicy"), orphans, dry, uid, revision)


def of_body(options: Obj, raw: bytes = b"") -> DeleteOptions:
    """`raw`: the body as it came. Errors: BadRequest, Invalid."""
    kind, version = text(options, "kind") or _KIND, text(options, "apiVersion") or _VERSION
    if kind in _OTHER_OPTIONS:
        raise BadRequest("decoded object cannot be converted to DeleteOptions")
    if kind in UNVERSIONED:
        short = version.rpartition("/")[2]
        raise BadRequest(f"converting ({short}.{kind}) to (v1.{_KIND}): unknown conversion")
    if kind != _KIND:
        raise BadRequest(unregistered(version, kind))
    decoded = decode(_schema(), options)
    if decoded.mistyped is not None:
        path, value = decoded.mistyped
        written = json_bodies.literal(raw, path)
        raise BadRequest(go_errors.misfit(_schema(), path, value, written))
    said, wanted = decoded.object, part(decoded.object, "preconditions")
    grace_s, policy = said.get("gracePeriodSeconds"), said.get("propagationPolicy")
    uid, revision = text(wanted, "uid"), text(wanted, "resourceVersion")
    dry: list[Any] = said.get("dryRun") or []
    orphans = said.get("orphanDependents")
    return _checked(grace_seconds(grace_s), policy, orphans, dry, uid, revision)


@cache
def _schema() -> Schema:
    return upstream_type(f"io.k8s.apimachinery.pkg.apis.meta.v1.{_KIND}")


def _checked(
    grace_s: int | None,
    policy: str | None,
    orphans: bool | None,
    dry: Sequence[Any],
    uid: str = "",
    revision: str = "",
) -> DeleteOptions:
    """Errors: Invalid with every option that is wrong: what is misspelt deletes nothing."""
    found = check_propagation(policy, orphans) + check_dry(dry)
    if found:
        raise refused("DeleteOptions", found)
    propagation = policy or ""
    if orphans is not None:
        propagation = "Orphan" if orphans else "Background"
    return DeleteOptions(grace_s, uid, revision, propagation, bool(dry), orphans is False)
