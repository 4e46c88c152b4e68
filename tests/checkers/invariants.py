"""An independent check of what must hold of all objects at once, from the API alone.

Shares no code with the API server, on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Obj = Mapping[str, Any]
_ENTRY = frozenset(
    ("manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource")
)
_ENDED = ("Succeeded", "Failed")


def faults(listed: Sequence[tuple[str, Obj]]) -> list[str]:
    """Everything that is wrong, one sentence each. `listed`: each object once, with its resource."""
    return [
        *_identities(listed),
        *(f for name, obj in listed for f in _managed_fields(name, obj)),
        *_owners(listed),
        *_quotas(listed),
    ]


def _where(resource: str, obj: Obj) -> str:
    metadata = obj["metadata"]
    return "/".join(p for p in (resource, metadata.get("namespace"), metadata["name"]) if p)


def _identities(listed: Sequence[tuple[str, Obj]]) -> list[str]:
    """No uid is two objects', and no revision wrote two: each write has one of its own."""
    found: list[str] = []
    uids: dict[str, str] = {}
    revisions: dict[str, str] = {}
    for resource, obj in listed:
        metadata, where = obj["metadata"], _where(resource, obj)
        for what, seen in (("uid", uids), ("resourceVersion", revisions)):
            value = metadata.get(what) or ""
            if not value:
                found.append(f"{where} has no {what}")
            elif value in seen:
                found.append(f"{where} has the {what} of {seen[value]}: {value}")
            seen[value] = where
        if metadata.get("deletionTimestamp") and not (
            metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds") is not None
        ):
            found.append(f"{where} is being deleted, and nothing holds it")
    return found


def _owners(listed: Sequence[tuple[str, Obj]]) -> list[str]:
    """Whoever is named as owner is there, is what it is named, and lies where it may."""
    by_uid = {obj["metadata"]["uid"]: (resource, obj) for resource, obj in listed}
    found: list[str] = []
    for resource, obj in listed:
        references = obj["metadata"].get("ownerReferences") or []
        where = _where(resource, obj)
        if sum(bool(each.get("controller")) for each in references) > 1:
            found.append(f"{where} has more than one controller")
        held = [by_uid.get(each["uid"]) for each in references]
        if references and not any(held):
            found.append(f"{where} outlived its owners: {references[0]['name']}")
        for reference, owner in zip(references, held, strict=True):
            if owner is None:
                continue
            metadata = owner[1]["metadata"]
            if metadata["name"] != reference["name"]:
                found.append(f"{where} calls its owner {reference['name']}, not {metadata['name']}")
            if metadata.get("namespace", obj["metadata"].get("namespace")) != obj["metadata"].get(
                "namespace"
            ):
                found.append(f"{where} has an owner in another namespace: {_where(*owner)}")
    return found


def _managed_fields(resource: str, obj: Obj) -> list[str]:
    """Each entry is whole, there are no two of one manager, and sets of fields are sets."""
    where, found, seen = _where(resource, obj), list[str](), set[tuple[str, ...]]()
    for entry in obj["metadata"].get("managedFields") or []:
        who = tuple(
            str(entry.get(each) or "")
            for each in ("manager", "operation", "apiVersion", "subresource")
        )
        if who in seen:
            found.append(f"{where}: two entries of {who}")
        seen.add(who)
        if who[1] not in ("Apply", "Update") or entry.get("fieldsType") != "FieldsV1":
            found.append(f"{where}: an entry that is none: {who}")
        if unknown := entry.keys() - _ENTRY:
            found.append(f"{where}: an entry with {sorted(unknown)}")
        if not _is_field_set(entry.get("fieldsV1")):
            found.append(f"{where}: the fields of {who[0]} are no set")
    return found


def _is_field_set(fields: Any) -> bool:
    if not isinstance(fields, dict):
        return False
    return all(
        isinstance(child, dict)
        and (name == "." or name[:2] in ("f:", "k:", "v:", "i:"))
        and (not child or _is_field_set(child))
        for name, child in fields.items()
    )


def _quotas(listed: Sequence[tuple[str, Obj]]) -> list[str]:
    """What a quota says is used is what is there, of what is counted by number."""
    there: Counter[tuple[str, str]] = Counter()
    for resource, obj in listed:
        namespace = obj["metadata"].get("namespace") or ""
        there[namespace, f"count/{resource}"] += 1
        is_over = resource == "pods" and (obj.get("status") or {}).get("phase") in _ENDED
        if not is_over:
            there[namespace, resource] += 1
    found: list[str] = []
    for resource, obj in listed:
        if resource != "resourcequotas":
            continue
        for what in (obj.get("spec") or {}).get("hard") or {}:
            used = ((obj.get("status") or {}).get("used") or {}).get(what)
            real = there[obj["metadata"]["namespace"], what]
            if (what.startswith("count/") or what in ("pods", "configmaps")) and used != str(real):
                found.append(f"{_where(resource, obj)}: {used} {what} are used, {real} are there")
    return found
