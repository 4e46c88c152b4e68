"""Resolves a pod's priorityClassName into spec.priority and preemptionPolicy.

Source: upstream's Priority admission: the class decides, a pod may not say otherwise.
"""

from __future__ import annotations

from typing import Any

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin, Transaction
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.refusals import forbidden, qualified
from mizzen.base.objects import Obj
from mizzen.base.resources import PODS, PRIORITY_CLASSES
from mizzen.store.store import ObjectKey

_CLASSES = qualified(PRIORITY_CLASSES)


def _resolve(request: AdmissionRequest) -> None:
    spec: dict[str, Any] = request.object["spec"]
    chosen = _class_of(request.draft, request.key.name, spec)
    value = chosen["value"] if chosen else 0
    policy = (chosen.get("preemptionPolicy") if chosen else None) or "PreemptLowerPriority"
    for field, typed, resolved in (
        ("priority", "integer value of priority", value),
        ("preemptionPolicy", "string value of preemptionPolicy", policy),
    ):
        if spec.get(field) is not None and spec[field] != resolved:
            raise forbidden(
                PODS,
                request.key.name,
                f"the {typed} ({spec[field]}) must not be provided in pod spec; priority admission "
                f"controller computed {resolved} from the given PriorityClass name",
            )
        spec[field] = resolved


def _class_of(draft: Transaction, pod: str, spec: dict[str, Any]) -> Obj | None:
    """The named class, or else the least of the default ones, which the pod is then given."""
    name = spec.get("priorityClassName")
    if name:
        found = draft.look(ObjectKey(_CLASSES, "", name))
        if found is None:
            raise forbidden(PODS, pod, f"no PriorityClass with name {name} was found")
        return found
    defaults = [each for each in draft.look_at_all(_CLASSES) if each.get("globalDefault")]
    chosen = min(defaults, key=lambda each: each["value"], default=None)
    if chosen is not None:
        spec["priorityClassName"] = chosen["metadata"]["name"]
    return chosen


def priority(context: Context) -> Plugin:
    return Plugin(
        frozenset((CREATE,)),
        lambda served: served.resource == PODS,
        mutate=_resolve,
        by_template=True,
    )


PLUGIN = priority
