"""ModelEndpoint: a model served over OpenAI's API by as many replicas as the demand needs."""

from __future__ import annotations

import re

from mizzen.base import names
from mizzen.base.engine import DEFAULT_ENGINE, find_engines
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import MODEL_ENDPOINTS
from mizzen.kinds.columns import AGE, NAME, of
from mizzen.kinds.kind import Column, Kind
from mizzen.kinds.meta import CONDITIONS, root
from mizzen.kinds.names import dns_label, dns_subdomain, invalid_value
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.schema import INT32, INT64, MICRO_TIME, STR, STRING_MAP, choice, package
from mizzen.kinds.subresource import STATUS_SUBRESOURCE
from mizzen.kinds.treatment import acted

v1alpha1 = package("dev.mizzen.v1alpha1")
NAME_MAX = 50  # its pods are <name>-<index>, whose names must stay DNS labels
REPLICAS_MAX = 10_000
PATH_BYTES_MAX = 4095  # Linux' PATH_MAX, without the NUL that ends one
_NAME = "spec.model.name"
_MODEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._:]{0,251}[A-Za-z0-9])?")

SPEC = v1alpha1(
    "ModelEndpointSpec",
    "What to serve, and how far to scale.",
    model=v1alpha1(
        "Model",
        "The model.",
        path=STR("Absolute path of a .gguf file or of a folder.", required=True),
        name=STR("Name that requests use; the endpoint's name by default."),
    )("The model.", required=True),
    replicas=v1alpha1(
        "ReplicaRange",
        "How far to scale.",
        min=INT32(
            "At least so many; 0 lets the endpoint sleep.",
            default=1,
            minimum=0,
            maximum=REPLICAS_MAX,
        ),
        max=INT32("At most so many; min by default.", minimum=1, maximum=REPLICAS_MAX),
    )("How far to scale.", default={}),
    scaling=v1alpha1(
        "Scaling",
        "When to scale.",
        targetConcurrency=INT32("Requests in flight per replica.", default=8, minimum=1),
        scaleDownDelaySeconds=INT32("Calm before a replica goes.", default=30, minimum=0),
        scaleToZeroDelaySeconds=INT32("Calm before the last one goes.", default=300, minimum=0),
    )("When to scale.", default={}),
    queue=v1alpha1(
        "Queue",
        "Requests that wait in the gateway.",
        maxLength=INT32("At most so many; more get a 429.", default=256, minimum=0),
        timeoutSeconds=INT32("At most so long.", default=60, minimum=1),
    )("Requests that wait in the gateway.", default={}),
    resources=v1alpha1(
        "ReplicaResources",
        "The devices of each replica.",
        deviceClassName=STR("Their DeviceClass.", default=names.CPU_CORE_CLASS),
        count=INT32("How many.", default=1, minimum=1, maximum=32),
    )("The devices of each replica.", default={}),
    priorityClassName=STR("Priority of the replicas.", default=names.PRIORITY_INFERENCE),
    engine=v1alpha1(
        "Engine",
        "Settings of the inference engine.",
        type=choice(*find_engines())(f"Which engine; {DEFAULT_ENGINE} by default."),
        maxBatchSize=INT32("Sequences in a batch.", default=16, minimum=1),
        contextLength=INT32("Tokens of a request and its answer.", minimum=1),
        args=STRING_MAP("Properties of the engine, e.g. INFERENCE_PRECISION_HINT."),
    )("Settings of the inference engine.", default={}),
)
STATUS = v1alpha1(
    "ModelEndpointStatus",
    "What became of it.",
    observedGeneration=INT64("metadata.generation that this describes."),
    replicas=INT32("Replicas there are."),
    readyReplicas=INT32("Replicas that answer."),
    url=STR("Where requests go."),
    demand=v1alpha1(
        "Demand",
        "What the gateway asks for.",
        replicas=INT32("Replicas wanted.", minimum=0),
        cause=STR("Why, in a sentence."),
        observedAt=MICRO_TIME("When the request came that tipped it."),
        inFlight=INT32("Requests in flight then.", minimum=0),
        queued=INT32("Requests waiting then.", minimum=0),
    )("What the gateway asks for."),
    conditions=CONDITIONS("Ready."),
)


def _default(endpoint: Obj) -> None:
    if endpoint["metadata"].get("name"):
        part(endpoint, "spec.model").setdefault("name", endpoint["metadata"]["name"])
    replicas = part(endpoint, "spec.replicas")
    replicas.setdefault("max", max(1, int(replicas.get("min") or 0)))


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes: list[Cause] = []
    path = spec["model"]["path"]
    if not path.startswith("/"):
        causes.append(invalid_value("spec.model.path", path, "must be an absolute path"))
    if path != get(old, "spec.model.path"):
        size = len(path.encode())
        if size > PATH_BYTES_MAX or "\0" in path:
            message = f"must be a path of at most {PATH_BYTES_MAX} bytes, none of them NUL"
            causes.append(invalid_value("spec.model.path", path, message))
    name = spec["model"].get("name")
    if name is not None and _MODEL_NAME.fullmatch(name) is None and name != get(old, _NAME):
        message = (
            "must be letters, digits, '-', '_', '.' and ':', and begin and end with a letter or "
            "digit; '/' is what separates a namespace from an endpoint's name in requests"
        )
        causes.append(invalid_value(_NAME, name, message))
    replicas = spec["replicas"]
    if replicas["max"] < replicas["min"]:
        message = f"Invalid value: {replicas['max']}: must not be below min, {replicas['min']}"
        causes.append(Cause("spec.replicas.max", message))
    for field in ("resources.deviceClassName", "priorityClassName"):
        value = get(spec, field)
        if value and dns_subdomain(value):
            causes.append(invalid_value(f"spec.{field}", value, dns_subdomain(value)))
    return causes


def _name(name: str) -> str:
    if len(name) > NAME_MAX:
        return f"must be no more than {NAME_MAX} bytes, since pods are named <name>-<index>"
    return dns_label(name)


def _ready(endpoint: Obj, now_ns: int) -> str:
    for condition in entries(endpoint, "status.conditions"):
        if condition["type"] == "Ready":
            return condition["status"]
    return "Unknown"


def _replicas(endpoint: Obj, now_ns: int) -> str:
    status = part(endpoint, "status")
    return f"{status.get('readyReplicas') or 0}/{status.get('replicas') or 0}"


KIND = Kind(
    resource=MODEL_ENDPOINTS,
    short_names=("me",),
    categories=("all",),
    name_rule=_name,
    schema=root(
        MODEL_ENDPOINTS,
        "A model served over OpenAI's API by as many replicas as the demand needs.",
        "dev.mizzen.v1alpha1.ModelEndpoint",
        spec=SPEC("What to serve, and how far to scale.", required=True),
        status=STATUS("What became of it."),
    ),
    default=_default,
    validate=_validate,
    subresources=(STATUS_SUBRESOURCE,),
    columns=(
        NAME,
        Column("Ready", _ready, description="Whether requests are answered."),
        Column("Replicas", _replicas, description="Replicas that answer, of all."),
        Column("Demand", of("status.demand.replicas"), description="Replicas wanted."),
        Column("URL", of("status.url"), description="Where requests go."),
        AGE,
        Column("Cause", of("status.demand.cause"), priority=1, description="Why so many."),
    ),
)

SERVED_FIELDS = {
    "mizzen.v1alpha1.ModelEndpoint": acted("controllers gateway", "spec"),
    "mizzen.v1alpha1.ModelEndpointSpec": {
        **acted("controllers", "model resources priorityClassName engine"),
        **acted("gateway", "replicas scaling queue"),
    },
    "mizzen.v1alpha1.Model": acted("controllers", "path name"),
    "mizzen.v1alpha1.ReplicaRange": acted("gateway", "min max"),
    "mizzen.v1alpha1.Scaling": acted(
        "gateway", "targetConcurrency scaleDownDelaySeconds scaleToZeroDelaySeconds"
    ),
    "mizzen.v1alpha1.Queue": acted("gateway", "maxLength timeoutSeconds"),
    "mizzen.v1alpha1.ReplicaResources": acted("controllers", "deviceClassName count"),
    "mizzen.v1alpha1.Engine": acted("controllers", "type maxBatchSize contextLength args"),
}
