"""What is asked of an object by way of a subresource, as admission knows it: an Eviction, a Binding, a
Scale, a TokenRequest, the options of exec.

Rules name the object's resource with the subresource; what is shown is of a kind of its own, and may
be changed as everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from mizzen.apiserver.admission_chain import Admission, Transaction
from mizzen.apiserver.catalog import Served
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.schema import OPEN
from mizzen.store.store import ObjectKey

_KNOWN_MAX = 1024


def admit(
    draft: Transaction, admission: Admission, resource: Resource, operation: str, key: ObjectKey,
    obj: Obj, old: Obj | None = None, complete: Callable[[Obj], Obj] | None = None,
) -> Obj:  # fmt: skip
    """What is asked, as it is after admission; `resource` is that of the object of whom.

    `complete` makes of it what those see who only look, or refuses it; what those have who may
    change it stays as it is, since they may be asked later. Errors: ApiError where somebody refuses.
    """
    served = _served(resource, obj["kind"])
    admission.mutate(draft, served, operation, key, obj, old)
    if complete is not None:
        obj = complete(obj)
    admission.admit(draft, served, operation, key, obj, old)
    return obj


@lru_cache(_KNOWN_MAX)
def _served(resource: Resource, kind: str) -> Served:
    named = Resource(
        resource.group, resource.version, resource.plural, kind, namespaced=resource.namespaced
    )
    return Served(Kind(resource=named, schema=OPEN), is_builtin=True)
