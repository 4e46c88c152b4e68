"""Gives pods the defaults of their namespace's LimitRanges and keeps them within the bounds.

Source: plugin/pkg/admission/limitranger, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Sequence

from mizzen.apiserver.admission_chain import (
    CREATE,
    UPDATE,
    UPDATE_RESIZE,
    AdmissionRequest,
    Plugin,
)
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.limit_ranges import claim_problems, pod_problems, set_defaults
from mizzen.apiserver.core.refusals import forbidden
from mizzen.base.objects import Obj, is_terminating
from mizzen.base.resources import PODS
from mizzen.store.store import Store

LIMIT_RANGES = "limitranges"
_CLAIMS = ("", "persistentvolumeclaims")


class LimitRanges:
    """The namespaces that may have LimitRanges; bounded by those that ever had one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._namespaces: set[str] | None = None  # a hint: which there are, drafts say

    def note(self, request: AdmissionRequest) -> None:
        self._hints().add(request.key.namespace)

    def mutate(self, request: AdmissionRequest) -> None:
        if request.served.resource == PODS and request.old is None:
            for limit_range in self._of(request):
                set_defaults(limit_range, request.object)

    def check(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden."""
        is_pod = request.served.resource == PODS
        if request.old is not None and (is_pod or is_terminating(request.old)):
            return
        for limit_range in self._of(request):
            find = pod_problems if is_pod else claim_problems
            problems = list(dict.fromkeys(find(limit_range, request.object)))
            if problems:
                listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
                raise forbidden(request.served.resource, request.key.name, listed)

    def _of(self, request: AdmissionRequest) -> Sequence[Obj]:
        namespace = request.key.namespace
        if namespace in self._hints():
            return request.draft.list(LIMIT_RANGES, namespace)
        request.draft.rests_on(LIMIT_RANGES, namespace)
        return ()

    def _hints(self) -> set[str]:
        if self._namespaces is None:
            stored = self._store.list(LIMIT_RANGES).items
            self._namespaces = {each.key.namespace for each in stored}
        return self._namespaces


def _concerns(served: Served) -> bool:
    resource = served.resource
    return resource == PODS or (resource.group, resource.plural) == _CLAIMS


def limit_ranger(context: Context) -> tuple[Plugin, Plugin]:
    known = LimitRanges(context.store)
    noted = Plugin(frozenset((CREATE,)), lambda s: s.key == LIMIT_RANGES, admit=known.note)
    operations = frozenset((CREATE, UPDATE, UPDATE_RESIZE))
    bound = Plugin(operations, _concerns, mutate=known.mutate, admit=known.check, by_template=True)
    return noted, bound


PLUGIN = limit_ranger
