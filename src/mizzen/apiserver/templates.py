"""Pods of one template: what was worked out for one of them holds for the next, which is only named.

A Deployment's ten thousand pods are created by bodies that differ in their names, if in anything.
So the object that such a body made is kept, and what admission read for it. While nothing of that
has changed, and nobody takes part in admission who would look at more (`Plugin.by_template`), the
next body of the template makes the same object with its own name, uid and moments. Everything else
is asked as ever: who it is, whether they may, whether the name is right and free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.operations import Strictness
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj
from mizzen.kinds.remembered import Memory, key_of
from mizzen.store.store import ObjectKey, Store

_OTHER_MOMENT = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class _Template:
    """The object that a body made, never to be changed, and what else it did.

    `reads` are resources with a namespace; none of them has changed since `as_of`. `is_stamped`:
    moments are in it beside those of its metadata.
    """

    object: Obj
    is_stamped: bool
    warnings: Sequence[str]
    audit_annotations: Mapping[str, str]
    reads: Sequence[tuple[str, str]]
    as_of: int


class Templates:
    """Those that one server has met lately, by what their bodies say."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._memory = Memory[_Template]()

    def create(
        self, draft: Draft, served: Served, namespace: str, body: Any, strictness: Strictness
    ) -> Obj:
        """As `operations.create`, of which it is the short way; the draft must be new.

        The object is others', too. Errors: as there.
        """
        key = self._key(draft, served, namespace, body, strictness)
        if key is None:
            return operations.create(draft, served, namespace, body, strictness)
        known = self._memory.find(key)
        if known is not None and self._holds(known):
            made = _again(draft, served, namespace, known, body)
            if made is not None:
                return made
        made = operations.create(draft, served, namespace, body, strictness)
        if known is not None or self._memory.recurs(key):
            template = self._template(draft, served, made)
            if template is not None:
                self._memory.keep(key, template)
        return made

    def _key(
        self, draft: Draft, served: Served, namespace: str, body: Any, strictness: Strictness
    ) -> bytes | None:
        """What a template is known by: all on which the object may depend beside its name, and
        beside what is read. None where there is none."""
        kind, user = served.kind, draft.user
        if not kind.rules_on_spec_alone or not served.is_builtin or served.conversion is not None:
            return None
        if strictness.duplicates or draft.is_dry or type(body) is not dict:
            return None
        metadata: Any = cast("Obj", body).get("metadata")
        if type(metadata) is not dict or "managedFields" in metadata:
            return None
        if not draft.admission.is_by_template(served):
            return None
        metadata = cast("Obj", metadata)
        name = metadata.get("name")
        version, level = served.resource.api_version, strictness.level
        known_by = [served.key, version, namespace, user.name, user.groups, draft.manager, level]
        if name is None:
            return key_of([*known_by, body])
        if type(name) is not str:
            return None
        metadata["name"] = ""
        key = key_of([*known_by, body])
        metadata["name"] = name
        return key

    def _holds(self, template: _Template) -> bool:
        last_change, as_of = self._store.last_change, template.as_of
        return all(last_change(resource, name) <= as_of for resource, name in template.reads)

    def _template(self, draft: Draft, served: Served, made: Obj) -> _Template | None:
        """None where a write reads or does more than can be told of the next one."""
        metadata = made["metadata"]
        reads = draft.reads_for(ObjectKey(served.key, metadata["namespace"], metadata["name"]))
        if reads is None or any(resource == served.key for resource, _ in reads):
            return None
        probe = dict(made)
        served.kind.stamp(probe, None, _OTHER_MOMENT)
        return _Template(
            {**made, "metadata": dict(metadata)},
            probe != made,
            tuple(draft.warnings),
            dict(draft.audit_annotations),
            tuple(reads),
            self._store.changes,
        )


def _again(
    draft: Draft, served: Served, namespace: str, template: _Template, body: Obj
) -> Obj | None:
    """The next object of the template, put into the draft; None where its name is wrong."""
    now, pattern = rfc3339(draft.now_ns), template.object["metadata"]
    metadata = {
        **pattern,
        "name": body["metadata"].get("name"),
        "uid": draft.new_id(),
        "creationTimestamp": now,
    }
    if "managedFields" in pattern:
        metadata["managedFields"] = [{**each, "time": now} for each in pattern["managedFields"]]
    new = {**template.object, "metadata": metadata}
    operations.give_name(draft, served, new, namespace)
    name = metadata["name"]
    if not name or served.kind.name_rule(name):
        return None
    if template.is_stamped:
        served.kind.stamp(new, None, now)
    draft.warnings.extend(template.warnings)
    draft.audit_annotations.update(template.audit_annotations)
    key = ObjectKey(served.key, namespace, name)
    if draft.exists(key):
        raise refusals.already_exists(served.resource, name)
    draft.put(key, new, "create")
    return new
