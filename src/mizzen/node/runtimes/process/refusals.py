"""What a pod asks for that processes of this machine cannot be given, by the kinds' own table.

The API server stores every field of upstream's, for nodes that can do more, and warns; what
`SERVED_FIELDS` calls refused by nodes is refused here, when the pod is bound to this node, with the
same sentence. Users and groups are those that the agent has: asking for them asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.kinds.core import containers, pod_spec, references, volumes
from mizzen.kinds.schema import Schema
from mizzen.kinds.served_fields import table_name
from mizzen.kinds.treatment import Fields, RefusedByNode, asks_for_nothing

_OF_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
AS_ROOT = "container has runAsNonRoot and image will run as root"  # the kubelet's words


def refusals(pod: Obj, container: Obj, uid: int, gid: int) -> Iterator[str]:
    """Why the container cannot run here, nothing if it can; `uid` and `gid` are the agent's."""
    own = {k: v for k, v in pod["spec"].items() if k not in _OF_CONTAINERS}
    where = f'container "{container.get("name")}": '
    yield from _of_users(part(pod, "spec", "securityContext"), container, uid, gid)
    for value, schema, at in (
        (own, pod_spec.POD_SPEC, "spec."), (container, containers.CONTAINER, where),
    ):  # fmt: skip
        context = _without_users(part(value, "securityContext"))
        yield from (at + said for said in _walk(schema, {**value, "securityContext": context}, ""))


def _of_users(of_pod: Obj, container: Obj, uid: int, gid: int) -> Iterator[str]:
    """A container's own word counts before its pod's, as upstream."""
    context = {**of_pod, **part(container, "securityContext")}
    name = container.get("name")
    if context.get("runAsNonRoot") and not uid and context.get("runAsUser") in (None, 0):
        yield f"{AS_ROOT} (container: {name})"
    for field, have in (("runAsUser", uid), ("runAsGroup", gid), ("fsGroup", gid)):
        wanted = context.get(field)
        if wanted is not None and wanted != have:
            yield f'container "{name}": securityContext.{field} {wanted}: {containers.CONFINED}'


def _without_users(context: Obj) -> Obj:
    """What is judged by `_of_users` is left out."""
    judged = ("runAsUser", "runAsGroup", "runAsNonRoot", "fsGroup")
    return {name: value for name, value in context.items() if name not in judged}


@cache
def _table() -> dict[str, Fields]:
    """The lines of a pod's types; the whole table would load every kind."""
    modules = (containers, references, volumes, pod_spec)
    return {name: fields for module in modules for name, fields in module.SERVED_FIELDS.items()}


def _walk(schema: Schema, value: Any, path: str) -> Iterator[str]:
    node = schema.resolve()
    if isinstance(value, list) and node.items is not None:
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _walk(node.items, item, f"{path}[{index}]")
    elif isinstance(value, dict) and node.fields:
        treatments = _table().get(table_name(node.served_as or node.name), {})
        for name, inner in cast("Obj", value).items():
            child, treatment = node.fields.get(name), treatments.get(name)
            at = f"{path}.{name}" if path else name
            if isinstance(treatment, RefusedByNode):
                if not asks_for_nothing(inner, treatment.fine):
                    yield f"{at}: {treatment.sentence}"
            elif child is not None and isinstance(inner, (dict, list)):
                yield from _walk(child, inner, at)
