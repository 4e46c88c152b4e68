"""Finds the model on disk and reads what must be known before it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from mizzen.engine.gguf import GgufError, GgufHeader, read_header
from mizzen.engine.model import ModelError, ModelFile, ModelNotFound

CONTEXT_DEFAULT = 2048  # tokens, for a folder that does not say
CONTEXT_MAX = 1 << 30  # tokens; what says more is damaged


def mark_of(path: Path) -> tuple[int, ...]:
    """Numbers that change when a model, or a folder's tokenizer, is replaced. Errors: OSError."""
    files = sorted(path.glob("openvino_tokenizer.*")) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    return tuple(n for s in stats for n in (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns))


def find_model(path: Path, context_length: int | None) -> ModelFile:
    """The model at `path`: a .gguf file, a folder with one, or an OpenVINO folder.

    Errors: ModelError.
    """
    try:
        if path.is_dir():
            files = sorted(path.glob("*.gguf"))
            if len(files) > 1:
                names = ", ".join(file.name for file in files[:4])
                raise ModelError(path, f"it holds {len(files)} GGUF files ({names}); name one")
            if not files:
                return _openvino_folder(path, context_length)
            path = files[0]
        if not path.exists():
            raise ModelNotFound(path, "there is no such file")
        return _describe(path, read_header(path), context_length)
    except GgufError as error:
        raise ModelError(path, str(error)) from error
    except OSError as error:
        raise ModelError(path, error.strerror or str(error)) from error


def _describe(path: Path, header: GgufHeader, context_length: int | None) -> ModelFile:
    limit = header.number("context_length", CONTEXT_DEFAULT)
    if not header.architecture:
        raise ModelError(path, "its header names no architecture (general.architecture)")
    if not header.tensors:
        raise ModelError(path, "it holds no tensors")
    mark = mark_of(path)
    heads = header.number("attention.head_count", 1) or 1
    kv_heads = header.number("attention.head_count_kv", heads)
    head_size = header.number("attention.key_length", header.number("embedding_length") // heads)
    return ModelFile(
        path=path,
        context_length=_within(path, context_length, limit),
        sentencepiece=header.values.get("tokenizer.ggml.model") == "llama",
        kv_bytes=2 * header.number("block_count") * kv_heads * head_size * 4,
        mark=mark,
    )


def _openvino_folder(path: Path, context_length: int | None) -> ModelFile:
    if not (path / "openvino_model.xml").exists():
        raise ModelNotFound(path, "the folder holds neither a .gguf file nor openvino_model.xml")
    limit = CONTEXT_DEFAULT
    config = path / "config.json"
    if config.exists():
        try:
            limit = int(json.loads(config.read_bytes()).get("max_position_embeddings") or limit)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ModelError(path, f"config.json is not readable: {error}") from error
    return ModelFile(path, _within(path, context_length, limit), False, 0, mark_of(path))


def _within(path: Path, wanted: int | None, limit: int) -> int:
    if not 0 < limit <= CONTEXT_MAX:
        raise ModelError(path, f"it says that its context has {limit} tokens")
    if wanted is not None and wanted > limit:
        raise ModelError(path, f"--context-length {wanted} is above the model's {limit}")
    return wanted or limit
