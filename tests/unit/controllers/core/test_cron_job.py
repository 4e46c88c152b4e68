"""CronJobs make a Job at each moment of their schedule, and none twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from mizzen.base.objects import Key, owner_reference, reference_to
from mizzen.base.operations import Create, Delete, Patch
from mizzen.base.resources import CRON_JOBS, JOBS
from mizzen.controllers.core.actions import Action, EmitEvent, RequeueAfter
from mizzen.controllers.core.cron_job import reconcile
from mizzen.controllers.core.view import View

Obj = dict[str, Any]
KEY = Key("d", "c")
TEMPLATE: Obj = {
    "metadata": {"labels": {"app": "x"}, "annotations": {"a": "b"}},
    "spec": {"template": {"spec": {"containers": [{"name": "m"}]}}},
}


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


NOON = "2026-05-01T12:00:00Z"
MINUTES = ns(NOON) // (60 * 10**9)


def cron_job(status: Obj | None = None, **spec: Any) -> Obj:
    return {
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "c", "namespace": "d", "uid": "u-c",
                     "creationTimestamp": "2026-05-01T11:30:00Z"},
        "spec": {"schedule": "0 * * * *", "concurrencyPolicy": "Allow", "jobTemplate": TEMPLATE,
                 "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1, **spec},
        "status": status or {},
    }  # fmt: skip


def job(name: str, owner: Obj, how: str = "", **status: Any) -> Obj:
    conditions = [{"type": how, "status": "True"}] if how else []
    return {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "d", "uid": f"u-{name}",
                     "ownerReferences": [owner_reference(owner)]},
        "spec": {}, "status": {"conditions": conditions, **status},
    }  # fmt: skip


def act(owner: Obj, *jobs: Obj, now: str = NOON, seconds: int = 1) -> list[Action]:
    view = View.of([(CRON_JOBS, owner), *((JOBS, each) for each in jobs)])
    return reconcile(view, KEY, ns(now) + seconds * 10**9)


def made(actions: list[Action]) -> list[Obj]:
    return [each.object for each in actions if isinstance(each, Create)]


def status_of(actions: list[Action]) -> Obj:
    return next(each.patch["status"] for each in actions if isinstance(each, Patch))


def events(actions: list[Action]) -> list[str]:
    return [each.reason for each in actions if isinstance(each, EmitEvent)]


def test_a_moment_that_has_come_gets_its_job() -> None:
    actions = act(cron_job())
    (new,) = made(actions)
    assert new["metadata"]["name"] == f"c-{MINUTES}"
    assert new["metadata"]["labels"] == {"app": "x"}
    assert new["metadata"]["annotations"] == {
        "a": "b", "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-05-01T12:00:00Z",
    }  # fmt: skip
    assert new["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    assert new["spec"] == TEMPLATE["spec"]
    assert status_of(actions)["lastScheduleTime"] == NOON
    assert events(actions) == ["SuccessfulCreate"]
    (again,) = (each for each in actions if isinstance(each, RequeueAfter))
    assert again.seconds == pytest.approx(3599.1)


def test_a_moment_is_served_once() -> None:
    owner = cron_job({"lastScheduleTime": NOON})
    assert made(act(owner)) == []
    there = job(f"c-{MINUTES}", cron_job())
    actions = act(cron_job(), there)
    assert made(actions) == []
    assert status_of(actions)["lastScheduleTime"] == NOON
    assert [each["name"] for each in status_of(actions)["active"]] == [f"c-{MINUTES}"]


def test_of_many_missed_moments_the_latest_counts() -> None:
    owner = cron_job(schedule="* * * * *")
    actions = act(owner, now="2026-05-01T11:35:30Z")
    assert made(actions)[0]["metadata"]["name"] == f"c-{MINUTES - 25}"
    actions = act(owner, now="2026-05-02T11:35:30Z")
    assert "TooManyMissedTimes" in events(actions)
    assert made(actions)[0]["metadata"]["name"] == f"c-{MINUTES - 25 + 1440}"


def test_what_is_too_late_is_missed() -> None:
    actions = act(cron_job(startingDeadlineSeconds=10), seconds=30)
    assert made(actions) == []
    assert made(act(cron_job(startingDeadlineSeconds=60), seconds=30)) != []


@pytest.mark.parametrize(
    ("policy", "is_made", "is_deleted"),
    [("Allow", True, False), ("Forbid", False, False), ("Replace", True, True)],
)
def test_one_that_runs_still(policy: str, is_made: bool, is_deleted: bool) -> None:
    owner = cron_job(concurrencyPolicy=policy)
    running = job("c-1", owner)
    owner["status"] = {"active": [reference_to(running)]}
    actions = act(owner, running)
    assert bool(made(actions)) is is_made
    assert any(isinstance(each, Delete) for each in actions) is is_deleted
    if policy == "Forbid":
        assert "JobAlreadyActive" in events(actions)


def test_a_time_zone_moves_the_moments() -> None:
    owner = cron_job(schedule="0 14 * * *", timeZone="Europe/Berlin")
    (new,) = made(act(owner))
    assert (
        new["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
        == "2026-05-01T14:00:00+02:00"
    )
    assert events(act(cron_job(timeZone="Nowhere/Bad"))) == ["UnknownTimeZone"]


def test_suspended_or_unreadable_it_makes_nothing() -> None:
    assert act(cron_job(suspend=True)) == []
    assert events(act(cron_job(schedule="nonsense"))) == ["UnparseableSchedule"]


def test_finished_jobs_leave_the_active_list_and_the_oldest_go() -> None:
    owner = cron_job({"lastScheduleTime": NOON})
    done = [
        job(f"c-{index}", owner, "Complete", startTime=f"2026-05-01T0{index}:00:00Z",
            completionTime=f"2026-05-01T0{index}:30:00Z")
        for index in range(5)
    ]  # fmt: skip
    failed = [job(f"f-{index}", owner, "Failed") for index in range(2)]
    owner["status"]["active"] = [reference_to(done[4]), {"name": "lost", "uid": "u-lost"}]
    actions = act(owner, *done, *failed)
    deleted = [each.name for each in actions if isinstance(each, Delete)]
    assert deleted == ["c-0", "c-1", "f-0"]
    assert events(actions) == ["SawCompletedJob", "MissingJob"]
    status = status_of(actions)
    assert status["active"] is None
    assert status["lastSuccessfulTime"] == "2026-05-01T04:30:00Z"
