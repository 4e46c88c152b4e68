"""Annotates a controller's pods with the cost of evicting them, for the scheduler."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from mizzen.base.names import DISRUPTION
from mizzen.base.objects import Obj, annotations_of, is_terminating, name_of, namespace_of, uid_of
from mizzen.base.operations import Patch
from mizzen.base.resources import PODS
from mizzen.controllers.core.actions import Action

PODS_PER_PLAN = 200  # the next come with these pods' change


def declare_disruption(pods: Iterable[Obj], value: str) -> list[Action]:
    """Annotates pods that were made before Mizzen said this of them when it makes them."""
    silent = (p for p in pods if DISRUPTION not in annotations_of(p) and not is_terminating(p))
    change = {"metadata": {"annotations": {DISRUPTION: value}}}
    return [
        Patch(PODS, namespace_of(pod), name_of(pod), change, uid=uid_of(pod))
        for pod in islice(silent, PODS_PER_PLAN)
    ]
