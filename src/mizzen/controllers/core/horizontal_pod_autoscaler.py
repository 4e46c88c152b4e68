"""autoscaling/v2 HorizontalPodAutoscaler: as many replicas as the metrics of pods ask for.

Nobody tells when a metric changes, so each is asked for every 15 s. The target is known by its Scale
alone, whatever its kind. Source: kube-controller-manager `pkg/controller/podautoscaler`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mizzen.base import quantity
from mizzen.base.clock import rfc3339
from mizzen.base.errors import ApiError, NoPage, NotFound
from mizzen.base.objects import Key, Obj, is_terminating, labels_of, name_of, uid_of
from mizzen.base.operations import Patch
from mizzen.base.reading import entries, number, part, text
from mizzen.base.reading import field as value_at
from mizzen.base.resources import HORIZONTAL_POD_AUTOSCALERS, PODS, Resource
from mizzen.base.selector_parser import parse_labels
from mizzen.base.selectors import LabelSelector
from mizzen.controllers.core.actions import (
    Action,
    Answers,
    Ask,
    Controller,
    EmitEvent,
    RequeueAfter,
)
from mizzen.controllers.core.autoscaling import metrics as reading
from mizzen.controllers.core.autoscaling.behavior import History, Moment, normalize, note_scaling
from mizzen.controllers.core.autoscaling.replicas import (
    Asked,
    Tolerances,
    Uncomputable,
    by_average,
    by_utilization,
    by_value,
    by_value_per_pod,
)
from mizzen.controllers.core.disruption_budget import PODS_IN
from mizzen.controllers.core.status_writes import condition_of
from mizzen.controllers.core.view import View

PERIOD_S = 15.0
NS = 1_000_000_000
_MEMORY = "memory"
_FAILED = {
    "Resource": "FailedGetResourceMetric",
    "ContainerResource": "FailedGetContainerResourceMetric",
    "Pods": "FailedGetPodsMetric",
    "Object": "FailedGetObjectMetric",
    "External": "FailedGetExternalMetric",
}


@dataclass(slots=True)
class _Memory:
    """What is known of one autoscaler beside its object."""

    history: History = field(default_factory=History)
    due_ns: int = 0
    generation: int = -1
    selector: str = ""
    asked: tuple[int, int] | None = None  # from and to, until the Scale says so


class _Failed(Exception):
    """It cannot go on: the condition that says why, and the events to tell."""

    def __init__(self, kind: str, reason: str, message: str, *events: tuple[str, str]) -> None:
        super().__init__(message)
        self.kind, self.reason, self.message, self.events = kind, reason, message, events


class _Scale(NamedTuple):
    resource: Resource
    replicas: int
    status_replicas: int
    selector: str


class Autoscaler:
    """Reconciles every autoscaler, each in its own time."""

    def __init__(self) -> None:
        self._known: dict[str, _Memory] = {}  # by uid
        self._uids: dict[Key, str] = {}

    def decide(self, view: View, key: Key, now_ns: int, answers: Answers) -> list[Action]:
        """Errors: Ask."""
        hpa = view.get(HORIZONTAL_POD_AUTOSCALERS, key)
        if hpa is None or is_terminating(hpa):
            self._known.pop(self._uids.pop(key, ""), None)
            return []
        uid = self._uids[key] = uid_of(hpa)
        memory = self._known.setdefault(uid, _Memory())
        generation = number(hpa, "metadata", "generation")
        if generation == memory.generation and now_ns < memory.due_ns:
            return [RequeueAfter((memory.due_ns - now_ns) / NS)]
        run = _Run(view, key, hpa, memory, now_ns, answers, self._others(key))
        actions = run.actions()
        memory.generation, memory.due_ns = generation, now_ns + int(PERIOD_S * NS)
        return [*actions, RequeueAfter(PERIOD_S)]

    def _others(self, key: Key) -> dict[Key, str]:
        """Selectors of the namespace's other autoscalers."""
        return {
            other: self._known[uid].selector
            for other, uid in self._uids.items()
            if other.namespace == key.namespace and other != key and uid in self._known
        }


class _Run:
    """One look at one autoscaler; what it finds goes into `status` and `events`."""

    def __init__(
        self, view: View, key: Key, hpa: Obj, memory: _Memory, now_ns: int, answers: Answers,
        others: dict[Key, str],
    ) -> None:  # fmt: skip
        self._view = view
        self._key = key
        self._hpa = hpa
        self._spec = part(hpa, "spec")
        self._memory = memory
        self._now_ns = now_ns
        self._answers = answers
        self._others = others
        self._conditions = list(entries(hpa, "status", "conditions"))
        self._events: list[EmitEvent] = []

    def actions(self) -> list[Action]:
        """Errors: Ask."""
        try:
            scale = self._scale()
        except _Failed as failed:
            self._tell(failed)
            return [*self._events, *self._write(part(self._hpa, "status"))]
        self._set("AbleToScale", "True", "SucceededGetScale",
                  "the HPA controller was able to get the target's current scale")  # fmt: skip
        self._settle(scale)
        return self._scaled(scale)

    def _settle(self, scale: _Scale) -> None:
        """What was asked for before and has come true counts for rates."""
        memory = self._memory
        if memory.asked is not None and memory.asked[1] == scale.replicas:
            note_scaling(memory.history, self._spec, *memory.asked, self._now_ns)
        memory.asked, memory.selector = None, scale.selector
        if not memory.history.recommendations:
            memory.history.recommendations.append(Moment(scale.replicas, self._now_ns))

    def _scaled(self, scale: _Scale) -> list[Action]:
        current, most = scale.replicas, number(self._spec, "maxReplicas")
        said = value_at(self._spec, "minReplicas")
        least = 1 if said is None else int(said)
        found: list[Obj] = []
        reason = ""
        desired = current
        if current == 0:
            self._set("ScalingActive", "False", "ScalingDisabled",
                      "scaling is disabled since the replica count of the target is zero")  # fmt: skip
        elif current > most:
            desired, reason = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            desired, reason = least, "Current number of replicas below Spec.MinReplicas"
        else:
            found = []
            try:
                wanted, metric = self._wanted(scale, found)
            except _Failed as failed:
                self._tell(failed)
                status = self._status(
                    current, number(self._hpa, "status", "desiredReplicas"), found
                )
                return [*self._events, *self._write(status)]
            if wanted > current:
                reason = f"{metric} above target"
            elif wanted < current:
                reason = "All metrics below target"
            made = normalize(self._memory.history, self._spec, current, wanted, least, self._now_ns)
            self._set("AbleToScale", "True", *made.able)
            self._set("ScalingLimited", "True" if made.is_limited else "False", *made.limited)
            desired = made.replicas
        status = self._status(current, desired, found)
        rescale: list[Action] = []
        if desired != current:
            self._set("AbleToScale", "True", "SucceededRescale",
                      f"the HPA controller was able to update the target scale to {desired}")  # fmt: skip
            told = f"New size: {desired}; reason: {reason}"
            self._events.append(EmitEvent(self._hpa, "Normal", "SuccessfulRescale", told))
            status["lastScaleTime"] = rfc3339(self._now_ns)
            self._memory.asked = (current, desired)
            target, change = text(self._spec, "scaleTargetRef", "name"), {"replicas": desired}
            rescale.append(
                Patch(scale.resource, self._key.namespace, target, {"spec": change}, "scale")
            )
        return [*rescale, *self._write(status), *self._events]

    # -- the target -----------------------------------------------------------------------
    def _scale(self) -> _Scale:
        """Errors: Ask, _Failed."""
        target = part(self._spec, "scaleTargetRef")
        try:
            resource = self._resource(text(target, "apiVersion"), text(target, "kind"))
            path = resource.path(self._key.namespace, text(target, "name"), "scale")
            found = self._ask(path)
        except ApiError as error:
            said = "the HPA controller was unable to get the target's current scale: "
            raise _Failed(
                "AbleToScale", "FailedGetScale", f"{said}{error.message}",
                ("FailedGetScale", error.message),
            ) from error  # fmt: skip
        return _Scale(
            resource, number(found, "spec", "replicas"), number(found, "status", "replicas"),
            text(found, "status", "selector"),
        )  # fmt: skip

    def _resource(self, api_version: str, kind: str) -> Resource:
        """Errors: Ask; NotFound where nothing is known of the kind."""
        group, _, version = api_version.rpartition("/")
        listed = self._ask(f"/apis/{api_version}" if group else f"/api/{api_version}")
        for each in entries(listed, "resources"):
            if each.get("kind") == kind and "/" not in each["name"]:
                is_namespaced = bool(each.get("namespaced"))
                return Resource(group, version, each["name"], kind, namespaced=is_namespaced)
        raise NotFound(f'no matches for kind "{kind}" in group "{group}"')

    def _ask(self, path: str) -> Obj:
        """Errors: Ask; ApiError, the answer."""
        found = self._answers.get(path)
        if found is None:
            raise Ask(path)
        if isinstance(found, ApiError):
            raise found
        return found

    # -- metrics --------------------------------------------------------------------------
    def _wanted(self, scale: _Scale, found: list[Obj]) -> tuple[int, str]:
        """The most that a metric asks for, and its name; `found` is filled with their statuses.

        Errors: Ask, _Failed.
        """
        pods = self._pods(scale)
        specs = entries(self._spec, "metrics")
        wanted, name = 0, ""
        first: tuple[str, str, str] | None = None  # the reason, what failed, why
        failures = 0
        for spec in specs:
            kind = text(spec, "type")
            try:
                asked, named, status = self._of(spec, kind, scale, pods)
            except (Uncomputable, ApiError) as error:
                message = error.message if isinstance(error, ApiError) else str(error)
                self._events.append(EmitEvent(self._hpa, "Warning", _FAILED[kind], message))
                first = first or (_FAILED[kind], _failed_to_get(spec, kind), message)
                failures += 1
                found.append({"type": ""})
                continue
            found.append({"type": kind, **status})
            if wanted == 0 or asked > wanted:
                wanted, name = asked, named
        if first is not None and (failures == len(specs) or wanted < scale.replicas):
            listed = f"{failures} invalid out of {len(specs)}"
            told = f"invalid metrics ({listed}), first error is: {first[1]}: {first[2]}"
            message = f"the HPA was unable to compute the replica count: {first[2]}"
            raise _Failed(
                "ScalingActive", first[0], message, ("FailedComputeMetricsReplicas", told)
            )
        message = f"the HPA was able to successfully calculate a replica count from {name}"
        self._set("ScalingActive", "True", "ValidMetricFound", message)
        return wanted, name

    def _pods(self, scale: _Scale) -> list[Obj]:
        """Errors: _Failed where the selector says nothing, or what another says, too."""
        if not scale.selector:
            raise _invalid_selector(
                "SelectorRequired", "selector is required",
                "the HPA target's scale is missing a selector",
            )  # fmt: skip
        try:
            selector = parse_labels(scale.selector)
        except ValueError as error:
            said = (
                f"couldn't convert selector into a corresponding internal selector object: {error}"
            )
            raise _invalid_selector("InvalidSelector", said, said) from error
        pods = [
            pod
            for pod in self._view.find(PODS_IN, self._key.namespace)
            if selector.matches(labels_of(pod))
        ]
        rivals = [key for key, other in self._others.items() if other and _selects(other, pods)]
        if rivals:
            keys = " ".join(f"{key.namespace}/{key.name}" for key in sorted([*rivals, self._key]))
            said = f"pods by selector {scale.selector} are controlled by multiple HPAs: [{keys}]"
            raise _Failed(
                "ScalingActive", "AmbiguousSelector", said, ("AmbiguousSelector", said),
                ("FailedComputeMetricsReplicas", said),
            )  # fmt: skip
        return pods

    def _of(self, spec: Obj, kind: str, scale: _Scale, pods: Sequence[Obj]) -> tuple[int, str, Obj]:
        """The replicas, the metric's name, its status. Errors: Ask, Uncomputable, ApiError."""
        if kind in ("Resource", "ContainerResource"):
            return self._of_resource(spec, kind, scale, pods)
        source = part(spec, kind.lower())
        metric, target = part(source, "metric"), part(source, "target")
        name, tolerances = text(metric, "name"), self._tolerances()
        status: Obj = {"metric": metric}
        if kind == "Pods":
            said = f"unable to get metric {name}: unable to fetch metrics from custom metrics API"
            version = self._custom_version(said)
            path = reading.pods_path(version, self._key.namespace, scale.selector, metric)
            usage = reading.pods_values(self._listed(path, said, "custom"))
            wanted = quantity.to_milli(target["averageValue"])
            asked = by_average(pods, usage, scale.replicas, wanted, tolerances, "", self._now_ns)
            status["current"] = {"averageValue": quantity.format_milli(asked.usage)}
            return asked.replicas, f"pods metric {name}", {"pods": status}
        if kind == "Object":
            value, described = self._of_object(source, metric)
            status["describedObject"] = described
            # Upstream's words for an average of an object's metric are those of an external one.
            named = _named(metric)
            if "averageValue" not in target:
                named = f"{text(described, 'kind')} metric {name}"
        else:
            path = reading.external_path(self._key.namespace, metric)
            place = f"{self._key.namespace}/{name}/{reading.selector_words(metric)}"
            why = "unable to fetch metrics from external metrics API"
            said = f"unable to get external metric {place}: {why}"
            value = sum(reading.values(self._listed(path, said, "external")))
            named = _named(metric)
        asked, field_name = _by_target(target, value, scale, pods, tolerances)
        status["current"] = {field_name: quantity.format_milli(asked.usage)}
        return asked.replicas, named, {kind.lower(): status}

    def _of_resource(
        self, spec: Obj, kind: str, scale: _Scale, pods: Sequence[Obj]
    ) -> tuple[int, str, Obj]:
        place = "resource" if kind == "Resource" else "containerResource"
        source = part(spec, place)
        name, container, target = (
            text(source, "name"),
            text(source, "container"),
            part(source, "target"),
        )
        path = reading.resource_path(self._key.namespace, scale.selector)
        is_average = "averageValue" in target
        outer = f"failed to get {name} {'usage' if is_average else 'utilization'}"
        try:
            said = f"unable to get metrics for resource {name}: unable to fetch metrics from resource metrics API"
            usage = reading.pods_usage(self._listed(path, said, "resource"), name, container)
            if is_average:
                wanted = quantity.to_milli(target["averageValue"])
                asked = by_average(
                    pods, usage, scale.replicas, wanted, self._tolerances(), name, self._now_ns
                )
                named = f"{name} resource"
            else:
                percent = number(target, "averageUtilization")
                asked = by_utilization(
                    pods, usage, scale.replicas, percent, self._tolerances(), name, container,
                    self._now_ns,
                )  # fmt: skip
                of = "container resource" if container else "resource"
                named = f"{name} {of} utilization (percentage of request)"
        except Uncomputable as error:
            raise Uncomputable(f"{outer}: {error}") from error
        current: Obj = {"averageValue": _amount(name, asked.usage)}
        if not is_average:
            current["averageUtilization"] = asked.percent
        status: Obj = {"name": name, "current": current}
        if container:
            status["container"] = container
        return asked.replicas, named, {place: status}

    def _of_object(self, source: Obj, metric: Obj) -> tuple[int, Obj]:
        described = part(source, "describedObject")
        kind, name = text(described, "kind"), text(described, "name")
        resource = ""
        if kind != "Namespace":
            found = self._resource(text(described, "apiVersion"), kind)
            resource = f"{found.plural}.{found.group}" if found.group else found.plural
        said = f"unable to get metric {text(metric, 'name')}: unable to fetch metrics from custom metrics API"
        try:
            version = self._custom_version(said)
            path = reading.object_path(version, self._key.namespace, resource, name, metric)
            values = reading.values(self._listed(path, said, "custom"))
        except Uncomputable as error:
            raise Uncomputable(f"{error} on {kind} {self._key.namespace}/{name}") from error
        return values[0], described

    def _custom_version(self, said: str) -> str:
        """Errors: Ask, Uncomputable."""
        try:
            return reading.custom_version(self._ask(reading.CUSTOM))
        except NotFound as error:
            why = "no custom metrics API (custom.metrics.k8s.io) registered"
            raise Uncomputable(f"{said}: {why}") from error
        except ValueError as error:
            raise Uncomputable(f"{said}: {error}") from error

    def _listed(self, path: str, said: str, api: str) -> Obj:
        """Errors: Ask, Uncomputable."""
        try:
            found = self._ask(path)
        except NoPage as error:  # upstream's client says so of answers that are no Status
            asked = f"{reading.metric_of(path)}.{api}.metrics.k8s.io"
            why = f"the server could not find the requested resource (get {asked})"
            raise Uncomputable(f"{said}: {why}") from error
        except ApiError as error:
            raise Uncomputable(f"{said}: {error.message}") from error
        if not entries(found, "items"):
            head = said.partition(": unable to fetch")[0]
            raise Uncomputable(f"{head}: no metrics returned from {api} metrics API")
        return found

    def _tolerances(self) -> Tolerances:
        behavior = part(self._spec, "behavior")
        said = [value_at(behavior, name, "tolerance") for name in ("scaleUp", "scaleDown")]
        return Tolerances(*(0.1 if each is None else float(quantity.parse(each)) for each in said))

    # -- what is told ---------------------------------------------------------------------
    def _tell(self, failed: _Failed) -> None:
        self._set(failed.kind, "False", failed.reason, failed.message)
        for reason, message in failed.events:
            self._events.append(EmitEvent(self._hpa, "Warning", reason, message))

    def _set(self, kind: str, status: str, reason: str, message: str) -> None:
        new = condition_of(kind, status, reason, message, self._now_ns)
        for index, old in enumerate(self._conditions):
            if old["type"] == kind:
                if old["status"] == status:
                    new["lastTransitionTime"] = old["lastTransitionTime"]
                self._conditions[index] = new
                return
        self._conditions.append(new)

    def _status(self, current: int, desired: int, found: list[Obj]) -> Obj:
        status: Obj = {
            "currentReplicas": current, "desiredReplicas": desired, "currentMetrics": found or None,
        }  # fmt: skip
        generation = number(self._hpa, "metadata", "generation")
        if generation:
            status["observedGeneration"] = generation
        last = text(self._hpa, "status", "lastScaleTime")
        if last:
            status["lastScaleTime"] = last
        return status

    def _write(self, status: Obj) -> list[Action]:
        """What of the status is new; nothing where all is as before."""
        wanted: Obj = {**status, "conditions": self._conditions}
        before = part(self._hpa, "status")
        change = {name: each for name, each in wanted.items() if before.get(name) != each}
        if not change:
            return []
        return [
            Patch(
                HORIZONTAL_POD_AUTOSCALERS, self._key.namespace, name_of(self._hpa),
                {"status": change}, "status", uid=uid_of(self._hpa),
            )
        ]  # fmt: skip


def _by_target(
    target: Obj, value: int, scale: _Scale, pods: Sequence[Obj], tolerances: Tolerances
) -> tuple[Asked, str]:
    """By the value itself or by its share of each replica, and how the status names it."""
    if "averageValue" in target:
        wanted = quantity.to_milli(target["averageValue"])
        return by_value_per_pod(value, scale.status_replicas, wanted, tolerances), "averageValue"
    wanted = quantity.to_milli(target["value"])
    return by_value(pods, value, scale.replicas, wanted, tolerances), "value"


def _amount(resource: str, milli: int) -> str:
    if resource == _MEMORY and milli % 1000 == 0:
        return quantity.format_bytes(milli // 1000)
    return quantity.format_milli(milli)


def _named(metric: Obj) -> str:
    return f"external metric {text(metric, 'name')}({reading.selector_words(metric)})"


def _failed_to_get(spec: Obj, kind: str) -> str:
    if kind == "Resource":
        return f"failed to get {text(spec, 'resource', 'name')} resource metric value"
    if kind == "ContainerResource":
        return (
            f"failed to get {text(spec, 'containerResource', 'container')} container metric value"
        )
    if kind == "External":
        name = text(spec, "external", "metric", "name")
        is_average = "averageValue" in part(spec, "external", "target")
        what = f"{name} external metric" if is_average else f"external metric {name}"
        return f"failed to get {name} external metric value: failed to get {what}"
    return f"failed to get {kind.lower()} metric value"


def _invalid_selector(event: str, said: str, message: str) -> _Failed:
    return _Failed(
        "ScalingActive", "InvalidSelector", message, (event, said),
        ("FailedComputeMetricsReplicas", said),
    )  # fmt: skip


def _selects(selector: str, pods: Sequence[Obj]) -> bool:
    wanted: LabelSelector = parse_labels(selector)
    return any(wanted.matches(labels_of(pod)) for pod in pods)


CONTROLLER = Controller(
    name="horizontal-pod-autoscaler",
    resource=HORIZONTAL_POD_AUTOSCALERS,
    decide=Autoscaler().decide,
    # Pods are indexed when the first autoscaler asks for them: most instances have none.
    reads=(PODS,),
)
