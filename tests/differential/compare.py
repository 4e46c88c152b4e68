"""Where two servers' answers to one sequence are not alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from differential.explained import ADDED_HINT, ADDED_WARNINGS, EXPLAINED, Explained
from differential.steps import Step

_INDEX = re.compile(r"/\d+")
_QUOTED = re.compile(r'"[^"]*"|\b\d+\b')
ABSENT = "(absent)"
_DISCOVERY = ("APIGroup", "APIGroupList", "APIResourceList", "APIGroupDiscoveryList")
_DIFF = re.compile(r"(?<=\))(\n@@ -\d+,.*|; changed: [\w, ]+)$|(?<=claims)\n@@ -\d+,.*$", re.DOTALL)


@dataclass(frozen=True)
class Difference:
    step: Step
    where: str  # /body/metadata/name
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return f"{self.where}\n    ours   {_short(self.ours)}\n    theirs {_short(self.theirs)}"

    @property
    def signature(self) -> str:
        """Equal for differences that are likely of one kind."""
        path = self.step.path.partition("?")[0]
        subject = re.sub(r"/namespaces/<<ns>>|/(<<ns>>-)?(one|two|obj|[oe]\d+)\b", "", path)
        where = re.sub(r"/(items|events)/\*(/object)?", "/body", _INDEX.sub("/*", self.where))
        ours, theirs = (_QUOTED.sub("#", _short(each))[:160] for each in (self.ours, self.theirs))
        return f"{subject} {where}: {ours} | {theirs}"


def differences(
    steps: Sequence[Step], ours: Sequence[Any], theirs: Sequence[Any]
) -> Iterator[Difference]:
    """Those that the table does not explain."""
    for step, one, other in zip(steps, _renumbered(ours), _renumbered(theirs), strict=True):
        one = _without_added_warnings(_without_hints(one))
        for where, mine, original in _differing(one, other, ""):
            found = Difference(step, where, mine, original)
            if explanation(found) is None:
                yield found


def _renumbered(answers: Sequence[Any]) -> list[Any]:
    """Without the revisions of lists, which count what others do meanwhile; those of objects
    by their order."""
    names: dict[str, str] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(each) for each in value]
        if not isinstance(value, dict):
            return value
        if value.get("kind") == "Status":
            value = _with_causes_as_a_set(_without_diffs(value))
        if value.get("kind") in _DISCOVERY:
            value = _by_name(value)
        metadata = value.get("metadata")
        if _is_list(value) and isinstance(metadata, dict) and "resourceVersion" in metadata:
            value = {**value, "metadata": {**metadata, "resourceVersion": "LIST"}}
        return {name: number(each) if name == "resourceVersion" else walk(each)
                for name, each in value.items()}  # fmt: skip

    def number(value: Any) -> Any:
        is_name = isinstance(value, str) and re.fullmatch(r"RV\d+", value)
        return names.setdefault(value, f"RV{len(names) + 1}") if is_name else value

    return [walk(each) for each in answers]


def _by_name(value: Any) -> Any:
    """A document of discovery with names in place of its lists, so that a difference has one."""
    if isinstance(value, list):
        names = [_name_of(each) for each in value]
        made = [_by_name(each) for each in value]
        return dict(zip(names, made, strict=True)) if made and all(names) else made
    if isinstance(value, dict):
        return {name: _by_name(each) for name, each in value.items()}
    return value


def _name_of(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    head = {**entry, **(entry.get("metadata") or {})}
    if "namespaced" in entry:
        return str(entry["name"]).replace("/", ":")
    names = ("subresource", "resource", "groupVersion", "version", "name")
    return next((head[name].replace("/", ":") for name in names if name in head), "core")


def _with_causes_as_a_set(status: dict[str, Any]) -> dict[str, Any]:
    """Each once, and in one order, in its message, too: upstream lists them as its validators, which
    may ask twice and go through Go's maps, have found them."""
    message, details = status.get("message"), status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if not isinstance(message, str) or not isinstance(causes, list) or len(causes) < 2:
        return status
    told = {f"{each.get('field')}: {each.get('message')}": each for each in causes}
    head, mark, listed = message.partition(": [")
    if mark and listed.endswith("]") and len(listed) == len(", ".join(told)) + 1:
        message = f"{head}{mark}{', '.join(sorted(told))}]"
    in_order = [told[each] for each in sorted(told)]
    return {**status, "message": message, "details": {**details, "causes": in_order}}


def _without_diffs(status: dict[str, Any]) -> dict[str, Any]:
    """Of a spec that may not change upstream shows Go's own fields line by line, ours their names."""
    message, details = status.get("message"), status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    if not isinstance(message, str) or not isinstance(causes, list):
        return status
    kept: list[Any] = []
    for each in causes:
        said = each.get("message", "")
        short = re.sub(_DIFF, "", said)
        message = message.replace(said, short)
        kept.append({**each, "message": short})
    return {**status, "message": message, "details": {**details, "causes": kept}}


def _is_list(value: dict[str, Any]) -> bool:
    metadata = value.get("metadata")
    is_bookmark = isinstance(metadata, dict) and "k8s.io/initial-events-end" in str(metadata)
    return is_bookmark or str(value.get("kind", "")).endswith(("List", "Table"))


def _without_hints(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_hints(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_hints(each) for each in value]
    return re.sub(ADDED_HINT, "", value) if isinstance(value, str) else value


def _without_added_warnings(shown: dict[str, Any]) -> dict[str, Any]:
    if "warnings" not in shown:
        return shown
    added = re.compile("|".join(ADDED_WARNINGS))
    left = [each for each in shown["warnings"] if not added.search(each)]
    rest = {name: value for name, value in shown.items() if name != "warnings"}
    return {**rest, "warnings": left} if left else rest


def explanation(found: Difference) -> Explained | None:
    return next((each for each in EXPLAINED if _covers(each, found)), None)


def _covers(each: Explained, found: Difference) -> bool:
    step = f"{found.step.method} {found.step.path}"
    return bool(
        re.search(each.step, step)
        and re.fullmatch(each.where, found.where)
        and re.search(each.ours, _said(found.ours), re.DOTALL)
        and re.search(each.theirs, _said(found.theirs), re.DOTALL)
    )


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _short(value: Any) -> str:
    said = _said(value)
    return said if len(said) < 700 else said[:700] + "..."


def _differing(ours: Any, theirs: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if where == "/events" and _types(ours) != _types(theirs):
        yield where, ours, theirs
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        if where == "" and ours.get("status") != theirs.get("status"):
            yield "/answer", _told(ours), _told(theirs)
            return
        for name in sorted({*ours, *theirs}):
            one, other = ours.get(name, ABSENT), theirs.get(name, ABSENT)
            yield from _differing(one, other, f"{where}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differing(one, other, f"{where}/{number}")
    elif ours != theirs or type(ours) is not type(theirs):
        yield where, ours, theirs


def _types(events: Any) -> list[Any]:
    return [each.get("type") for each in events] if isinstance(events, list) else []


def _told(shown: dict[str, Any]) -> str:
    """An answer in a line: its status, and its message where it is a refusal."""
    body = shown.get("body")
    is_refusal = isinstance(body, dict) and body.get("kind") == "Status"
    said = body.get("message", "") if is_refusal else ""
    return f"{shown.get('status')} {said}"
