"""A small Llama in plain JAX: parameters, next-byte loss, AdamW, greedy text.

The layout is the one GGUF calls `llama`: RMSNorm before each block, grouped-query attention,
SwiGLU, no biases. Rotary embedding turns *neighbouring* pairs (0, 1), (2, 3), ... since that is what
`llama` in GGUF means; the half-split form of Hugging Face would need permuted rows on export.

Layers are stacked on a leading axis and run by `lax.scan`, so XLA compiles one layer, not four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Params = dict[str, Any]

GRID = 2.0**-23  # gradients are rounded to multiples of it; AdamW's epsilon is eight times as much
LARGEST = 0.25  # of a gradient's element, before clipping; 8 such rows still sum below 2**24 GRID


@dataclass(frozen=True)
class Shape:
    """The sizes that fix every parameter; the defaults give 0.8 million of them."""

    vocabulary: int = 261
    width: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 352
    context: int = 512  # longest sequence the served model accepts
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def init_params(shape: Shape, seed: int) -> Params:
    """Fresh float32 parameters from numpy's generator, so that they need no compiled program."""
    random = np.random.default_rng(seed)
    kv_width = shape.kv_heads * shape.head_width
    layers, width, hidden = shape.layers, shape.width, shape.hidden

    def matrix(*dimensions: int, scale: float = 1.0) -> np.ndarray:
        deviation = scale / np.sqrt(dimensions[-2])
        return (random.standard_normal(dimensions) * deviation).astype(np.float32)

    residual = 1.0 / np.sqrt(2 * layers)  # keeps the sum over layers at unit variance
    return {
        "embedding": random.standard_normal((shape.vocabulary, width)).astype(np.float32) * 0.02,
        "attention_norm": np.ones((layers, width), np.float32),
        "query": matrix(layers, width, width),
        "key": matrix(layers, width, kv_width),
        "value": matrix(layers, width, kv_width),
        "attention_out": matrix(layers, width, width, scale=residual),
        "feed_norm": np.ones((layers, width), np.float32),
        "gate": matrix(layers, width, hidden),
        "up": matrix(layers, width, hidden),
        "down": matrix(layers, hidden, width, scale=residual),
        "final_norm": np.ones((width,), np.float32),
        "output": matrix(width, shape.vocabulary, scale=0.1),
    }


def logits(shape: Shape, params: Params, tokens: jax.Array) -> jax.Array:
    """Scores of the next token at every position: tokens [B, T] -> [B, T, vocabulary]."""
    length = tokens.shape[1]
    turns = _rotation(shape, length)
    mask = jnp.tril(jnp.ones((length, length), bool))

    def block(x: jax.Array, layer: Mapping[str, jax.Array]) -> tuple[jax.Array, None]:
        x = x + _attention(shape, layer, _norm(x, layer["attention_norm"], shape), turns, mask)
        y = _norm(x, layer["feed_norm"], shape)
        y = jax.nn.silu(y @ layer["gate"]) * (y @ layer["up"])
        return x + y @ layer["down"], None

    names = ("attention_norm", "query", "key", "value", "attention_out", "feed_norm", "gate", "up", "down")  # fmt: skip
    x, _ = jax.lax.scan(block, params["embedding"][tokens], {name: params[name] for name in names})
    return _norm(x, params["final_norm"], shape) @ params["output"]


def loss_and_gradients(shape: Shape, params: Params, rows: jax.Array) -> tuple[jax.Array, Params]:
    """Mean cross-entropy (nats per byte) over rows [B, T + 1], and its gradients."""

    def loss(params: Params) -> jax.Array:
        tokens = rows.astype(jnp.int32)
        scores = jax.nn.log_softmax(logits(shape, params, tokens[:, :-1]))
        return -jnp.take_along_axis(scores, tokens[:, 1:, None], axis=-1).mean()

    return jax.value_and_grad(loss)(params)


def no_gradients(shape: Shape) -> dict[str, Any]:
    """What `accumulate` begins with."""
    params = init_params(shape, 0)
    zeros = {name: np.zeros_like(value) for name, value in params.items()}
    return {"loss": np.float32(0), "gradients": zeros}


def accumulate(
    shape: Shape, params: Params, total: dict[str, Any], row: jax.Array
) -> dict[str, Any]:
    """`total` plus the loss and gradients of one row [T + 1], rounded so that sums are exact.

    Multiples of GRID below 2**24 GRID add up in float32 without rounding, in any order, hence
    the training is the same to the last bit however many ranks share the rows.
    """
    loss, gradients = loss_and_gradients(shape, params, row[None])

    def rounded(value: jax.Array) -> jax.Array:
        return jnp.round(jnp.clip(value, -LARGEST, LARGEST) / GRID) * GRID

    return {
        "loss": total["loss"] + jnp.round(loss * 2**16) / 2**16,
        "gradients": jax.tree_util.tree_map(
            lambda sum_, value: sum_ + rounded(value), total["gradients"], gradients
        ),
    }


def init_state(shape: Shape, seed: int) -> dict[str, Any]:
    """Everything a checkpoint holds: parameters and both moments of AdamW."""
    params = init_params(shape, seed)
    zeros = {name: np.zeros_like(value) for name, value in params.items()}
    return {"params": params, "first": zeros, "second": {k: v.copy() for k, v in zeros.items()}}


def update(
    state: dict[str, Any], total: dict[str, Any], step: jax.Array, rows: int
) -> dict[str, Any]:
    """One step of AdamW with the sums over `rows` rows: norm clipped at 1, warm-up, slow decay.

    `step` counts from 0. Decay applies to matrices alone. Source: Loshchilov and Hutter,
    "Decoupled Weight Decay Regularization", algorithm 2.
    """
    gradients = {name: value / rows for name, value in total["gradients"].items()}
    count = step.astype(jnp.float32) + 1
    rate = 3e-3 * jnp.minimum(count / 40, 1.0) * jax.lax.rsqrt(1 + count / 200)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
    shrink = jnp.minimum(1.0, 1.0 / (norm + 1e-6))
    new: dict[str, Any] = {"params": {}, "first": {}, "second": {}}
    for name, value in state["params"].items():
        gradient = gradients[name] * shrink
        first = 0.9 * state["first"][name] + 0.1 * gradient
        second = 0.98 * state["second"][name] + 0.02 * gradient * gradient
        move = (first / (1 - 0.9**count)) / (jnp.sqrt(second / (1 - 0.98**count)) + 1e-6)
        if not name.endswith("norm"):
            move = move + 0.05 * value
        new["params"][name] = value - rate * move
        new["first"][name], new["second"][name] = first, second
    return new


def _norm(x: jax.Array, weight: jax.Array, shape: Shape) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + shape.epsilon) * weight


def _rotation(shape: Shape, length: int) -> tuple[jax.Array, jax.Array]:
    """Cosine and sine [T, 1, head_width / 2] of the rotary embedding."""
    exponents = np.arange(0, shape.head_width, 2) / shape.head_width
    angles = np.arange(length)[:, None] / shape.rope_base**exponents
    return jnp.asarray(np.cos(angles), jnp.float32)[:, None], jnp.asarray(
        np.sin(angles), jnp.float32
    )[:, None]


def _rotate(x: jax.Array, turns: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Turns neighbouring pairs of the last axis of [B, T, heads, head_width]."""
    cosine, sine = turns
    even, odd = x[..., 0::2], x[..., 1::2]
    pairs = jnp.stack((even * cosine - odd * sine, even * sine + odd * cosine), axis=-1)
    return pairs.reshape(x.shape)


def _attention(
    shape: Shape,
    layer: Mapping[str, jax.Array],
    x: jax.Array,
    turns: tuple[jax.Array, jax.Array],
    mask: jax.Array,
) -> jax.Array:
    batch, length, width = x.shape
    group = shape.heads // shape.kv_heads
    query = (x @ layer["query"]).reshape(batch, length, shape.heads, shape.head_width)
    key = (x @ layer["key"]).reshape(batch, length, shape.kv_heads, shape.head_width)
    value = (x @ layer["value"]).reshape(batch, length, shape.kv_heads, shape.head_width)
    query = _rotate(query, turns).reshape(batch, length, shape.kv_heads, group, shape.head_width)
    scores = jnp.einsum("bqkgh,bskh->bkgqs", query, _rotate(key, turns))
    scores = jnp.where(mask, scores / np.sqrt(shape.head_width), -1e30)
    mixed = jnp.einsum("bkgqs,bskh->bqkgh", jax.nn.softmax(scores), value)
    return mixed.reshape(batch, length, width) @ layer["attention_out"]
