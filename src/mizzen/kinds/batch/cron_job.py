"""CronJob: a Job at each moment of a schedule.

Source: pkg/apis/batch/validation, pkg/apis/batch/v1/defaults.go; Kubernetes 1.36.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mizzen.base import cron
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import CRON_JOBS
from mizzen.kinds import causes as words
from mizzen.kinds.batch.job_rules import check_job_spec
from mizzen.kinds.columns import AGE, NAME, NONE, Column, of, since
from mizzen.kinds.core.pod_rules import default_pod_spec, validate_template
from mizzen.kinds.core.pod_warnings import warn_of_job_template
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

NAME_LENGTH_MAX = (
    52  # its Jobs have eleven characters more, and their pods carry the name as a label
)
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_COUNTS = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
_DEFAULTS = (("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1))
_IN_ZONE = re.compile(r"(CRON_)?TZ=\S+ +")
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def _default(cron_job: Obj) -> None:
    spec = part(cron_job, "spec")
    if not spec.get("concurrencyPolicy"):
        spec["concurrencyPolicy"] = "Allow"
    for name, value in _DEFAULTS:
        spec.setdefault(name, value)
    # Of the jobs' template upstream completes the pods alone: its Jobs get their own defaults.
    default_pod_spec(part(spec, "jobTemplate.spec.template.spec"))


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec, path = new["spec"], "spec.jobTemplate.spec"
    schedule = str(spec["schedule"])
    causes: list[Cause] = []
    name = new["metadata"].get("name") or ""
    if old is None and len(name) > NAME_LENGTH_MAX:
        what = f"must be no more than {NAME_LENGTH_MAX} characters"
        causes.append(words.invalid("metadata.name", name, what))
    if not schedule:
        causes.append(words.required("spec.schedule"))
    else:
        causes += _check_schedule(schedule)
    for field in _COUNTS:
        value = spec.get(field)
        if value is not None and value < 0:
            what = "must be greater than or equal to 0"
            causes.append(words.invalid(f"spec.{field}", value, what))
    concurrency = spec.get("concurrencyPolicy")
    if concurrency not in _CONCURRENCY:
        causes.append(words.unsupported("spec.concurrencyPolicy", concurrency, _CONCURRENCY))
    if "timeZone" in spec and (old is None or old["spec"].get("timeZone") != spec["timeZone"]):
        causes += _check_zone(str(spec["timeZone"]))
    template = part(spec, "jobTemplate.spec")
    if template.get("manualSelector"):
        causes.append(words.unsupported(f"{path}.manualSelector", True, ["nil", "false"]))
    if template:
        causes += validate_template(part(template, "template"), f"{path}.template",
                                    ("OnFailure", "Never"))  # fmt: skip
        causes += check_job_spec(template, path)
    return causes


def _check_schedule(schedule: str) -> list[Cause]:
    causes: list[Cause] = []
    try:
        cron.parse(_IN_ZONE.sub("", schedule))
    except ValueError as error:
        causes.append(words.invalid("spec.schedule", schedule, str(error)))
    if "TZ" in schedule:
        what = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        causes.append(words.invalid("spec.schedule", schedule, what))
    return causes


def _check_zone(zone: str) -> list[Cause]:
    path = "spec.timeZone"
    if not zone:
        return [words.invalid(path, zone, "timeZone must be nil or non-empty string")]
    for each in zone.split("/"):
        if each in (".", "..") or each.startswith("-") or not _ZONE_PART.fullmatch(each):
            return [words.invalid(path, zone, f"unknown time zone {zone}")]
    causes: list[Cause] = []
    if zone.lower() == "local":
        what = (
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
        causes.append(words.invalid(path, zone, what))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        causes.append(words.invalid(path, zone, f"unknown time zone {zone}"))
    return causes


def _last_schedule(cron_job: Obj, now_ns: int) -> str:
    last = get(cron_job, "status.lastScheduleTime")
    return since(last, now_ns) if last else NONE


def _containers(cron_job: Obj, field: str) -> str:
    found = entries(cron_job, "spec.jobTemplate.spec.template.spec.containers")
    return ",".join(str(container.get(field) or "") for container in found)


KIND = upstream_kind(
    CRON_JOBS,
    "A Job at each moment of a schedule.",
    default=_default,
    validate=_validate,
    warn=warn_of_job_template,
    columns=(
        NAME,
        Column("Schedule", of("spec.schedule")),
        Column("Timezone", of("spec.timeZone", NONE)),
        Column("Suspend", lambda cj, now: str(bool(cj["spec"].get("suspend"))), type="boolean"),
        Column("Active", lambda cj, now: len(entries(cj, "status.active")), type="integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        Column("Containers", lambda cj, now: _containers(cj, "name"), priority=1),
        Column("Images", lambda cj, now: _containers(cj, "image"), priority=1),
        Column("Selector", lambda cj, now: NONE, priority=1),
    ),
)

SERVED_FIELDS = {
    "batch.v1.CronJob": holding("spec"),
    "batch.v1.CronJobSpec": {
        **acted("controllers", "schedule timeZone startingDeadlineSeconds concurrencyPolicy"),
        **acted("controllers", "suspend jobTemplate successfulJobsHistoryLimit"),
        **acted("controllers", "failedJobsHistoryLimit"),
    },
    "batch.v1.JobTemplateSpec": acted("controllers", "metadata spec"),
}
