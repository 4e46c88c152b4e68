from __future__ import annotations

import os
import struct
import time
from pathlib import Path

import pytest

from mizzen.engine.gguf import GgufError, read_header
from mizzen.engine.model import ModelError
from mizzen.engine.openvino.files import find_model
from support.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


def test_reads_the_header(model: Path) -> None:
    header = read_header(model)
    assert header.architecture == "llama"
    assert header.number("context_length") == 512
    assert header.array_lengths["tokenizer.ggml.tokens"] == 260


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.01, 0.03, 0.5, 0.9999])
def test_a_file_cut_short_is_refused(model: Path, tmp_path: Path, share: float) -> None:
    cut = tmp_path / "cut.gguf"
    whole = model.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r'model ".*cut.gguf" cannot be loaded: it is cut short'):
        find_model(cut, None)


def test_every_corrupt_header_is_refused_or_read(model: Path, tmp_path: Path) -> None:
    whole = bytearray(model.read_bytes())
    for at in range(0, 600, 7):
        broken = bytearray(whole)
        broken[at : at + 4] = b"\xff\xff\xff\xff"
        path = tmp_path / "broken.gguf"
        path.write_bytes(broken)
        try:
            read_header(path)
        except GgufError as error:
            assert str(error).startswith(("it", "its"))


def _text(said: bytes) -> bytes:
    return struct.pack("<Q", len(said)) + said


def _entry(key: bytes, kind: int, value: bytes) -> bytes:
    return _text(key) + struct.pack("<I", kind) + value


_ARCHITECTURE = _entry(b"general.architecture", 8, _text(b"llama"))
_TENSOR = _text(b"t") + struct.pack("<IQIQ", 1, 1, 0, 0) + bytes(64)


def _alignment(kind: int, value: bytes) -> tuple[int, bytes]:
    return 2, _ARCHITECTURE + _entry(b"general.alignment", kind, value) + _TENSOR


def _context(kind: str, tokens: int) -> tuple[int, bytes]:
    entry = _entry(b"llama.context_length", {"<i": 5, "<Q": 10}[kind], struct.pack(kind, tokens))
    return 2, _ARCHITECTURE + entry + _TENSOR


@pytest.mark.parametrize(
    ("entries", "rest"),
    [
        (1, _entry(b"a", 9, struct.pack("<IQ", 9, 1) * 100_000)),
        (1, _entry(b"a", 9, struct.pack("<IQ", 8, 1 << 24)) + bytes(1 << 20)),
        (1 << 24, (_text(b"") + bytes(5)) * 100_000),
        _alignment(8, _text(b"abc")),
        _alignment(6, struct.pack("<f", float("inf"))),
        _alignment(6, struct.pack("<f", float("nan"))),
        _alignment(5, struct.pack("<i", -8)),
        _context("<i", 0),
        _context("<i", -5),
        _context("<Q", 1 << 63),
        (1, _ARCHITECTURE + _text(b"t") + struct.pack("<I", 2**32 - 1) + b"\xff" * 8_000_000),
        (1, _ARCHITECTURE + _text(b"t") + struct.pack("<I", 500_000) + b"\xff" * 5_000_000),
    ],
)
def test_a_hostile_header_is_refused_at_once(tmp_path: Path, entries: int, rest: bytes) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, entries) + rest)
    began = time.process_time()
    with pytest.raises(ModelError, match=r"cannot be loaded: its? "):
        find_model(path, None)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("limit", ["1e999", "-1", "[" * 2000, '"many"', "4294967296"])
def test_a_hostile_configuration_is_refused(tmp_path: Path, limit: str) -> None:
    (tmp_path / "openvino_model.xml").touch()
    (tmp_path / "config.json").write_text('{"max_position_embeddings": %s}' % limit)  # noqa: UP031
    with pytest.raises(ModelError):
        find_model(tmp_path, None)


def test_other_files_are_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(os.urandom(4096))
    for path, says in (
        (noise, "not a GGUF file"),
        (tmp_path / "absent.gguf", "no such file"),
        (tmp_path, "is not a GGUF file"),
        (tmp_path / "a\nb", r'a\\nb" cannot be loaded: there is no such file'),
    ):
        with pytest.raises(ModelError, match=says):
            find_model(path, None)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"neither a \.gguf file nor openvino_model.xml"):
        find_model(empty, None)


def test_context_within_the_models(model: Path) -> None:
    assert find_model(model, None).context_length == 512
    assert find_model(model.parent, 64).context_length == 64
    with pytest.raises(ModelError, match="--context-length 4096 is above the model's 512"):
        find_model(model, 4096)
    assert find_model(model, None).kv_bytes == 2 * 2 * 2 * 16 * 4
