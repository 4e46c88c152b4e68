"""What a replica of a ModelEndpoint looks like: one pod, one claim, one engine."""

from __future__ import annotations

import hashlib
import json

from mizzen.base.names import (
    CAUSE,
    CPU_CORE_CLASS,
    ENDPOINT,
    ENGINE_PORT,
    HANDED_OVER_TO,
    IMAGE_ENGINE,
    MANAGED_BY,
    PRIORITY_INFERENCE,
    REPLICA_INDEX,
)
from mizzen.base.objects import Obj, name_of, namespace_of, owner_reference
from mizzen.base.reading import field, part
from mizzen.controllers.core.actions import Action
from mizzen.controllers.core.extended_resources import CLAIM, DeviceWish, with_claim

TEMPLATE_HASH = "mizzen.dev/template-hash"  # label: which version of the spec a replica runs
START_S = 3600  # a model that is not loaded by then is begun anew
GRACE_S = 20  # a stopping engine finishes its running streams within this


def create_replica(endpoint: Obj, index: int, cause: str, now_ns: int) -> list[Action]:
    """The operations that make replica `index` and its claim."""
    name = f"{name_of(endpoint)}-{index}"
    annotations = {CAUSE: cause} if cause else {}
    pod: Obj = {
        "metadata": {
            "name": name,
            "namespace": namespace_of(endpoint),
            "labels": {
                ENDPOINT: name_of(endpoint),
                REPLICA_INDEX: str(index),
                TEMPLATE_HASH: template_hash(endpoint),
                MANAGED_BY: "mizzen",
            },
            "annotations": annotations,
            "ownerReferences": [owner_reference(endpoint)],
        },
        "spec": _pod_spec(endpoint),
    }
    return with_claim(endpoint, pod, [_wish(endpoint)], now_ns)


def template_hash(endpoint: Obj) -> str:
    """Changes when, and only when, running replicas no longer match the spec."""
    seen = {"spec": _pod_spec(endpoint), "devices": part(endpoint, "spec", "resources")}
    text = json.dumps(seen, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _wish(endpoint: Obj) -> DeviceWish:
    resources = part(endpoint, "spec", "resources")
    return DeviceWish(
        str(resources.get("deviceClassName") or CPU_CORE_CLASS), int(resources.get("count") or 1)
    )


def _pod_spec(endpoint: Obj) -> Obj:
    ready = {"path": "/health", "port": ENGINE_PORT}
    return {
        "restartPolicy": "Always",
        "schedulerName": HANDED_OVER_TO,
        "terminationGracePeriodSeconds": GRACE_S,
        "priorityClassName": field(endpoint, "spec", "priorityClassName") or PRIORITY_INFERENCE,
        "containers": [
            {
                "name": "engine",
                "image": IMAGE_ENGINE,
                "args": _arguments(endpoint),
                "env": [
                    {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
                ],
                "ports": [{"name": "http", "containerPort": ENGINE_PORT}],
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
                    "httpGet": {"path": "/livez", "port": ENGINE_PORT},
                    "periodSeconds": 5,
                    "timeoutSeconds": 20,
                    "failureThreshold": 3,
                },
            }
        ],
    }


def _arguments(endpoint: Obj) -> list[str]:
    """The command line of `python -m mizzen.engine`."""
    engine = part(endpoint, "spec", "engine")
    model = part(endpoint, "spec", "model")
    arguments = [
        *("--model", _literally(str(model.get("path") or ""))),
        *("--name", _literally(str(model.get("name") or name_of(endpoint)))),
        *("--host", "$(POD_IP)"),
        *("--port", str(ENGINE_PORT)),
        *("--max-batch-size", str(engine.get("maxBatchSize") or 16)),
    ]
    if engine.get("contextLength"):
        arguments += ["--context-length", str(engine["contextLength"])]
    for name, value in sorted(part(engine, "args").items()):
        arguments += ["--property", _literally(f"{name}={value}")]
    return arguments


def _literally(text: str) -> str:
    """The argument that arrives as this text: `$(NAME)` in a path is no variable."""
    return text.replace("$", "$$")
