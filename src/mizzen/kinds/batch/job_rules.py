"""Checks of JobSpecs that a schema cannot say.

Source: pkg/apis/batch/validation/validation.go, Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.indexes import Indexes
from mizzen.base.objects import Obj
from mizzen.base.selectors import from_object
from mizzen.kinds.causes import invalid, required, unsupported
from mizzen.kinds.core.placement_rules import check_label_selector
from mizzen.kinds.internal_forms import fixed
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_label, dns_subdomain, invalid_value, qualified_name
from mizzen.kinds.reading import entries, get, part

PARALLELISM_MAX = 100_000  # of Indexed jobs
COMPLETIONS_SOFT_MAX = 100_000  # beyond, failed indexes are bounded too
PARALLELISM_BEYOND_MAX = 10_000
FAILED_INDEXES_BEYOND_MAX = 10_000
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
INDEXES_BYTES_MAX = 64 * 1024
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
_LABELS = "spec.template.metadata.labels"
# What may change in the template of a suspended job: where its pods go, not what they are.
_STEERING = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def check_job_spec(spec: Obj, path: str) -> list[Cause]:
    """Causes to refuse what a job says beside its template."""
    is_indexed = spec.get("completionMode") == "Indexed"
    causes = _check_indexed(spec, path) if is_indexed else _check_plain(spec, path)
    causes += _check_limit_per_index(spec, path, is_indexed=is_indexed)
    if "podFailurePolicy" in spec:
        causes += _check_failure_policy(spec, f"{path}.podFailurePolicy")
        if part(spec, "template.spec").get("restartPolicy") != "Never":
            said = part(spec, "template.spec").get("restartPolicy") or ""
            message = 'only "Never" is supported when podFailurePolicy is specified'
            causes.append(invalid_value(f"{path}.template.spec.restartPolicy", said, message))
        replacement = spec.get("podReplacementPolicy")
        if replacement not in (None, "Failed"):
            at = f"{path}.podReplacementPolicy"
            causes.append(unsupported(at, replacement, ("Failed",)))
    for index, rule in enumerate(entries(spec, "successPolicy.rules")):
        causes += _check_success_rule(rule, spec, f"{path}.successPolicy.rules[{index}]")
    manager = spec.get("managedBy")
    if manager is not None and not _is_domain_path(manager):
        message = 'must be a domain-prefixed path (such as "acme.io/foo")'
        causes.append(invalid_value(f"{path}.managedBy", manager, message))
    return causes


def generated_selector(job: Obj) -> Obj:
    """The selector that a Job has unless it brings its own: its UID, or else its name."""
    metadata = job["metadata"]
    if metadata.get("uid"):
        return {"matchLabels": {CONTROLLER_UID: metadata["uid"]}}
    return {"matchLabels": {JOB_NAME: metadata.get("name") or ""}}


def check_selector(job: Obj, old: Obj | None) -> list[Cause]:
    """What a job selects: its own pods, by labels that the server made unless it is declared
    otherwise. A new job that lacks one has a name of which none could be made.

    Source: pkg/apis/batch/validation `validateGeneratedSelector`, `ValidateJobSpec`.
    """
    spec, path = job["spec"], "spec.selector"
    selector, labels = spec.get("selector"), get(spec, "template.metadata.labels")
    is_generated = not spec.get("manualSelector")
    if selector is None and is_generated and old is None:
        return []
    causes = [] if selector is None or not is_generated else _check_generated(job, old)
    wrong = check_label_selector(part(spec, "selector"), path)
    if selector is None:
        causes.append(required(path))
    if not wrong:
        wanted = from_object(selector)
        if wanted is None or not wanted.matches(labels or {}):
            message = "`selector` does not match template `labels`"
            causes.append(invalid(_LABELS, labels, message))
    return causes + wrong


def _check_generated(job: Obj, old: Obj | None) -> list[Cause]:
    name, uid = job["metadata"].get("name") or "", job["metadata"].get("uid") or ""
    expected = {"controller-uid": uid, "job-name": name}
    before = part(old, "spec.template.metadata.labels")
    if old is None or (CONTROLLER_UID in before and JOB_NAME in before):
        expected |= {CONTROLLER_UID: uid, JOB_NAME: name}
    labels = part(job["spec"], "template.metadata.labels")
    causes: list[Cause] = []
    for key, value in expected.items():
        if key not in labels:
            causes.append(required(f"{_LABELS}[{key}]", f"must be '{value}'"))
        elif labels[key] != value:
            causes.append(invalid(f"{_LABELS}[{key}]", labels, f"must be '{value}'"))
    selector = job["spec"]["selector"]
    if not check_label_selector(selector, "spec.selector"):
        wanted = from_object(selector)
        if wanted is None or not wanted.matches(expected):
            causes.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    return causes


def check_job_name(name: str, spec: Obj) -> list[Cause]:
    """The names that will be made of this one must be possible, too."""
    if len(name) > 63:
        message = "must be no more than 63 characters: its pods carry it as a label"
        return [invalid_value("metadata.name", name, message)]
    last = int(spec.get("completions") or 0) - 1
    if spec.get("completionMode") == "Indexed" and last >= 0:
        hostname = f"{name}-{last}"
        if dns_label(hostname):
            message = (
                f'will not be able to create pods: their host name "{hostname}" is no DNS label '
                "(at most 63 lower case letters, digits and '-')"
            )
            return [invalid_value("metadata.name", name, message)]
    return []


def _check_indexed(spec: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if "completions" not in spec:
        message = "Required value: when completion mode is Indexed"
        causes.append(Cause(f"{path}.completions", message, "FieldValueRequired"))
    if int(spec.get("parallelism") or 0) > PARALLELISM_MAX:
        message = (
            f"Invalid value: {spec['parallelism']}: must be less than or equal to "
            f"{PARALLELISM_MAX} when completion mode is Indexed"
        )
        causes.append(Cause(f"{path}.parallelism", message))
    return causes


def _check_plain(spec: Obj, path: str) -> list[Cause]:
    return [
        invalid(f"{path}.{name}", spec[name], "requires indexed completion mode")
        for name in ("backoffLimitPerIndex", "successPolicy")
        if name in spec
    ]


def _check_limit_per_index(spec: Obj, path: str, *, is_indexed: bool) -> list[Cause]:
    causes: list[Cause] = []
    most, completions = spec.get("maxFailedIndexes"), spec.get("completions")
    at = f"{path}.maxFailedIndexes"
    if most is not None and "backoffLimitPerIndex" not in spec:
        message = "Required value: when maxFailedIndexes is specified"
        causes.append(Cause(f"{path}.backoffLimitPerIndex", message, "FieldValueRequired"))
    if most is not None and completions is not None and most > completions:
        message = f"Invalid value: {most}: must be less than or equal to completions"
        causes.append(Cause(at, message))
    if not is_indexed or "backoffLimitPerIndex" not in spec:
        return causes
    if completions is None or completions <= COMPLETIONS_SOFT_MAX:
        return causes
    if most is None:
        message = (
            f"Required value: must be specified when completions is above {COMPLETIONS_SOFT_MAX}"
        )
        causes.append(Cause(at, message, "FieldValueRequired"))
    for name, value, limit in (
        ("parallelism", spec.get("parallelism"), PARALLELISM_BEYOND_MAX),
        ("maxFailedIndexes", most, FAILED_INDEXES_BEYOND_MAX),
    ):
        if value is not None and value > limit:
            message = (
                f"Invalid value: {value}: must be less than or equal to {limit} when completions "
                f"are above {COMPLETIONS_SOFT_MAX} and used with backoff limit per index"
            )
            causes.append(Cause(f"{path}.{name}", message))
    return causes


# -- podFailurePolicy ---------------------------------------------------------------


def _check_failure_policy(spec: Obj, path: str) -> list[Cause]:
    pod = part(spec, "template.spec")
    names = {
        c.get("name") for field in ("containers", "initContainers") for c in entries(pod, field)
    }
    causes: list[Cause] = []
    for index, rule in enumerate(entries(spec, "podFailurePolicy.rules")):
        at = f"{path}.rules[{index}]"
        causes += _check_word(f"{at}.action", rule["action"], _ACTIONS)
        if rule["action"] == "FailIndex" and "backoffLimitPerIndex" not in spec:
            message = 'Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set'
            causes.append(Cause(f"{at}.action", message))
        exits, conditions = rule.get("onExitCodes"), entries(rule, "onPodConditions")
        if exits is not None:
            causes += _check_exit_codes(exits, f"{at}.onExitCodes", names)
        for place, pattern in enumerate(conditions):
            problem = qualified_name(pattern["type"])
            if problem:
                here = f"{at}.onPodConditions[{place}].type"
                causes.append(invalid_value(here, pattern["type"], problem))
        if exits is not None and conditions:
            message = (
                "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"
            )
            causes.append(Cause(at, message))
        elif exits is None and not conditions:
            message = "Invalid value: specifying one of OnExitCodes and OnPodConditions is required"
            causes.append(Cause(at, message))
    return causes


def _check_word(path: str, word: str, known: tuple[str, ...]) -> list[Cause]:
    if not word:
        shown = " ".join(f'"{each}"' for each in known)
        return [required(path, f"valid values: [{shown}]")]
    return [] if word in known else [unsupported(path, word, known)]


def _check_exit_codes(exits: Obj, path: str, names: set[Any]) -> list[Cause]:
    causes: list[Cause] = []
    causes += _check_word(f"{path}.operator", exits["operator"], _OPERATORS)
    name, values = exits.get("containerName"), entries(exits, "values")
    if not values:
        message = "at least one value is required"
        causes.append(invalid(f"{path}.values", exits.get("values"), message))
    if name is not None and name not in names:
        message = "must be one of the container or initContainer names in the pod template"
        causes.append(invalid_value(f"{path}.containerName", name, message))
    for index, value in enumerate(values):
        at = f"{path}.values[{index}]"
        if exits["operator"] == "In" and value == 0:
            causes.append(Cause(at, "Invalid value: 0: must not be 0 for the In operator"))
        if value in values[:index]:
            causes.append(Cause(at, f"Duplicate value: {value}", "FieldValueDuplicate"))
    if values != sorted(values):
        causes.append(invalid(f"{path}.values", values, "must be ordered"))
    return causes


# -- successPolicy ------------------------------------------------------------------


def _check_success_rule(rule: Obj, spec: Obj, path: str) -> list[Cause]:
    count, listed = rule.get("succeededCount"), rule.get("succeededIndexes")
    completions = int(spec.get("completions") or 0)
    if count is None and listed is None:
        message = (
            "Required value: at least one of succeededCount or succeededIndexes must be specified"
        )
        return [Cause(path, message, "FieldValueRequired")]
    most, among = completions, "the number of specified completions"
    if listed is not None:
        at = f"{path}.succeededIndexes"
        if len(listed) > INDEXES_BYTES_MAX:
            message = f"Too long: may not be more than {INDEXES_BYTES_MAX} bytes"
            return [Cause(at, message, "FieldValueTooLong")]
        try:
            indexes = Indexes.parse(listed)
        except ValueError as error:
            return [invalid_value(at, listed[:100], str(error))]
        if len(indexes.below(completions)) < len(indexes):
            message = f"indexes must be below spec.completions, {completions}"
            return [invalid_value(at, listed[:100], message)]
        most = len(indexes)
        among = "the number of indexes in the specified succeededIndexes field"
    if count is not None and not 0 <= count <= most:
        message = f"Invalid value: {count}: must be from 0 to {most} ({among})"
        return [Cause(f"{path}.succeededCount", message)]
    return []


def _is_domain_path(text: str) -> bool:
    domain, slash, path = text.partition("/")
    return bool(slash and path) and not dns_subdomain(domain) and path.isprintable()


# -- updates ------------------------------------------------------------------------


def check_job_update(new: Obj, old: Obj) -> list[Cause]:
    """Refuses changes of fields that are immutable once the job exists."""
    one, other = new["spec"], old["spec"]
    causes = immutable(
        new, old, "spec.completionMode", "spec.managedBy", "spec.backoffLimitPerIndex"
    )
    for name, kind in _FIXED.items():
        causes += fixed(kind, f"spec.{name}", one.get(name), other.get(name))
    return causes + _check_completions(new, old) + _check_template(new, old)


_FIXED = {
    "selector": "*metav1.LabelSelector",
    "podFailurePolicy": "*batch.PodFailurePolicy",
    "successPolicy": "*batch.SuccessPolicy",
}


def _check_completions(new: Obj, old: Obj) -> list[Cause]:
    spec = new["spec"]
    if spec["completionMode"] == "NonIndexed":
        return immutable(new, old, "spec.completions")
    wanted = spec.get("completions")
    if wanted == old["spec"].get("completions") or wanted == spec.get("parallelism"):
        return []
    message = f"Invalid value: {wanted}: can only be modified in tandem with spec.parallelism"
    return [Cause("spec.completions", message)]


def _check_template(new: Obj, old: Obj) -> list[Cause]:
    """Fixed; while the job is suspended and has no pods, it may still be steered and resized.

    Source: pkg/apis/batch/validation `validatePodTemplateUpdate`.
    """
    template, before = new["spec"]["template"], old["spec"]["template"]
    if not _may_change(old):
        return fixed("core.PodTemplateSpec", "spec.template", template, before)
    spec, earlier = part(template, "spec"), _steered(part(template, "spec"), part(before, "spec"))
    for field in ("containers", "initContainers"):
        pairs = list(zip(entries(spec, field), entries(earlier, field), strict=False))
        if len(pairs) == len(entries(spec, field)) == len(entries(earlier, field)) and pairs:
            earlier[field] = [_resized(each, known) for each, known in pairs]
    return fixed("core.PodSpec", "spec.template.spec", spec, earlier)


def _may_change(job: Obj) -> bool:
    """Source: pkg/registry/batch/job `shouldAllowMutablePodTemplate`."""
    status = part(job, "status")
    is_suspended = any(
        each.get("type") == "Suspended" and each.get("status") == "True"
        for each in entries(status, "conditions")
    )
    is_idle = not status.get("active") and (not status.get("startTime") or is_suspended)
    return bool(job["spec"].get("suspend")) and is_idle


def _steered(spec: Obj, before: Obj) -> Obj:
    """The earlier spec with what may be steered as it is now."""
    made = {name: value for name, value in before.items() if name not in _STEERING}
    made |= {name: spec[name] for name in _STEERING if name in spec and name != "affinity"}
    affinity = {n: v for n, v in part(before, "affinity").items() if n != "nodeAffinity"}
    if "nodeAffinity" in part(spec, "affinity"):
        affinity["nodeAffinity"] = spec["affinity"]["nodeAffinity"]
    if affinity or spec.get("affinity") is not None:
        made["affinity"] = affinity
    return made


def _resized(container: Obj, before: Obj) -> Obj:
    if container.get("name") != before.get("name"):
        return before
    rest = {name: value for name, value in before.items() if name != "resources"}
    return {**rest, "resources": container["resources"]} if "resources" in container else rest
