"""A Llama GGUF with random weights, small enough to make and load in a test.

Byte-level: one token for each byte, so any text can be a prompt and most of what the model says
is broken UTF-8, which is what incremental detokenisation must survive.
openvino-genai 2026.4 wants F16 matrices, F32 norms and a tokenizer that has merges.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

BOS, EOS, PAD = 256, 257, 258
MERGED = 259  # "th": one merge, because a tokenizer without any does not load
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)


def write_tiny_gguf(
    path: Path,
    *,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    context: int = 512,
    seed: int = 7,
    chat_template: str = CHAT_TEMPLATE,
) -> Path:
    """Writes the model to `path` and returns it; same arguments, same bytes."""
    hidden = width * 3
    head = width // heads
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(10000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_tokenizer(writer, chat_template)

    random = np.random.default_rng(seed)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = random.normal(0.0, 1.0 / np.sqrt(columns), (rows, columns))
        writer.add_tensor(name, values.astype(np.float16))

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    matrix("token_embd.weight", len(_tokens()), width)
    for layer in range(layers):
        prefix = f"blk.{layer}."
        norm(prefix + "attn_norm.weight")
        matrix(prefix + "attn_q.weight", width, width)
        matrix(prefix + "attn_k.weight", kv_heads * head, width)
        matrix(prefix + "attn_v.weight", kv_heads * head, width)
        matrix(prefix + "attn_output.weight", width, width)
        norm(prefix + "ffn_norm.weight")
        matrix(prefix + "ffn_gate.weight", hidden, width)
        matrix(prefix + "ffn_up.weight", hidden, width)
        matrix(prefix + "ffn_down.weight", width, hidden)
    norm("output_norm.weight")
    matrix("output.weight", len(_tokens()), width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter, chat_template: str) -> None:
    tokens = _tokens()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_token_types(
        [control if index in (BOS, EOS, PAD) else normal for index in range(len(tokens))]
    )
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(True)
    writer.add_vocab_size(len(tokens))
    if chat_template:
        writer.add_chat_template(chat_template)


def _tokens() -> list[str]:
    """The vocabulary: every byte as gpt2 writes it, three control tokens, one merge."""
    letters = _byte_letters()
    return [letters[byte] for byte in range(256)] + ["<s>", "</s>", "<pad>", "th"]


def _byte_letters() -> dict[int, str]:
    """GPT-2's map from a byte to a printable letter."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    spare = 256
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(spare)
            spare += 1
    return letters
