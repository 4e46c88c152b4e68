"""Builds a replica of a ModelEndpoint: one pod, one claim, one engine."""

from __future__ import annotations

import hashlib
import json

from mizzen.base.engine import EngineProfile, EngineSettings, find_engine
from mizzen.base.names import (
    CAUSE,
    CPU_CORE_CLASS,
    DISRUPTION,
    ENDPOINT,
    ENGINE_TYPE,
    HANDED_OVER_TO,
    MANAGED_BY,
    PRIORITY_INFERENCE,
    REPLICA_INDEX,
    STATELESS,
)
from mizzen.base.objects import Obj, name_of, namespace_of, owner_reference
from mizzen.base.reading import field, part
from mizzen.controllers.core.actions import Action
from mizzen.controllers.core.extended_resources import CLAIM, DeviceRequest, with_claim

TEMPLATE_HASH = "mizzen.dev/template-hash"  # label: which version of the spec a replica runs
START_S = 3600  # a model that is not loaded by then is begun anew
GRACE_S = 20  # a stopping engine finishes its running streams within this


def create_replica(endpoint: Obj, index: int, cause: str, now_ns: int) -> list[Action]:
    """The operations that make replica `index` and its claim."""
    name = f"{name_of(endpoint)}-{index}"
    profile = _profile(endpoint)
    annotations = {DISRUPTION: STATELESS}
    if cause:
        annotations[CAUSE] = cause
    pod: Obj = {
        "metadata": {
            "name": name,
            "namespace": namespace_of(endpoint),
            "labels": {
                ENDPOINT: name_of(endpoint),
                REPLICA_INDEX: str(index),
                ENGINE_TYPE: profile.name,
                TEMPLATE_HASH: template_hash(endpoint),
                MANAGED_BY: "mizzen",
            },
            "annotations": annotations,
            "ownerReferences": [owner_reference(endpoint)],
        },
        # An engine asks no API server. Beside the hash: replicas that are there have none either.
        "spec": {**_pod_spec(endpoint, profile), "automountServiceAccountToken": False},
    }
    return with_claim(endpoint, pod, [_device_request(endpoint)], now_ns)


def template_hash(endpoint: Obj) -> str:
    """Changes when, and only when, running replicas no longer match the spec."""
    spec = _pod_spec(endpoint, _profile(endpoint))
    seen = {"spec": spec, "devices": part(endpoint, "spec", "resources")}
    text = json.dumps(seen, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _device_request(endpoint: Obj) -> DeviceRequest:
    resources = part(endpoint, "spec", "resources")
    return DeviceRequest(
        str(resources.get("deviceClassName") or CPU_CORE_CLASS), int(resources.get("count") or 1)
    )


def _profile(endpoint: Obj) -> EngineProfile:
    """Errors: LookupError for an engine that only another version of Mizzen knows."""
    return find_engine(str(field(endpoint, "spec", "engine", "type") or ""))


def _pod_spec(endpoint: Obj, profile: EngineProfile) -> Obj:
    ready = {"path": profile.health_path, "port": profile.port}
    return {
        "restartPolicy": "Always",
        "schedulerName": HANDED_OVER_TO,
        "terminationGracePeriodSeconds": GRACE_S,
        "priorityClassName": field(endpoint, "spec", "priorityClassName") or PRIORITY_INFERENCE,
        "containers": [
            {
                "name": "engine",
                "image": profile.image,
                "args": _arguments(endpoint, profile),
                "env": [
                    {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
                ],
                "ports": [{"name": "http", "containerPort": profile.port}],
                "resources": {"claims": [{"name": CLAIM}]},
                "startupProbe": {
                    "httpGet": ready,
                    "periodSeconds": 1,
                    "timeoutSeconds": 5,
                    "failureThreshold": START_S,
                },
                "readinessProbe": {
                    "httpGet": ready,
                    "periodSeconds": 1,
                    "timeoutSeconds": 5,
                    "failureThreshold": 3,
                },
                # A large model on few cores may hold up everything else for some seconds a step.
                "livenessProbe": {
                    "httpGet": {"path": profile.liveness_path, "port": profile.port},
                    "periodSeconds": 5,
                    "timeoutSeconds": 20,
                    "failureThreshold": 3,
                },
            }
        ],
    }


def _arguments(endpoint: Obj, profile: EngineProfile) -> list[str]:
    engine = part(endpoint, "spec", "engine")
    model = part(endpoint, "spec", "model")
    settings = EngineSettings(
        model=_literally(str(model.get("path") or "")),
        served_name=_literally(str(model.get("name") or name_of(endpoint))),
        host="$(POD_IP)",
        port=profile.port,
        sequences_max=int(engine.get("maxBatchSize") or profile.sequences_max),
        context_length=engine.get("contextLength"),
        properties={
            _literally(name): _literally(str(value)) for name, value in part(engine, "args").items()
        },
    )
    return profile.arguments(settings)


def _literally(text: str) -> str:
    """The argument that arrives as this text: `$(NAME)` in a path is no variable."""
    return text.replace("$", "$$")
