"""The Binding of a pod to a node, which is answered and not stored (`apiserver/virtual`)."""

from __future__ import annotations

from mizzen.base.resources import BINDINGS
from mizzen.kinds.upstream import upstream_kind

KIND = upstream_kind(BINDINGS, "The node of a pod, as schedulers say it.", is_stored=False)
