"""Answers without what each server draws or counts for itself: names of its own take its place.

Which things are equal stays visible: the second uid of a sequence is UID2 wherever it stands.
"""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

from differential.servers import Answer
from differential.steps import Step

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_REVISION = re.compile(r"(resource version: |current: |\()\d+|(Too large resource version: )\d+")
_ADDRESS = re.compile(r"\b(?:10\.0|127)\.\d{1,3}\.\d{1,3}(?:\.\d{1,3})?\b(?!/)")
_ECHO = re.compile(r'"\{\\"(?:[^"\\]|\\.)*\}"')
_SELF = re.compile(r"\bselfType\d+")  # which the type of `self` is called, drawn for each rule
_OTHERS = re.compile(r"fz\d+-\d+-")
_ALLOCATED = ("ADDRESS", "NODEPORT")
_AGE = re.compile(r"\d+s")  # of what was made while the sequence ran
_NODE_PORT = re.compile(r"(?<=:)3\d{4}(?=/)")
_NOW_S = 900
# What Mizzen's background makes in every namespace, and a lone kube-apiserver does not.
_LEFT_OUT = frozenset(("kube-root-ca.crt",))


class Normaliser:
    """Of one sequence's answers, in their order."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._names: dict[str, dict[str, str]] = {}
        self._made: dict[str, str] = {}
        self._now = datetime.datetime.now(datetime.UTC)

    def answer(self, step: Step, answer: Answer) -> Any:
        self._learn_refused(step, answer.body)
        known = {name: dict(self._names.get(name, {})) for name in _ALLOCATED}
        body = self._body(answer.body)
        if "dryRun=All" in step.path:  # what it was given is reserved for nobody
            self._names.update(known)
        shown: dict[str, Any] = {"status": answer.status, "body": body}
        warnings = answer.headers.get("warning", [])
        if warnings:
            shown["warnings"] = [self._text(each) for each in warnings]
        return shown

    def events(self, events: list[Any]) -> list[Any]:
        """Without the bookmarks that servers send when they like."""
        return [
            {"type": event.get("type"), "object": self._body(event.get("object"))}
            for event in events
            if not _is_plain_bookmark(event) and self._is_told(event.get("object"))
        ]

    def _body(self, body: Any) -> Any:
        if isinstance(body, str):
            return self._text(body)
        return self._value("", body)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            items = [self._value(name, e) for e in value if self._is_own(e)]
            if name == "managedFields":
                return sorted(items, key=_of_manager)
            if name == "causes":
                return sorted(items, key=lambda each: json.dumps(each, sort_keys=True))
            return items
        if name == "resourceVersion" and isinstance(value, str) and value.isdigit():
            return self._named("RV", value) if value != "0" else value
        if name == "continue" and value:
            return "CONTINUE"
        if name == "token" and isinstance(value, str) and value.startswith("eyJ"):
            return "TOKEN"
        if name == "expirationTimestamp" and isinstance(value, str):
            return self._later(value)
        if name == "nodePort" and isinstance(value, int) and value >= 30000:
            return self._named("NODEPORT", str(value))
        if name == "cells" and isinstance(value, str):
            if _AGE.fullmatch(value):
                return "AGE"
            value = _NODE_PORT.sub(lambda m: self._named("NODEPORT", m[0]), value)
        return self._text(value) if isinstance(value, str) else value

    def _is_told(self, shown: Any) -> bool:
        """False for an event about what is left out, be it shown as a row."""
        rows = shown.get("rows") if isinstance(shown, dict) else None
        if rows:
            return any(self._is_own(each) for each in rows)
        return self._is_own(shown)

    def _is_own(self, item: Any) -> bool:
        """False for what other sequences have made outside of namespaces."""
        row = item.get("object") if isinstance(item, dict) else None
        name = str(_name(row) if _name(item) is None else _name(item))
        return name not in _LEFT_OUT and (
            _OTHERS.match(name) is None or name.startswith(f"{self._namespace}-")
        )

    def _object(self, value: dict[str, Any]) -> Any:
        metadata = value.get("metadata")
        if isinstance(metadata, dict):
            self._learn(metadata.get("generateName"), metadata.get("name"))
        return {self._text(n): self._value(n, v) for n, v in value.items()}

    def _learn(self, prefix: Any, name: Any) -> None:
        start = str(prefix)[:58] if prefix else "/"
        if isinstance(name, str) and name.startswith(start) and len(name) == len(start) + 5:
            self._made.setdefault(name, f"{start}MADE{len(self._made) + 1}")

    def _learn_refused(self, step: Step, body: Any) -> None:
        """The name that was drawn for an object which was refused, then."""
        sent = _body_of(step).get("metadata")
        details = body.get("details") if isinstance(body, dict) else None
        if isinstance(sent, dict) and isinstance(details, dict) and not sent.get("name"):
            self._learn(sent.get("generateName"), details.get("name"))

    def _named(self, kind: str, value: str) -> str:
        known = self._names.setdefault(kind, {})
        return known.setdefault(value, f"{kind}{len(known) + 1}")

    def _text(self, text: str) -> str:
        if len(text) < 4:
            return text
        text = text.replace(self._namespace, "NS")
        for name, shown in self._made.items():
            text = text.replace(name, shown)
        text = _ECHO.sub(self._echoed, text)
        text = _UID.sub(lambda m: self._named("UID", m[0]), text)
        text = _TIME.sub(self._time, text)
        text = _SELF.sub("selfTypeN", text)
        text = _ADDRESS.sub(lambda m: self._named("ADDRESS", m[0]), text)
        return _REVISION.sub(lambda m: f"{m[1] or m[2]}N", text)

    def _echoed(self, match: re.Match[str]) -> str:
        """An object that a refusal shows, without its revision, in the order of its fields' names."""
        try:
            shown = json.loads(json.loads(match[0]))
        except ValueError:
            return match[0]
        if isinstance(shown.get("metadata"), dict):
            shown["metadata"].pop("resourceVersion", None)
        return json.dumps(self._value("", shown), sort_keys=True)

    def _later(self, text: str) -> str:
        """A moment to come, by how many times ten minutes it is away."""
        try:
            left = datetime.datetime.fromisoformat(text) - self._now
        except ValueError:
            return text
        return f"NOW + {round(left.total_seconds() / 600)}"

    def _time(self, match: re.Match[str]) -> str:
        try:
            moment = datetime.datetime.fromisoformat(match[0])
        except ValueError:
            return match[0]
        near = abs((moment - self._now).total_seconds()) < _NOW_S
        return ("NOW" if "." not in match[0] else "NOW.MICRO") if near else match[0]


def _body_of(step: Step) -> dict[str, Any]:
    try:
        body = step.body if step.raw is None else json.loads(step.raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _name(value: Any) -> Any:
    if isinstance(value, dict) and "cells" in value:
        value = value.get("object")
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return metadata.get("name") if isinstance(metadata, dict) else None


def _of_manager(entry: Any) -> str:
    if not isinstance(entry, dict):
        return ""
    names = ("operation", "manager", "subresource", "apiVersion")
    return "/".join(str(entry.get(name, "")) for name in names)


def _is_plain_bookmark(event: Any) -> bool:
    if event.get("type") != "BOOKMARK":
        return False
    metadata = event["object"].get("metadata") or {}
    return "k8s.io/initial-events-end" not in (metadata.get("annotations") or {})
