"""Kinds that come and go with their definition, against the real API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from mizzen.base.objects import Obj
from mizzen.base.resources import CUSTOM_RESOURCE_DEFINITIONS, JOBS, PODS
from mizzen.scheduler.core.conventions.watched import (
    JOB_SETS,
    OPTIONAL,
    TOPOLOGIES,
    TOPOLOGIES_V1BETA1,
)
from mizzen.scheduler.optional_kinds import OptionalKinds
from support.custom_kinds import definition
from support.waiting import until
from unit.scheduler.conftest import Api
from unit.scheduler.test_run import are_bound, pods_until, scheduling, set_stage

pytestmark = pytest.mark.slow


DEADLINE_S = 20.0


async def test_kinds_are_followed_while_they_are_defined(api: Api) -> None:
    await api.admin.create(CUSTOM_RESOURCE_DEFINITIONS, definition(TOPOLOGIES_V1BETA1))
    changes: list[int] = []
    kinds = OptionalKinds(api.scheduler, lambda: changes.append(1))
    task = asyncio.create_task(kinds.run())
    async with asyncio.timeout(DEADLINE_S):
        await kinds.wait_synced()
    assert set(kinds.objects) == {JOBS, TOPOLOGIES_V1BETA1}
    assert TOPOLOGIES not in kinds.objects, "the version that is served, not a newer one"

    await api.admin.create(CUSTOM_RESOURCE_DEFINITIONS, definition(JOB_SETS))
    await until(lambda: JOB_SETS in kinds.objects, "JobSets are followed")
    jobset: Obj = {
        "apiVersion": JOB_SETS.api_version,
        "kind": JOB_SETS.kind,
        "metadata": {"name": "js", "namespace": "default"},
        "spec": {"replicatedJobs": []},
    }
    await api.admin.create(JOB_SETS, jobset)
    await until(lambda: len(kinds.objects[JOB_SETS]) == 1, "the JobSet is seen")
    assert changes

    name = f"{JOB_SETS.plural}.{JOB_SETS.group}"
    await api.admin.delete(CUSTOM_RESOURCE_DEFINITIONS, name)
    await until(lambda: JOB_SETS not in kinds.objects, "JobSets are given up")
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()


async def test_the_scheduler_may_read_every_kind_it_looks_for(api: Api) -> None:
    for resource in OPTIONAL:
        if resource != TOPOLOGIES_V1BETA1:
            await api.admin.create(CUSTOM_RESOURCE_DEFINITIONS, definition(resource))
    kinds = OptionalKinds(api.scheduler, lambda: None)
    task = asyncio.create_task(kinds.run())
    async with asyncio.timeout(DEADLINE_S):
        await kinds.wait_synced()
    assert set(kinds.objects) == {JOBS, *OPTIONAL} - {TOPOLOGIES_V1BETA1}
    task.cancel()
    await asyncio.wait((task,))


async def test_pods_of_a_jobset_start_once_all_are_there(api: Api) -> None:
    admin = api.admin
    await set_stage(admin)
    await admin.create(CUSTOM_RESOURCE_DEFINITIONS, definition(JOB_SETS))

    def pod(index: int) -> Obj:
        labels = {
            "jobset.sigs.k8s.io/jobset-name": "js",
            "jobset.sigs.k8s.io/replicatedjob-name": "w",
            "jobset.sigs.k8s.io/job-index": "0",
            "batch.kubernetes.io/job-completion-index": str(index),
        }
        container = {"name": "c", "image": "mizzen.dev/python"}
        return {
            "metadata": {"name": f"js-w-0-{index}", "namespace": "default", "labels": labels},
            "spec": {"containers": [container]},
        }

    def says(what: str) -> Callable[[dict[str, Obj]], bool]:
        return lambda pods: any(
            what in (condition.get("message") or "")
            for condition in pods["js-w-0-0"]["status"].get("conditions") or ()
        )

    async with scheduling(api.scheduler):
        await admin.create(PODS, pod(0))
        await pods_until(admin, says('JobSet "default/js" does not exist'))
        job = {"name": "w", "template": {"spec": {"parallelism": 2, "completions": 2}}}
        await admin.create(
            JOB_SETS,
            {
                "apiVersion": JOB_SETS.api_version,
                "kind": "JobSet",
                "metadata": {"name": "js", "namespace": "default"},
                "spec": {"replicatedJobs": [job]},
            },
        )
        await pods_until(admin, says("1 of the 2 members"))
        await admin.create(PODS, pod(1))
        await pods_until(admin, are_bound("js-w-0-0", "js-w-0-1"))
