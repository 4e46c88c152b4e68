"""Reads ModelEndpoints and their pods, and resolves a model's name to an endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mizzen.base.engine import DEFAULT_ENGINE, EngineProfile, find_engines
from mizzen.base.names import ENGINE_TYPE, PICKER
from mizzen.base.objects import (
    Key,
    annotations_of,
    condition,
    controller_of,
    has_condition,
    is_terminating,
    key_of,
    labels_of,
    namespace_of,
    uid_of,
)
from mizzen.base.openai import OpenAIError, shown
from mizzen.base.resources import MODEL_ENDPOINTS
from mizzen.gateway.core.picker import DEFAULT_PICKER
from mizzen.gateway.core.scale import Policy

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ModelEndpoint as the gateway needs it. `served` is the name its engines answer to."""

    key: Key
    uid: str
    served: str
    created: str
    policy: Policy
    engine: EngineProfile
    replica_capacity: int  # sequences an engine runs at once
    picker: str  # the name of what chooses replicas
    queue_max: int
    queue_timeout_s: float
    demand: int | None  # what status.demand.replicas said last; None when it never said
    url: str  # what status.url says
    problem: str  # why it is not ready, in the controller's words


class Owner(NamedTuple):
    """One ModelEndpoint among all that ever have its name."""

    key: Key
    uid: str


@dataclass(frozen=True, slots=True)
class Address:
    """A ready replica: `uid` names its socket; `url` is set where its engine answers by TCP."""

    pod: str
    uid: str
    url: str = ""


def read_endpoint(obj: Mapping[str, Any]) -> Endpoint:
    """The endpoint an object stands for; the API server has defaulted and checked it."""
    spec: Mapping[str, Any] = obj.get("spec") or {}
    status: Mapping[str, Any] = obj.get("status") or {}
    model: Mapping[str, Any] = spec.get("model") or {}
    engine: Mapping[str, Any] = spec.get("engine") or {}
    demand: Mapping[str, Any] = status.get("demand") or {}
    replicas: Mapping[str, Any] = spec.get("replicas") or {}
    scaling: Mapping[str, Any] = spec.get("scaling") or {}
    queue: Mapping[str, Any] = spec.get("queue") or {}
    key = key_of(obj)
    profile = _known_engine(engine.get("type"))
    said = demand.get("replicas")
    ready = condition(obj, "Ready") or {}
    problem = "" if ready.get("status") == "True" else str(ready.get("message") or "")
    return Endpoint(
        key=key,
        uid=uid_of(obj),
        served=str(model.get("name") or key.name),
        created=str(obj["metadata"].get("creationTimestamp") or ""),
        policy=Policy(
            minimum=int(replicas.get("min", 1)),
            maximum=int(replicas.get("max", 1)),
            target=max(1, int(scaling.get("targetConcurrency", 8))),
            down_delay_ns=int(scaling.get("scaleDownDelaySeconds", 30)) * NS,
            zero_delay_ns=int(scaling.get("scaleToZeroDelaySeconds", 300)) * NS,
        ),
        engine=profile,
        replica_capacity=max(1, int(engine.get("maxBatchSize") or profile.sequences_max)),
        picker=annotations_of(obj).get(PICKER) or DEFAULT_PICKER,
        queue_max=int(queue.get("maxLength", 256)),
        queue_timeout_s=float(queue.get("timeoutSeconds", 60)),
        demand=None if said is None else int(said),
        url=str(status.get("url") or ""),
        problem=problem,
    )


def endpoint_of_pod(pod: Mapping[str, Any]) -> Owner | None:
    """The endpoint whose controller made a pod; its label may be a copy, and its name an heir's."""
    made_by = controller_of(pod)
    if made_by is None or made_by.get("kind") != MODEL_ENDPOINTS.kind:
        return None
    return Owner(Key(namespace_of(pod), made_by["name"]), str(made_by.get("uid") or ""))


def ready_address(pod: Mapping[str, Any]) -> Address | None:
    """Whom to send requests; None for a pod that should get no new ones."""
    status: Mapping[str, Any] = pod.get("status") or {}
    if is_terminating(pod) or not has_condition(pod, "Ready"):
        return None
    if status.get("phase") in ("Succeeded", "Failed"):
        return None
    engine = _known_engine(labels_of(pod).get(ENGINE_TYPE))
    url = "" if engine.is_on_socket else f"http://{status.get('podIP')}:{engine.port}"
    return Address(key_of(pod).name, uid_of(pod), url)


def _known_engine(name: str | None) -> EngineProfile:
    """The engine of that name; the default where none is said, or none of ours (no replica runs
    that one: its controller refuses it)."""
    engines = find_engines()
    return engines.get(name or DEFAULT_ENGINE, engines[DEFAULT_ENGINE])


def resolve(model: str, endpoints: Iterable[Endpoint]) -> Endpoint:
    """The endpoint that a request's `model` names: its served name, or namespace/name.

    Errors: OpenAIError 404 when there is none, 400 when the name fits several.
    """
    known = list(endpoints)
    namespace, slash, name = model.rpartition("/")
    exact = [e for e in known if slash and e.key.namespace == namespace]
    found = [e for e in exact if e.key.name == name] or [e for e in exact if e.served == name]
    if not found:
        found = [e for e in known if e.served == model]
    if len(found) > 1:
        forms = ", ".join(sorted(str(e.key) for e in found))
        raise OpenAIError(
            400,
            f'the model name "{shown(model)}" is ambiguous; say one of {forms}',
            param="model",
            code="ambiguous_model",
        )
    if not found:
        names = sorted({e.served for e in known})
        listed = f"there are {', '.join(names[:8])}" if names else "no model is served yet"
        raise OpenAIError(
            404,
            f'the model "{shown(model)}" does not exist; {listed}',
            param="model",
            code="model_not_found",
        )
    return found[0]


def model_ids(endpoints: Iterable[Endpoint]) -> list[tuple[str, Endpoint]]:
    """Every name that `resolve` accepts, sorted: served names that are unique, and namespaced."""
    known = list(endpoints)
    counts: dict[str, int] = {}
    for endpoint in known:
        counts[endpoint.served] = counts.get(endpoint.served, 0) + 1
    ids = [(e.served, e) for e in known if counts[e.served] == 1]
    ids += [(str(e.key), e) for e in known]
    return sorted(ids, key=lambda entry: entry[0])
