"""The served GGUF says what the JAX model says: 8 prompts, 32 greedy tokens, f32 on both sides."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
genai = pytest.importorskip("openvino_genai")
openvino = pytest.importorskip("openvino")

EXAMPLE = Path(__file__).parents[2] / "examples" / "first_light"
PROMPTS = (
    "import os\n",
    "def main(",
    "class Error(Exception):\n    ",
    "for i in range(",
    "    return self.",
    "# héllo wörld: ",
    "# user: What does open() do?\n\n",
    "x = [1, 2",
)
TOKENS = 32
CONTEXT = 96


@pytest.fixture(scope="module")
def example() -> Iterator[Any]:
    """The modules of examples/first_light, which are scripts beside each other."""
    sys.path.insert(0, str(EXAMPLE))
    import data
    import export
    import model

    yield data, export, model
    sys.path.remove(str(EXAMPLE))


@pytest.fixture(scope="module")
def trained(example: Any) -> dict[str, Any]:
    """Parameters after 300 short steps: no longer random, so that greedy text is not chance."""
    data, _, model = example
    shape, text = model.Shape(), data.StandardLibrary(128)
    gradients = jax.jit(functools.partial(model.loss_and_gradients, shape))
    update = jax.jit(functools.partial(model.update, rows=1))
    state = model.init_state(shape, seed=3)
    for step in range(300):
        rows = text[np.arange(step * 4, step * 4 + 4)]
        loss, slopes = gradients(state["params"], rows)
        state = update(state, {"gradients": slopes}, np.int32(step))
    assert float(loss) < 3.0
    return {name: np.asarray(value) for name, value in state["params"].items()}


def test_served_gguf_equals_the_jax_model(
    example: Any, trained: dict[str, Any], tmp_path: Path
) -> None:
    _, export, model = example
    path = tmp_path / "model.gguf"
    export.write_gguf(model.Shape(), trained, path)
    expected = greedy(model, export.rounded(trained))
    served = serve(path)
    assert served == expected
    assert len({token for text in served for token in text}) >= 8, "text too dull to prove much"


def greedy(model: Any, params: dict[str, Any]) -> list[list[int]]:
    """The JAX model's own continuation of every prompt, computed in full for each token."""
    scores = jax.jit(functools.partial(model.logits, model.Shape()))
    texts = [list(prompt.encode()) for prompt in PROMPTS]
    for _ in range(TOKENS):
        batch = np.zeros((len(texts), CONTEXT), np.int32)
        for row, text in enumerate(texts):
            batch[row, : len(text)] = text
        found = np.asarray(scores(params, batch))
        for row, text in enumerate(texts):
            text.append(int(found[row, len(text) - 1].argmax()))
    return [text[len(p.encode()) :] for text, p in zip(texts, PROMPTS, strict=True)]


def serve(path: Path) -> list[list[int]]:
    """The engine's continuation, all prompts in one running batch."""
    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 1
    settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    pipeline = genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU", settings)
    config = genai.GenerationConfig()
    config.max_new_tokens, config.ignore_eos = TOKENS, True
    config.do_sample = config.apply_chat_template = False
    handles: list[Any] = []
    for number, prompt in enumerate(PROMPTS):
        tokens = pipeline.get_tokenizer().encode(prompt).input_ids
        assert list(tokens.data[0]) == list(prompt.encode()), "one token for each byte"
        handles.append(pipeline.add_request(number, tokens, config))
    while pipeline.has_non_finished_requests():
        pipeline.step()
    return [list(handle.read_all()[0].generated_ids) for handle in handles]
