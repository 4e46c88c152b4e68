"""The contract of libraries that compute models in the engine's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mizzen.engine.backend import Backend, BackendError, LoadedModel, Settings, find_backends
from mizzen.engine.core.requests import Message, Sampling, TooLong
from mizzen.engine.model import ModelError, ModelFile
from support.tiny_gguf import write_tiny_gguf

CONTEXT = 512
GREEDY = Sampling(temperature=0.0)


@pytest.fixture(scope="module", params=find_backends().values(), ids=lambda b: b.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture(scope="module")
def found(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    return backend.find_model(write_tiny_gguf(tmp_path_factory.mktemp("m") / "tiny.gguf"), None)


@pytest.fixture(scope="module")
def loaded(backend: Backend, found: ModelFile) -> Iterator[LoadedModel]:
    try:
        model = backend.load(found, Settings(batch_max=4, threads=2, kv_cache_bytes=1 << 26))
    except ImportError as error:
        pytest.skip(f"needs its library: {error}")
    yield model
    assert not model.is_busy()


def run(model: LoadedModel, prompts: dict[int, list[int]], most: int) -> dict[int, list[int]]:
    """Each prompt's new tokens, all of one batch."""
    handles = {n: model.add(n, tokens, GREEDY, most, seed=1) for n, tokens in prompts.items()}
    ids: dict[int, list[int]] = {n: [] for n in prompts}
    ends: dict[int, str] = {}
    while len(ends) < len(prompts):
        assert model.is_busy()
        model.step()
        for number in prompts.keys() - ends.keys():
            new, reason = model.read(handles[number])
            ids[number] += new
            if reason:
                ends[number] = reason
    assert all(reason in ("stop", "length") for reason in ends.values())
    return ids


def test_a_model_is_described_before_its_library_is_loaded(
    backend: Backend, found: ModelFile, tmp_path: Path
) -> None:
    assert found.context_length == CONTEXT
    assert backend.find_model(found.path, 64).context_length == 64
    assert backend.block_tokens >= 1
    for path in (tmp_path / "none.gguf", tmp_path):
        with pytest.raises(ModelError):
            backend.find_model(path, None)


def test_a_sequence_is_the_same_alone_and_in_a_batch(loaded: LoadedModel) -> None:
    words = ("a", "once upon a time", "b" * 300)
    prompts = {n: loaded.tokenizer.encode(word, special=True) for n, word in enumerate(words, 1)}
    together = run(loaded, prompts, 8)
    assert all(0 < len(ids) <= 8 for ids in together.values())
    for number, tokens in prompts.items():
        assert run(loaded, {number + 10: tokens}, 8)[number + 10] == together[number]


def test_whoever_is_cancelled_leaves_and_the_others_go_on(loaded: LoadedModel) -> None:
    prompt = loaded.tokenizer.encode("once", special=True)
    patient = Sampling(temperature=0.0, ignore_eos=True)
    leaves, stays = (loaded.add(n, prompt, patient, 16, seed=1) for n in (31, 32))
    loaded.step()
    assert 0 < loaded.cache_usage() <= 1
    assert loaded.blocks >= 1
    leaves.cancel()
    ids, reason = loaded.read(stays)
    while not reason:
        loaded.step()
        new, reason = loaded.read(stays)
        ids += new
    assert (len(ids), reason) == (16, "length")


def test_a_text_comes_back_whole_or_is_refused(loaded: LoadedModel) -> None:
    tokenizer = loaded.tokenizer
    for text in ("hello", "grüße, 世界", " a  b\n"):
        ids = tokenizer.encode(text, special=False)
        assert all(0 <= token < tokenizer.vocabulary_size for token in ids)
        assert tokenizer.text_bytes(ids).decode() == text
    with pytest.raises(TooLong):
        tokenizer.encode("a" * 100_000, special=False)


def test_a_conversation_is_one_prompt(loaded: LoadedModel) -> None:
    said = loaded.tokenizer.encode_chat([Message("user", "hello")])
    more = loaded.tokenizer.encode_chat([Message("user", "hello"), Message("assistant", "hi")])
    assert len(more) > len(said) > len(loaded.tokenizer.encode("hello", special=False))


def test_texts_are_encoded_while_the_batch_is_stepped(loaded: LoadedModel) -> None:
    faults: list[BackendError] = []

    def encode() -> None:
        for _ in range(50):
            try:
                loaded.tokenizer.encode("once upon a time", special=True)
            except BackendError as error:
                faults.append(error)

    thread = threading.Thread(target=encode)
    thread.start()
    run(loaded, {41: loaded.tokenizer.encode("a", special=True)}, 8)
    thread.join()
    assert not faults
