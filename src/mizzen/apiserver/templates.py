"""Objects of one template: what was worked out for one of them holds for the next, which is only named.

A Deployment's ten thousand pods are created by bodies that differ in their names, if in anything.
So the object that such a body made is kept, and what admission read for it. While nothing of that
has changed, and nobody takes part in admission who would look at more (`Plugin.by_template`), the
next body of the template makes the same object with its own name, uid and moments; it is not even
parsed. Everything else is asked as ever: who it is, whether they may, whether the name is right and
free.

Of kinds that carry what others put into them (`Kind.opaque`, as a ConfigMap's data) it is the keys that
make the template; the values are each object's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.body_reading import Strictness
from mizzen.apiserver.draft import Draft
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj
from mizzen.kinds.remembered import VALUE_BYTES_MAX, Memory
from mizzen.store.store import ObjectKey, Store

_NAME = re.compile(rb'"name"\s*:\s*"([^"\\\x00-\x1f]+)"')  # a JSON string without escapes
_OTHER_NAME = "another"
_OTHER_MOMENT = "1970-01-01T00:00:00Z"

# The body as an object, and what is to become of fields that it should not have. Errors: ApiError.
Read = Callable[[], tuple[Any, Strictness]]


@dataclass(frozen=True, slots=True)
class _Template:
    """The object that a body made, never to be changed, and what else it did.

    `encoded` are its parts that stay the same, as JSON; of `managers` each entry without its time.
    `is_stamped`: moments are in it beside those of its metadata. `reads` are resources with a
    namespace, none of which has changed since `as_of`.
    """

    object: Obj
    encoded: Obj
    managers: Sequence[Obj]
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
        self, draft: Draft, served: Served, namespace: str, body: bytes, level: str, read: Read
    ) -> Obj:
        """As `operations.create` of what is read, of which it is the short way.

        `body` is JSON, or empty where there is another; `level` that of the strictness. The draft
        must be new. The object is others', too. Errors: as there, and of `read`.
        """
        if not self._has_templates(draft, served) or not 0 < len(body) <= VALUE_BYTES_MAX:
            return operations.create(draft, served, namespace, *read())
        known_by = self._known_by(draft, served, namespace, level)
        if served.kind.opaque:
            return self._create_with_values(draft, served, namespace, known_by, *read())
        is_met = False
        for name, text in _readings(body):
            template = self._memory.find(known_by + text)
            if template is None:
                continue
            is_met = True
            if self._holds(template):
                made = _again(draft, served, namespace, template, name)
                if made is not None:
                    return made
        obj, strictness = read()
        is_named = bool(_metadata(obj).get("name"))
        made = operations.create(draft, served, namespace, obj, strictness)
        found = _NAME.search(body)
        if strictness.duplicates or (is_named and found is None):
            return made
        key = known_by + _without(body, found if is_named else None)
        if (is_met or self._memory.recurs(key)) and _is_template(body, is_named=is_named):
            template = self._template(draft, served, made)
            if template is not None:
                self._memory.keep(key, template)
        return made

    def _create_with_values(
        self,
        draft: Draft,
        served: Served,
        namespace: str,
        known_by: bytes,
        obj: Any,
        strictness: Strictness,
    ) -> Obj:
        """The same, of a kind with values that decide nothing."""
        found = None if strictness.duplicates else _apart(obj, served.kind.opaque)
        if found is None:
            return operations.create(draft, served, namespace, obj, strictness)
        shape, name, values = found
        key = known_by + shape
        template = self._memory.find(key)
        if template is not None and self._holds(template):
            again = _again(draft, served, namespace, template, name, values)
            if again is not None:
                return again
        made = operations.create(draft, served, namespace, obj, strictness)
        is_as_sent = all(made.get(field) == value for field, value in values.items())
        if is_as_sent and (template is not None or self._memory.recurs(key)):
            template = self._template(draft, served, made)
            if template is not None:
                self._memory.keep(key, template)
        return made

    def _known_by(self, draft: Draft, served: Served, namespace: str, level: str) -> bytes:
        """All that a template depends on beside its body and what was read; JSON, so that it ends
        where the body begins."""
        user = draft.user
        return orjson.dumps(
            [served.key, served.resource.api_version, namespace, user.name, user.groups,
             draft.manager, level]
        )  # fmt: skip

    def _has_templates(self, draft: Draft, served: Served) -> bool:
        kind = served.kind
        is_told = kind.rules_on_spec_alone or bool(kind.opaque)
        is_pure = is_told and served.is_builtin and served.conversion is None
        return is_pure and not draft.is_dry and draft.admission.is_by_template(served)

    def _holds(self, template: _Template) -> bool:
        last_change, as_of = self._store.last_change, template.as_of
        for resource, namespace in template.reads:
            if last_change(resource, namespace) > as_of:
                return False
        return True

    def _template(self, draft: Draft, served: Served, made: Obj) -> _Template | None:
        """None where a write reads or does more than can be told of the next one."""
        metadata = made["metadata"]
        reads = draft.reads_for(ObjectKey(served.key, metadata["namespace"], metadata["name"]))
        if reads is None or any(resource == served.key for resource, _ in reads):
            return None
        probe = dict(made)
        served.kind.stamp(probe, None, _OTHER_MOMENT)
        kept = [n for n in made if n not in ("metadata", "status", *served.kind.opaque)]
        managers: list[Obj] = metadata.get("managedFields") or []
        return _Template(
            {**made, "metadata": dict(metadata)},
            {name: _encoded(made[name]) for name in kept},
            [{**each, "fieldsV1": _encoded(each["fieldsV1"])} for each in managers],
            probe != made,
            tuple(draft.warnings),
            dict(draft.audit_annotations),
            tuple(reads),
            self._store.changes,
        )


def _encoded(value: Any) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(value))


def _readings(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What the object's name may be ("": it has none yet), with what remains of the body then."""
    found = _NAME.search(body)
    if found is not None and (name := found[1]).isascii():
        yield name.decode(), _without(body, found)
    yield "", _without(body, None)


def _without(body: bytes, name: re.Match[bytes] | None) -> bytes:
    """The body without its first name, and where that was: in another place it is another body."""
    if name is None:
        return b"- " + body
    start, end = name.span(1)
    return b"%d %s%s" % (start, body[:start], body[end:])


def _is_template(body: bytes, *, is_named: bool) -> bool:
    """True if another first name in the body is another name of the object, and nothing else."""
    obj = orjson.loads(body)
    if "managedFields" in _metadata(obj):
        return False
    found = _NAME.search(body)
    if not is_named or found is None:
        return not is_named
    other = orjson.loads(body[: found.start(1)] + _OTHER_NAME.encode() + body[found.end(1) :])
    _metadata(obj)["name"] = _OTHER_NAME
    return obj == other


def _apart(obj: Any, opaque: Sequence[str]) -> tuple[bytes, str, Obj] | None:
    """The template of an object, its name and the opaque parts; None where it is none of them."""
    metadata = _metadata(obj)
    name: Any = metadata.get("name", "")
    if type(name) is not str or not metadata or "managedFields" in metadata:
        return None
    shape: Obj = dict(obj)
    values: Obj = {}
    for field in opaque:
        if field not in shape:
            continue
        value = cast("Obj", shape[field])
        if type(value) is not dict or not all(type(v) is str for v in value.values()):
            return None
        values[field], shape[field] = value, list(value)
    own = shape["metadata"] = dict(metadata)
    own.pop("name", None)
    return orjson.dumps([bool(name), shape]), name, values


def _metadata(obj: Any) -> Obj:
    metadata: Any = cast("Obj", obj).get("metadata") if type(obj) is dict else None
    return cast("Obj", metadata) if type(metadata) is dict else {}


_NO_VALUES: Obj = {}


def _again(
    draft: Draft,
    served: Served,
    namespace: str,
    template: _Template,
    name: str,
    values: Obj = _NO_VALUES,
) -> Obj | None:
    """The next object of the template, put into the draft; None where its name is wrong. `values`
    are the parts that are its own."""
    now, pattern = rfc3339(draft.now_ns), template.object["metadata"]
    own = {"name": name, "uid": draft.new_id(), "creationTimestamp": now}
    metadata = {**pattern, **own}
    new = {**template.object, **values, "metadata": metadata}
    if not name:
        operations.give_name(draft, served, new, namespace)
        name = metadata["name"]
    if not name or served.kind.name_rule(name):
        return None
    managed = pattern.get("managedFields")
    written = metadata
    if managed:
        metadata["managedFields"] = [{**each, "time": now} for each in managed]
        entries = [{**each, "time": now} for each in template.managers]
        written = {**metadata, "managedFields": entries}
    if template.is_stamped:
        served.kind.stamp(new, None, now)
    draft.warnings.extend(template.warnings)
    draft.audit_annotations.update(template.audit_annotations)
    key = ObjectKey(served.key, namespace, name)
    if draft.exists(key):
        raise refusals.already_exists(served.resource, name, draft.get(key))
    draft.put(key, new, "create", {**new, **template.encoded, "metadata": written})
    return new
