"""CSIDriver: what a kubelet and controllers must know of a storage driver."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import duplicate, invalid, unsupported
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.kind import Column
from mizzen.kinds.metadata import immutable
from mizzen.kinds.reading import entries
from mizzen.kinds.upstream import resource_named, upstream_kind

_DEFAULTS = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "requiresRepublish": False,
    "seLinuxMount": False,
}
_PERSISTENT = "Persistent"
_MODES = (_PERSISTENT, "Ephemeral")
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_TOKEN_S_MIN, _TOKEN_S_MAX = 600, 1 << 32
_UPDATE_S_MIN = 10


def _default(driver: Obj) -> None:
    spec = driver["spec"]
    for name, value in _DEFAULTS.items():
        spec.setdefault(name, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = [_PERSISTENT]


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes: list[Cause] = []
    if spec["fsGroupPolicy"] not in _GROUP_POLICIES:
        causes.append(unsupported("spec.fsGroupPolicy", spec["fsGroupPolicy"], _GROUP_POLICIES))
    causes += _check_tokens(entries(spec, "tokenRequests"))
    causes += [
        unsupported("spec.volumeLifecycleModes", mode, _MODES)
        for mode in spec["volumeLifecycleModes"]
        if mode not in _MODES
    ]
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _UPDATE_S_MIN:
        path = "spec.nodeAllocatableUpdatePeriodSeconds"
        causes.append(invalid(path, period, "must be greater than or equal to 10 seconds"))
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not spec.get("tokenRequests"):
        path = "spec.serviceAccountTokenInSecrets"
        problem = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        causes.append(invalid(path, in_secrets, problem))
    return causes + immutable(new, old, "spec.attachRequired", "spec.volumeLifecycleModes")


def _check_tokens(requests: list[Obj]) -> list[Cause]:
    causes: list[Cause] = []
    audiences: set[str] = set()
    for index, request in enumerate(requests):
        path = f"spec.tokenRequests[{index}]"
        audience = request.get("audience") or ""
        if audience in audiences:
            causes.append(duplicate(f"{path}.audience", audience))
            continue
        audiences.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < _TOKEN_S_MIN:
            problem = "may not specify a duration less than 10 minutes"
            causes.append(invalid(f"{path}.expirationSeconds", seconds, problem))
        if seconds is not None and seconds > _TOKEN_S_MAX:
            problem = "may not specify a duration larger than 2^32 seconds"
            causes.append(invalid(f"{path}.expirationSeconds", seconds, problem))
    return causes


def _tokens(driver: Obj, now_ns: int) -> str:
    requests = driver["spec"].get("tokenRequests")
    if requests is None:
        return "<unset>"
    return ",".join(request.get("audience") or "" for request in requests)


def _modes(driver: Obj, now_ns: int) -> str:
    return ",".join(entries(driver, "spec.volumeLifecycleModes")) or NONE


KIND = upstream_kind(
    resource_named("storage.k8s.io", "csidrivers"),
    "What a kubelet and controllers must know of a storage driver.",
    is_acted_upon=False,
    default=_default,
    validate=_validate,
    columns=(
        NAME,
        Column("AttachRequired", of("spec.attachRequired", True), "boolean"),
        Column("PodInfoOnMount", of("spec.podInfoOnMount", False), "boolean"),
        Column("StorageCapacity", of("spec.storageCapacity", False), "boolean"),
        Column("TokenRequests", _tokens),
        Column("RequiresRepublish", of("spec.requiresRepublish", False), "boolean"),
        Column("Modes", _modes),
        AGE,
    ),
)
