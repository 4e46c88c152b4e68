"""What a deletion says, in its body or in its query: the body, where there is one, is all of it.

Source: apiserver `endpoints/handlers/delete.go`, apimachinery `meta/v1/validation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mizzen.apiserver.core.bodies import as_list, as_object, grace_seconds, text
from mizzen.apiserver.core.request_options import check_dry, check_propagation, refused
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.base import query
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj


def of_params(params: Mapping[str, str]) -> DeleteOptions:
    """Errors: BadRequest, Invalid."""
    grace_s = grace_seconds(query.int64(params, "gracePeriodSeconds"))
    said = params.get("orphanDependents")
    orphans = query.is_true(said) if said is not None else None
    dry = [params["dryRun"]] if "dryRun" in params else []
    return _checked(grace_s, params.get("propagationPolicy"), orphans, dry)


def of_body(options: Obj) -> DeleteOptions:
    """Errors: BadRequest, Invalid."""
    grace_s = grace_seconds(options.get("gracePeriodSeconds"))
    policy, orphans = options.get("propagationPolicy"), options.get("orphanDependents")
    if policy is not None and not isinstance(policy, str):
        raise BadRequest("propagationPolicy: Invalid value: must be a string")
    if orphans is not None and not isinstance(orphans, bool):
        raise BadRequest("orphanDependents: Invalid value: must be true or false")
    dry = as_list(options.get("dryRun") or [], "dryRun: Invalid value: must be a list")
    wanted = as_object(
        options.get("preconditions") or {}, "preconditions: Invalid value: must be an object"
    )
    for name in ("uid", "resourceVersion"):
        if not isinstance(wanted.get(name) or "", str):
            raise BadRequest(f"preconditions.{name}: Invalid value: must be a string")
    uid, revision = text(wanted, "uid"), text(wanted, "resourceVersion")
    return _checked(grace_s, policy, orphans, [str(each) for each in dry], uid, revision)


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
    propagation = "Orphan" if orphans else policy or ""
    return DeleteOptions(grace_s, uid, revision, propagation, bool(dry))
