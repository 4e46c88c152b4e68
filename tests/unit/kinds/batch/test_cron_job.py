"""CronJobs are checked as upstream does."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.batch.cron_job import KIND

Obj = dict[str, Any]


def cron_job(name: str = "c", **spec: Any) -> Obj:
    container = {"name": "m", "image": "i"}
    template = {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}}
    body = {
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": name, "namespace": "d"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": template}, **spec},
    }  # fmt: skip
    decoded = KIND.decode(body)
    assert decoded.causes == []
    KIND.default(decoded.object)
    return decoded.object


def test_it_is_completed() -> None:
    spec = cron_job()["spec"]
    assert spec["concurrencyPolicy"] == "Allow"
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 1)
    assert "backoffLimit" not in spec["jobTemplate"]["spec"], "its Jobs get it when they are made"
    assert KIND.validate(cron_job(timeZone="Europe/Berlin"), None) == []


def test_jobs_with_a_failure_policy_need_not_say_when_pods_are_replaced() -> None:
    made = cron_job()
    job: dict[str, Any] = made["spec"]["jobTemplate"]["spec"]
    job["podFailurePolicy"] = {
        "rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [1]}}]
    }
    job["template"]["spec"]["restartPolicy"] = "Never"
    assert KIND.validate(made, None) == []


@pytest.mark.parametrize(
    ("made", "field", "message"),
    [
        (
            {"schedule": "61 * * * *"}, "spec.schedule",
            'Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
        ),
        (
            {"schedule": "TZ=UTC * * * * *"}, "spec.schedule",
            'Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use '
            "timeZone field instead",
        ),
        (
            {"timeZone": "Nowhere/Bad"}, "spec.timeZone",
            'Invalid value: "Nowhere/Bad": unknown time zone Nowhere/Bad',
        ),
        (
            {"timeZone": "local"}, "spec.timeZone",
            'Invalid value: "local": timeZone must be an explicit time zone as defined in '
            "https://www.iana.org/time-zones",
        ),
        (
            {"name": "c" * 53}, "metadata.name",
            f'Invalid value: "{"c" * 53}": must be no more than 52 characters',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(made: Obj, field: str, message: str) -> None:
    causes = KIND.validate(cron_job(**made), None)
    assert (field, message) in [(cause.field, cause.message) for cause in causes]
