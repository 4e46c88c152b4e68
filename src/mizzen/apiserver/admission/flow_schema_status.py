"""Says in FlowSchemas whether their priority level is there, in the commit that makes it so."""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin, Transaction
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.flow_status import with_dangling
from mizzen.apiserver.flow_control import FLOW_SCHEMAS, PRIORITY_LEVELS
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj
from mizzen.base.reading import text
from mizzen.store.store import ObjectKey


def _level(schema: Obj) -> str:
    return text(schema, "spec", "priorityLevelConfiguration", "name")


def _say(request: AdmissionRequest) -> None:
    schema, draft = request.object, request.draft
    found = draft.get(ObjectKey(PRIORITY_LEVELS, "", _level(schema))) is not None
    schema["status"] = with_dangling(schema, found, rfc3339(draft.now_ns))["status"]


def _level_made(request: AdmissionRequest) -> None:
    _tell(request.draft, request.key.name, is_there=True)


def _level_gone(draft: Transaction, key: ObjectKey, gone: Obj) -> None:
    if key.resource == PRIORITY_LEVELS:
        _tell(draft, key.name, is_there=False)


def _tell(draft: Transaction, level: str, *, is_there: bool) -> None:
    for schema in draft.list(FLOW_SCHEMAS):
        if _level(schema) == level:
            new = with_dangling(schema, is_there, rfc3339(draft.now_ns))
            key = ObjectKey(FLOW_SCHEMAS, "", schema["metadata"]["name"])
            draft.put(key, new, "update/status")


def flow_schema_status(context: Context) -> tuple[Plugin, Plugin]:
    create = frozenset((CREATE,))
    return (
        Plugin(create, lambda served: served.key == FLOW_SCHEMAS, mutate=_say),
        Plugin(
            create,
            lambda served: served.key == PRIORITY_LEVELS,
            admit=_level_made,
            remove=_level_gone,
        ),
    )


PLUGIN = flow_schema_status
