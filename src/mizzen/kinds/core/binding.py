"""Binding: what gives a pod its node. Answered and not stored.

Source: pkg/apis/core/validation ValidatePodBinding, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import BINDINGS
from mizzen.kinds import causes
from mizzen.kinds.reading import part
from mizzen.kinds.upstream import upstream_kind

KIND = upstream_kind(BINDINGS, "What gives a pod its node.", is_stored=False)


def check_binding(binding: Obj) -> list[Cause]:
    target, found = part(binding, "target"), list[Cause]()
    kind = target.get("kind") or ""
    if kind not in ("", "Node"):
        found.append(causes.unsupported("target.kind", kind, ("Node", "<empty>")))
    if not target.get("name"):
        found.append(causes.required("target.name"))
    return found
