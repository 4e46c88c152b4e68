"""A checkpoint as GGUF, which openvino-genai and llama.cpp serve: F16 matrices, F32 norms.

The tokenizer is GPT-2's form of byte pair encoding with a token for every byte. Its reader wants
merges; the only one joins 0xFF and 0xFE, two bytes that UTF-8 never holds, so text stays bytes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import data
import gguf
import model
import numpy as np

from mizzen.train import checkpoint

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '# ' + message['role'] + ': ' + message['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '\\n' }}{% endif %}"
)
_LAYER = {
    "attention_norm": "attn_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "attention_out": "attn_output",
    "feed_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
_WHOLE = {"embedding": "token_embd", "final_norm": "output_norm", "output": "output"}


def write_gguf(shape: model.Shape, params: model.Params, path: Path) -> None:
    """Writes the model to `path` at once: readers see the whole file or none."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    writer = gguf.GGUFWriter(draft, "llama")
    _describe(writer, shape)
    _add_tokenizer(writer)
    for name, tensor in tensors(params):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.rename(path)


def tensors(params: model.Params) -> list[tuple[str, np.ndarray]]:
    """GGUF's names and rows: our matrices multiply from the right, GGUF's from the left."""
    found: list[tuple[str, np.ndarray]] = []
    for ours, theirs in _WHOLE.items():
        value = np.asarray(params[ours])
        found.append((f"{theirs}.weight", value.T if ours == "output" else value))
    for ours, theirs in _LAYER.items():
        for number, value in enumerate(np.asarray(params[ours])):
            found.append((f"blk.{number}.{theirs}.weight", value.T))
    return [(name, _stored(value)) for name, value in found]


def rounded(params: model.Params) -> model.Params:
    """The parameters as the served model has them: matrices rounded to F16, computed in F32."""
    return {
        name: value if name.endswith("norm") else value.astype(np.float16).astype(np.float32)
        for name, value in ((name, np.asarray(value)) for name, value in params.items())
    }


def _stored(value: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(value, np.float16 if value.ndim == 2 else np.float32)


def _describe(writer: gguf.GGUFWriter, shape: model.Shape) -> None:
    writer.add_name("first-light")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    letters = byte_letters()
    joined = letters[0xFF] + letters[0xFE]
    tokens = [*letters, "<|start|>", "<|end|>", "<|pad|>", "<|spare|>", joined]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * 4 + [gguf.TokenType.NORMAL]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{letters[0xFF]} {letters[0xFE]}"])
    writer.add_bos_token_id(data.START_OF_TEXT)
    writer.add_eos_token_id(data.END_OF_TEXT)
    writer.add_pad_token_id(258)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def byte_letters() -> list[str]:
    """The printable letter that stands for each byte in GPT-2's vocabulary.

    Source: Radford et al., GPT-2 `encoder.py`, bytes_to_unicode.
    """
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = (byte for byte in range(256) if byte not in shown)
    moved = {byte: 0x100 + number for number, byte in enumerate(hidden)}
    return [chr(moved.get(byte, byte)) for byte in range(256)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Export the newest durable checkpoint as GGUF.")
    parser.add_argument("checkpoints", type=Path, help="the job's folder of checkpoints")
    parser.add_argument("gguf", type=Path, help="the file to write")
    asked = parser.parse_args()
    step, leaves = checkpoint.load_newest(asked.checkpoints)
    params = {name.removeprefix("params/"): value for name, value in leaves.items() if name.startswith("params/")}  # fmt: skip
    write_gguf(model.Shape(), params, asked.gguf)
    print(f"wrote {asked.gguf}: the model after {step} steps")


if __name__ == "__main__":
    main()
