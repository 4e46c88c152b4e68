"""Who outlives an object that is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.stamping import DeleteOptions, mark_deleted
from mizzen.base.resources import CONFIG_MAPS, JOBS, REPLICATION_CONTROLLERS, Resource
from mizzen.kinds.upstream import resource_named
from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api

STAY, ORPHAN, FOREGROUND = "example.com/stay", "orphan", "foregroundDeletion"
EVENTS = resource_named("", "events")
NOW = 1_700_000_000_000_000_000
JOBS_PATH = "/apis/batch/v1/namespaces/default/jobs"


@pytest.mark.parametrize(
    ("resource", "policy", "before", "after"),
    [
        (JOBS, "", [STAY], [STAY, ORPHAN]),
        (REPLICATION_CONTROLLERS, "", [], [ORPHAN]),
        (CONFIG_MAPS, "", [STAY], [STAY]),
        (JOBS, "Background", [STAY], [STAY]),
        (JOBS, "Foreground", [STAY], [STAY, FOREGROUND]),
        (JOBS, "", [FOREGROUND, STAY], [FOREGROUND, STAY]),
        (CONFIG_MAPS, "Background", [ORPHAN, STAY], [STAY]),
        (EVENTS, "Foreground", [STAY], [STAY]),
    ],
)
def test_finalizers_say_what_becomes_of_dependents(
    resource: Resource, policy: str, before: list[str], after: list[str]
) -> None:
    old: dict[str, Any] = {"metadata": {"name": "x", "finalizers": before}}
    marked = mark_deleted(resource, old, DeleteOptions(propagation=policy), NOW)
    assert marked["metadata"].get("finalizers", []) == after


@pytest.mark.parametrize("body", [{}, {"propagationPolicy": "Background"}])
async def test_who_deletes_a_job_without_a_policy_is_warned(body: dict[str, Any]) -> None:
    api = await an_api(MemoryStore())
    pod = {"containers": [{"name": "a", "image": "a"}], "restartPolicy": "Never"}
    job = {"metadata": {"name": "x"}, "spec": {"template": {"spec": pod}}}
    assert (await api.call("POST", JOBS_PATH, job))[0] == 201
    status, told = await api.call("DELETE", f"{JOBS_PATH}/x", body)
    assert status == 200
    is_kept = told["kind"] == "Job" and told["metadata"]["finalizers"] == [ORPHAN]
    assert is_kept is not bool(body)
