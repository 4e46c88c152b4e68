"""The profile of an inference engine for the control plane, one file of `engines` each.

Controllers make pods from it, the agent starts what it calls built in, the gateway finds the
replica's address and reads its numbers. Its name is what a ModelEndpoint's `spec.engine.type` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from mizzen.base.registry import by_name

DEFAULT_ENGINE = "openvino-genai"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The settings of one replica, from which a profile makes its command line.

    `sequences_max` run at once; `context_length` is None for the model's own; `properties` are the
    engine's own words.
    """

    model: str
    served_name: str
    host: str
    port: int
    sequences_max: int
    context_length: int | None
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MetricNames:
    """Prometheus gauges: requests that wait, that run, and the share of the KV cache in use."""

    queued: str
    running: str
    kv_cache_usage: str


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """One engine. Paths are asked by HTTP at `port` of the pod.

    `image`: of the replica's container; with `module` it is built in, and means that module run by
    Mizzen's own interpreter. `is_on_socket`: prompts are answered on the UNIX socket named by
    `base.serving.SOCKET_VARIABLE`, else at `port`, too. `block_tokens`: what its prefix cache
    shares at least. `records_usage`: it writes what its devices do to `MIZZEN_RANK_FILE`.

    An engine that cannot go on writes `{"reason": CamelCase, "message": one line}` as JSON to the
    file that `MIZZEN_TERMINATION_LOG` names; of one that does not, the last log line is quoted.
    """

    name: str
    image: str
    arguments: Callable[[EngineSettings], list[str]]
    metrics: MetricNames
    module: str = ""
    port: int = 8000
    is_on_socket: bool = False
    health_path: str = "/health"
    liveness_path: str = "/health"
    metrics_path: str = "/metrics"
    sequences_max: int = 16
    block_tokens: int = 16
    records_usage: bool = False


@cache
def find_engines() -> Mapping[str, EngineProfile]:
    """Every module of `engines` with a `PROFILE`, by its name."""
    return by_name(f"{__package__}.engines", "PROFILE")


def find_engine(name: str) -> EngineProfile:
    """The engine of a ModelEndpoint; "" is the default. Errors: LookupError."""
    profile = find_engines().get(name or DEFAULT_ENGINE)
    if profile is None:
        raise LookupError(f'there is no engine "{name}"; there are {", ".join(find_engines())}')
    return profile


def engine_of_image(image: str) -> EngineProfile | None:
    """The engine that a container's image is, None for every other program."""
    bare = image.removesuffix(":latest")
    return next((profile for profile in find_engines().values() if profile.image == bare), None)
