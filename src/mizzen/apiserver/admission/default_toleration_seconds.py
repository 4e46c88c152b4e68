"""Lets pods stay on a node that is silent or not ready for five minutes, unless they say otherwise.

Source: plugin/pkg/admission/defaulttolerationseconds, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, UPDATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.base.objects import Obj
from mizzen.base.reading import entries
from mizzen.base.resources import PODS

TOLERATED_S = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def _add(request: AdmissionRequest) -> None:
    spec = request.object["spec"]
    tolerations = entries(spec, "tolerations")
    added: list[Obj] = [
        {
            "key": taint,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": TOLERATED_S,
        }
        for taint in _TAINTS
        if not tolerations or not any(_is_about(each, taint) for each in tolerations)
    ]
    if added:
        spec["tolerations"] = [*tolerations, *added]


def _is_about(toleration: Obj, taint: str) -> bool:
    return toleration.get("key") in (None, "", taint) and toleration.get("effect") in (
        None, "", "NoExecute",
    )  # fmt: skip


def default_toleration_seconds(context: Context) -> Plugin:
    return Plugin(
        frozenset((CREATE, UPDATE)),
        lambda served: served.resource == PODS,
        mutate=_add,
        by_template=True,
    )


PLUGIN = default_toleration_seconds
