"""From token bytes to text that may be shown: whole characters only, up to a stop sequence."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

_HEX = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")
_CONTROL = re.compile(rb"<[^<>\s]{1,60}>\Z|\[[A-Z_0-9]{2,30}\]\Z")


class Detokeniser:
    """Decodes a stream of byte strings as UTF-8.

    Half a character is held back until its other half arrives; bytes that can be no character
    become U+FFFD, exactly as decoding the whole at once with errors="replace" would.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        return self._decoder.decode(data)

    def finish(self) -> str:
        """The rest: bytes still held back, decoded."""
        return self._decoder.decode(b"", True)


class StopMatcher:
    """Passes text on until a stop sequence appears, holding back what may become one.

    The stop sequence itself is not part of the text (OpenAI: "The returned text will not
    contain the stop sequence"). Of several that match, the one that begins first wins.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop: tuple[str, ...] = tuple(stop)
        self._held: str = ""
        self.matched: str = ""  # the sequence that ended the text, "" while none did

    def feed(self, text: str) -> str:
        """The text that may be shown now; nothing once a sequence matched."""
        if self.matched:
            return ""
        if not self._stop:
            return text
        text = self._held + text
        found = [(at, stop) for stop in self._stop if (at := text.find(stop)) >= 0]
        if found:
            at, self.matched = min(found)
            self._held = ""
            return text[:at]
        keep = self._undecided(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """The rest: text held back for a stop sequence that never came."""
        held, self._held = self._held, ""
        return "" if self.matched else held

    def _undecided(self, text: str) -> int:
        """Length of the longest tail that is a proper beginning of a stop sequence."""
        longest = min(len(text), max(len(stop) for stop in self._stop) - 1)
        for size in range(longest, 0, -1):
            tail = text[-size:]
            if any(stop.startswith(tail) for stop in self._stop):
                return size
        return 0


def token_bytes(entry: bytes, *, sentencepiece: bool) -> bytes:
    """The bytes a vocabulary entry stands for.

    Byte-level BPE entries are the bytes themselves; SentencePiece writes a space as U+2581 and
    a raw byte as <0xNN>.
    """
    if not sentencepiece:
        return entry
    text = entry.decode("utf-8", "replace")
    match = _HEX.match(text)
    if match:
        return bytes([int(match.group(1), 16)])
    return text.replace("\u2581", " ").encode()


def looks_like_control(entry: bytes) -> bool:
    """True if an entry may be a control token such as <s>; only the tokenizer knows for sure."""
    return bool(_CONTROL.match(entry))
