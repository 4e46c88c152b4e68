import re

from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.names import MAX_NODES, MIN_NODES
from mizzen.cli.core.workloads import Serving, Training, model_endpoint, name_from, train_job


@given(st.text(max_size=80))
def test_any_file_name_yields_a_dns_label(text: str) -> None:
    name = name_from(text)
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name) and len(name) <= 54


def test_elasticity_is_annotations() -> None:
    common = {
        "name": "a", "namespace": "default", "script": "/s/a.py", "directory": "/s", "arguments": (),
        "runtime": "jax-distributed", "device_resource": "mizzen.dev/cpu-core",
    }  # fmt: skip
    rigid = train_job(Training(workers=2, **common))
    assert "annotations" not in rigid["metadata"]
    assert rigid["spec"]["trainer"]["resourcesPerNode"] == {"limits": {"mizzen.dev/cpu-core": 1}}
    elastic = train_job(Training(workers=3, min_workers=1, max_workers=3, **common))
    assert elastic["metadata"]["annotations"] == {MIN_NODES: "1", MAX_NODES: "3"}


def test_what_was_not_said_is_left_to_defaults() -> None:
    wish = Serving("tiny", "default", "/m.gguf", 1, 3, "cpu-core.mizzen.dev", 1)
    assert set(model_endpoint(wish)["spec"]) == {"model", "replicas", "resources"}
    exact = Serving("tiny", "default", "/m.gguf", 1, 3, "c", 1, precision="f32", concurrency=4)
    assert model_endpoint(exact)["spec"]["engine"] == {"args": {"INFERENCE_PRECISION_HINT": "f32"}}
    assert model_endpoint(exact)["spec"]["scaling"] == {"targetConcurrency": 4}
