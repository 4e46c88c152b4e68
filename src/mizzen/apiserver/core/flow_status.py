"""The status of FlowSchemas: whether the priority level that they name is there.

Source: apiserver pkg/util/flowcontrol/apf_controller.go, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.objects import Obj, with_condition
from mizzen.base.reading import part, text


def with_dangling(schema: Obj, is_there: bool, now: str) -> Obj:
    """The schema with its condition, the same where nothing has changed; `now` is RFC 3339."""
    level = text(schema, "spec", "priorityLevelConfiguration", "name")
    words = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    condition = {
        "type": "Dangling",
        "status": "False" if is_there else "True",
        "lastTransitionTime": now,
        "reason": "Found" if is_there else "NotFound",
        "message": f"{words} and it exists" if is_there else f"{words} but there is no such object",
    }
    conditions = part(schema, "status").get("conditions") or ()
    status = {**part(schema, "status"), "conditions": with_condition(conditions, condition)}
    return {**schema, "metadata": dict(schema["metadata"]), "status": status}
