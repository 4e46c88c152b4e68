"""A sequence of requests as data: what is sent, with words that stand for earlier answers.

In paths and bodies `<<ns>>` stands for the sequence's namespace; `<<rv:3>>`, `<<uid:3>>`,
`<<name:3>>`, `<<continue:3>>` for what step 3 was answered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mizzen.kinds.patches import merge_patch

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
NAMESPACE = "<<ns>>"

_WORD = re.compile(r"<<(rv|uid|name|continue):(\d+)>>")
_NOTHING = {"rv": "1", "uid": "none", "name": "none", "continue": "none"}


@dataclass(frozen=True)
class Step:
    """One request. `base`: the body is step `base`'s answer, changed by `body` as a merge patch.

    `until`: asked again until this status comes, for what a server does in its own time.
    `watches`: a watch, whose events are collected until the sequence ends.
    """

    id: int
    method: str
    path: str
    body: Any = None
    raw: str | None = None  # instead of `body`, as it stands
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    base: int | None = None
    until: int = 0
    watches: bool = False

    def __str__(self) -> str:
        sent = self.raw if self.raw is not None else json.dumps(self.body)
        kind = "" if self.kind == JSON else f" ({self.kind.partition('/')[2]})"
        more = f" {dict(self.headers)}" if self.headers else ""
        base = f" on {self.base}" if self.base is not None else ""
        has_body = self.body is not None or self.raw is not None
        watches = " (watch)" if self.watches else ""
        sending = f" {sent}" if has_body else ""
        return f"{self.id}: {self.method} {self.path}{watches}{kind}{more}{base}{sending}"


@dataclass(frozen=True)
class Case:
    """A sequence with its name, and, where it was kept, what upstream answered."""

    name: str
    steps: Sequence[Step]
    expected: Sequence[Any] = ()

    def to_json(self) -> Any:
        steps = [
            {name: value for name, value in asdict(step).items() if value != _DEFAULTS.get(name)}
            for step in self.steps
        ]
        return {"name": self.name, "steps": steps, "expected": list(self.expected)}

    @staticmethod
    def of_json(value: Any) -> Case:
        steps = [Step(**each) for each in value["steps"]]
        return Case(value["name"], steps, value.get("expected", ()))


_DEFAULTS = asdict(Step(0, "", ""))


def filled(text: str, namespace: str, answers: Mapping[int, Any]) -> str:
    """The text with what its words stand for."""

    def said(match: re.Match[str]) -> str:
        what, number = match[1], int(match[2])
        body = getattr(answers.get(number), "body", None)
        metadata = body.get("metadata") if isinstance(body, dict) else None
        found = metadata if isinstance(metadata, dict) else {}
        name = {"rv": "resourceVersion"}.get(what, what)
        return str(found.get(name) or _NOTHING[what])

    return _WORD.sub(said, text.replace(NAMESPACE, namespace))


def body_of(step: Step, namespace: str, answers: Mapping[int, Any]) -> bytes | None:
    if step.raw is not None:
        return filled(step.raw, namespace, answers).encode("utf-8", "surrogatepass")
    if step.base is not None:
        body = getattr(answers.get(step.base), "body", None)
        changed = merge_patch(body if isinstance(body, dict) else {}, step.body or {})
        return filled(json.dumps(changed), namespace, answers).encode()
    if step.body is None:
        return None
    return filled(json.dumps(step.body), namespace, answers).encode()
