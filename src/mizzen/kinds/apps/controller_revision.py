"""ControllerRevision: a template that a StatefulSet or DaemonSet had."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, controller_of
from mizzen.base.resources import CONTROLLER_REVISIONS
from mizzen.kinds.apps.workload_rules import check_counts, required
from mizzen.kinds.columns import AGE, NAME, NONE, of
from mizzen.kinds.kind import Column
from mizzen.kinds.metadata import immutable
from mizzen.kinds.treatment import accepted, acted
from mizzen.kinds.upstream import upstream_kind


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    """Its data cannot change, its number can. Source: pkg/apis/apps/validation/validation.go."""
    causes = check_counts(new, "revision") + immutable(new, old, "data")
    if old is None and new.get("data") is None:
        causes.append(required("data", "data is mandatory"))
    return causes


def _controller(revision: Obj, now_ns: int) -> str:
    """Source: printers `formatResourceName`: kind.group/name."""
    owner = controller_of(revision)
    if owner is None:
        return NONE
    group = str(owner.get("apiVersion") or "").rpartition("/")[0]
    kind = str(owner.get("kind")).lower()
    return f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"


KIND = upstream_kind(
    CONTROLLER_REVISIONS,
    "A template that a StatefulSet or DaemonSet had.",
    validate=_validate,
    columns=(
        NAME,
        Column("Controller", _controller, description="Controller of the object"),
        Column("Revision", of("revision", 0)),
        AGE,
    ),
)

SERVED_FIELDS = {
    "apps.v1.ControllerRevision": {
        **acted("controllers", "revision"),
        **accepted("data", "whoever made the revision reads it, to go back to it"),
    },
}
