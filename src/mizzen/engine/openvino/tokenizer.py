# pyright: basic
"""Texts to token ids and back, all of a text or an error: nothing is cut silently.

openvino-genai's tokenizer of a GGUF file keeps the last 8192 tokens of a text and drops the
rest without a word, whatever `max_length` says (2026.4.1: a constant in the graph that it
builds, openvino.genai src/cpp/src/gguf_utils/gguf_tokenizer.cpp, MAX_LENGTH). Whether a tokenizer
cuts is tried at the first text that is long enough to matter; one that does is built again
with a larger constant. What still cuts then has its limit measured, and texts beyond are refused.
"""

from __future__ import annotations

import struct
import tempfile
import xml.etree.ElementTree as Xml
from collections.abc import Sequence
from pathlib import Path

import openvino_genai as genai

from mizzen.engine.core.control import ControlTokenTexts
from mizzen.engine.core.requests import Message, TooLong
from mizzen.engine.core.text import looks_like_control, token_bytes
from mizzen.engine.model import ModelFile
from mizzen.engine.openvino.errors import LIBRARY_ERRORS, first_line, translated
from mizzen.engine.openvino.files import mark_of

TRIED_CHARACTERS = 256  # shorter texts are within every tokenizer's reach
_FILES = ("openvino_tokenizer.xml", "openvino_tokenizer.bin")
_INT32 = struct.Struct("<i")


class Tokenizer:
    """One model's tokenizer. Not thread-safe: one thread at a time."""

    def __init__(self, model: ModelFile, tokenizer: genai.Tokenizer, stop_ids: set[int]) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._template = bool(tokenizer.chat_template)
        self._limit = 0  # tokens of a text that surely all come out; 0 while it was not tried
        self._token_bytes = self._read_vocabulary()
        control = self._control_tokens(stop_ids)
        self._text_bytes = [
            b"" if i in control else text for i, text in enumerate(self._token_bytes)
        ]
        self._control_texts = ControlTokenTexts(
            self._token_bytes[token].decode("utf-8", "replace") for token in control
        )
        self._longest = max(map(len, self._token_bytes), default=1)

    @property
    def vocabulary_size(self) -> int:
        return len(self._text_bytes)

    @translated
    def encode(self, text: str, *, special: bool) -> list[int]:
        """All token ids of a text; control tokens that it spells are control tokens.

        Errors: TooLong for a text that cannot fit into the context.
        """
        limit = self._model.context_length
        if len(text) > limit * self._longest:
            raise TooLong(limit + 1)
        if not self._limit and len(text) >= TRIED_CHARACTERS:
            self._measure_limit()
        ids = self._ids(text, special)
        if self._limit and len(ids) >= self._limit:
            raise TooLong(len(ids))
        return ids

    @translated
    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """The prompt that stands for a conversation; what messages say is text.

        A model without a template of its own gets `role: text` lines. Errors: TooLong; BackendError
        with the template's complaint.
        """
        contents, mark = self._control_texts.split([message.content for message in messages])
        rendered = self._render([message.role for message in messages], contents)
        parts = rendered.split(mark) if mark else [rendered]
        ids: list[int] = []
        for part in parts:
            if part:
                ids += self.encode(part, special=False)
        return ids

    def text_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes that these tokens stand for; control tokens stand for none."""
        return b"".join(self._text_bytes[token] for token in ids if token < len(self._text_bytes))

    def _render(self, roles: Sequence[str], contents: Sequence[str]) -> str:
        turns = list(zip(roles, contents, strict=True))
        if not self._template:
            return "".join(f"{role}: {content}\n" for role, content in turns) + "assistant:"
        history = [{"role": role, "content": content} for role, content in turns]
        try:
            return self._tokenizer.apply_chat_template(history, add_generation_prompt=True)
        except LIBRARY_ERRORS as error:
            raise ValueError(f"the model's chat template: {_template_error(error)}") from error

    def _ids(self, text: str, special: bool) -> list[int]:
        encoded = self._tokenizer.encode(text, add_special_tokens=special, max_length=1 << 30)
        return encoded.input_ids.data[0].tolist()

    # -- limit ------------------------------------------------------------------------------

    def _measure_limit(self) -> None:
        wanted = self._model.context_length + 2
        limit = self._measured_limit(wanted)
        if limit < wanted:
            try:
                self._rebuild(wanted)
                limit = self._measured_limit(wanted)
            except (OSError, *LIBRARY_ERRORS):
                pass  # no room for the graph, or another library than ours: its limit is known
        self._limit = limit

    def _measured_limit(self, wanted: int) -> int:
        """Tokens that come out of a text of some more than `wanted`, at most `wanted`."""
        piece = "a b " * 16
        repeats = 2 * wanted // len(self._ids(piece, False)) + 1
        return min(wanted, len(self._ids(piece * repeats, False)))

    def _rebuild(self, wanted: int) -> None:
        """Builds the tokenizer again from its graph, with `wanted` in place of a smaller limit."""
        with tempfile.TemporaryDirectory(prefix="mizzen-tokenizer-") as folder:
            graph = Path(folder)
            if self._model.path.suffix == ".gguf":
                link = graph / "model.gguf"  # the library writes beside the file that it reads
                link.symlink_to(self._model.path.resolve())
                genai.Tokenizer(str(link), enable_save_ov_model=True)
                link.unlink()
            else:
                for name in _FILES:
                    (graph / name).write_bytes((self._model.path / name).read_bytes())
            lifted = genai.Tokenizer(folder) if _raise_limits(graph, wanted) else None
        # Another model may lie there by now: its words are not those of the one that answers.
        if lifted is not None and mark_of(self._model.path) == self._model.mark:
            self._tokenizer = lifted

    # -- vocabulary ---------------------------------------------------------------------------

    def _read_vocabulary(self) -> list[bytes]:
        known: dict[bytes, int] = self._tokenizer.get_vocab()
        table = [b""] * (max(known.values()) + 1)
        for entry, token in known.items():
            table[token] = token_bytes(entry, sentencepiece=self._model.sentencepiece)
        return table

    def _control_tokens(self, stop_ids: set[int]) -> set[int]:
        tokenizer = self._tokenizer
        special = {tokenizer.get_bos_token_id(), tokenizer.get_eos_token_id(),
                   tokenizer.get_pad_token_id(), *stop_ids}  # fmt: skip
        return {
            token
            for token, entry in enumerate(self._token_bytes)
            if token in special or (looks_like_control(entry) and not tokenizer.decode([token]))
        }


def _template_error(error: Exception) -> str:
    """The template's own message, without the library's advice and the places in the template."""
    said = str(error).rpartition("Minja's error: ")[2].partition(" at row ")[0].strip()
    return said or first_line(error)


def _raise_limits(graph: Path, wanted: int) -> bool:
    """Raises each scalar that bounds a length in the saved graph; False when there is none."""
    layers = Xml.parse(graph / _FILES[0]).getroot()
    constants = {
        layer.get("id"): data
        for layer in layers.iter("layer")
        if layer.get("type") == "Const"
        and (data := layer.find("data")) is not None
        and data.get("element_type") == "i32"
        and data.get("shape") == ""
    }
    minima = {layer.get("id") for layer in layers.iter("layer") if layer.get("type") == "Minimum"}
    weights = bytearray((graph / _FILES[1]).read_bytes())
    raised = False
    for edge in layers.iter("edge"):
        data = constants.get(edge.get("from-layer"))
        if data is None or edge.get("to-layer") not in minima:
            continue
        offset = int(data.get("offset", "0"))
        if 0 < _INT32.unpack_from(weights, offset)[0] < wanted:
            _INT32.pack_into(weights, offset, wanted)
            raised = True
    (graph / _FILES[1]).write_bytes(weights)
    return raised
