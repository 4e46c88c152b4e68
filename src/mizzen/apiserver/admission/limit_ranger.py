"""Gives pods the defaults of their namespace's LimitRanges and keeps them within the bounds.

Source: plugin/pkg/admission/limitranger, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, UPDATE, AdmissionRequest, Plugin
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.limit_ranges import claim_problems, pod_problems, set_defaults
from mizzen.apiserver.core.refusals import forbidden
from mizzen.base.objects import is_terminating
from mizzen.base.resources import PODS

LIMIT_RANGES = "limitranges"
_CLAIMS = ("", "persistentvolumeclaims")


def _mutate(request: AdmissionRequest) -> None:
    if request.served.resource == PODS and request.old is None:
        for limit_range in request.draft.list(LIMIT_RANGES, request.key.namespace):
            set_defaults(limit_range, request.object)


def _check(request: AdmissionRequest) -> None:
    is_pod = request.served.resource == PODS
    if request.old is not None and (is_pod or is_terminating(request.old)):
        return
    for limit_range in request.draft.list(LIMIT_RANGES, request.key.namespace):
        find = pod_problems if is_pod else claim_problems
        problems = list(dict.fromkeys(find(limit_range, request.object)))
        if problems:
            listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise forbidden(request.served.resource, request.key.name, listed)


def _concerns(served: Served) -> bool:
    resource = served.resource
    return resource == PODS or (resource.group, resource.plural) == _CLAIMS


def limit_ranger(context: Context) -> Plugin:
    return Plugin(frozenset((CREATE, UPDATE)), _concerns, mutate=_mutate, admit=_check)


PLUGIN = limit_ranger
