"""What every engine profile that is found keeps to, and that the built-in engine is as its says."""

from __future__ import annotations

import pytest

from mizzen.base.engine import EngineProfile, EngineSettings, find_engines
from mizzen.base.engines.openvino_genai import PROFILE
from mizzen.base.exposition import Page
from mizzen.base.operations import Create
from mizzen.base.resources import MODEL_ENDPOINTS, PODS
from mizzen.controllers.core.model_endpoint_pods import create_replica
from mizzen.engine.__main__ import parser
from mizzen.engine.backend import find_backend
from mizzen.engine.metrics import EngineMetrics, collect_doors
from mizzen.gateway.core.endpoints import ready_address
from mizzen.host.door import Door
from support.exposition import value

EVERY_ENGINE = pytest.mark.parametrize("engine", find_engines().values(), ids=lambda e: e.name)
SETTINGS = EngineSettings("/m.gguf", "tiny", "127.0.0.2", 8000, 7, 512, {"A": "1", "B": "2"})


@EVERY_ENGINE
def test_paths_numbers_and_names_are_usable(engine: EngineProfile) -> None:
    for path in (engine.health_path, engine.liveness_path, engine.metrics_path):
        assert path.startswith("/")
    assert 1 <= engine.port <= 65535
    assert engine.sequences_max >= 1
    assert engine.block_tokens >= 1
    assert len(set(find_engines().values())) == len({e.image for e in find_engines().values()})
    names = (engine.metrics.queued, engine.metrics.running, engine.metrics.kv_cache_usage)
    assert len(set(names)) == 3


@EVERY_ENGINE
def test_the_command_line_says_what_is_served_and_where(engine: EngineProfile) -> None:
    words = engine.arguments(SETTINGS)
    for word in ("/m.gguf", "tiny", "127.0.0.2", "8000", "7", "512"):
        assert any(word in said for said in words), word
    assert engine.arguments(SETTINGS) == words


@EVERY_ENGINE
def test_a_replica_made_of_it_is_found_by_the_gateway(engine: EngineProfile) -> None:
    spec = {"model": {"path": "/m.gguf"}, "engine": {"type": engine.name}, "resources": {}}
    metadata = {"name": "m", "namespace": "default", "uid": "u"}
    about = {"apiVersion": MODEL_ENDPOINTS.api_version, "kind": MODEL_ENDPOINTS.kind}
    made = create_replica({**about, "metadata": metadata, "spec": spec}, 0, "", 0)
    (pod,) = (a.object for a in made if isinstance(a, Create) and a.resource == PODS)
    (container,) = pod["spec"]["containers"]
    assert container["image"] == engine.image
    assert container["startupProbe"]["httpGet"] == {"path": engine.health_path, "port": engine.port}
    ready = [{"type": "Ready", "status": "True"}]
    pod["status"] = {"phase": "Running", "podIP": "127.0.0.2", "conditions": ready}
    address = ready_address(pod)
    assert address is not None
    assert address.url == ("" if engine.is_on_socket else f"http://127.0.0.2:{engine.port}")


def test_the_built_in_engine_understands_its_command_line() -> None:
    options = parser().parse_args(PROFILE.arguments(SETTINGS))
    assert (str(options.model), options.name, options.port) == ("/m.gguf", "tiny", 8000)
    assert (options.max_batch_size, options.context_length) == (7, 512)
    assert options.property == ["A=1", "B=2"]


class _Idle:
    """A worker that has just begun."""

    running = waiting = steps = 0
    cache_usage = 0.0
    loaded = None
    backend = find_backend(PROFILE.name)


def test_the_built_in_engine_has_the_metrics_of_its_profile() -> None:
    page = Page()
    EngineMetrics("tiny").collect(_Idle(), page)  # type: ignore[arg-type]
    for name in (PROFILE.metrics.queued, PROFILE.metrics.running, PROFILE.metrics.kv_cache_usage):
        assert f"\n# TYPE {name} gauge\n" in f"\n{page.render()}"


async def test_the_built_in_engines_page_is_read_by_prometheus() -> None:
    page, metrics = Page(), EngineMetrics("tiny")
    metrics.first_token(0.01, 3)
    metrics.finished("stop", 0.3)
    metrics.collect(_Idle(), page)  # type: ignore[arg-type]
    collect_doors(lambda: {"body_bytes": 7}, (Door(), Door()), page)
    text = page.render()
    assert value(text, "mizzen_engine_connections") == 0
    assert value(text, "mizzen_engine_request_body_bytes") == 7
    assert value(text, "vllm:e2e_request_latency_seconds_count", model_name="tiny") == 1
