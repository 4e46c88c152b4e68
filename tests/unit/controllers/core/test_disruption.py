"""Pods say what evicting them loses, those of an older Mizzen as well."""

from __future__ import annotations

from typing import Any

from mizzen.base.names import DISRUPTION, RESUMABLE, STATELESS
from mizzen.base.operations import Patch
from mizzen.controllers.core.disruption import PODS_PER_PLAN, declare_disruption


def pod(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", "uid": name, **more}}


def test_only_pods_that_do_not_say_it_and_stay_are_annotated() -> None:
    pods = [
        pod("old"),
        pod("new", annotations={DISRUPTION: STATELESS}),
        pod("users", annotations={DISRUPTION: RESUMABLE}),
        pod("going", deletionTimestamp="2027-01-15T07:00:00Z"),
    ]
    (patch,) = declare_disruption(pods, STATELESS)
    assert isinstance(patch, Patch)
    assert (patch.name, patch.uid) == ("old", "old")
    assert patch.patch == {"metadata": {"annotations": {DISRUPTION: STATELESS}}}


def test_no_plan_grows_with_the_number_of_pods() -> None:
    assert len(declare_disruption([pod(f"p{n}") for n in range(1000)], RESUMABLE)) == PODS_PER_PLAN
