"""The engine that is built in: openvino-genai in a process of ours (`mizzen.engine`)."""

from __future__ import annotations

from mizzen.base.engine import EngineProfile, EngineSettings, MetricNames


def _arguments(settings: EngineSettings) -> list[str]:
    """The command line of `python -m mizzen.engine`."""
    arguments = [
        *("--model", settings.model),
        *("--name", settings.served_name),
        *("--host", settings.host),
        *("--port", str(settings.port)),
        *("--max-batch-size", str(settings.sequences_max)),
    ]
    if settings.context_length is not None:
        arguments += ["--context-length", str(settings.context_length)]
    for name, value in sorted(settings.properties.items()):
        arguments += ["--property", f"{name}={value}"]
    return arguments


PROFILE = EngineProfile(
    name="openvino-genai",
    image="mizzen.dev/engine",
    module="mizzen.engine",
    arguments=_arguments,
    is_on_socket=True,
    liveness_path="/livez",
    # vLLM's names, which routers and dashboards know
    metrics=MetricNames(
        queued="vllm:num_requests_waiting",
        running="vllm:num_requests_running",
        kv_cache_usage="vllm:kv_cache_usage_perc",
    ),
    block_tokens=32,
    records_usage=True,
)
