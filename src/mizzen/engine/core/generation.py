"""One answer as it grows: tokens in, text that may be shown out."""

from __future__ import annotations

from mizzen.engine.core.requests import Sampling
from mizzen.engine.core.text import Detokeniser, StopMatcher


class Generation:
    """Follows one sequence from its first token to its finish reason."""

    def __init__(self, sampling: Sampling) -> None:
        self._detokeniser = Detokeniser()
        self._stop = StopMatcher(sampling.stop)
        self.tokens = 0
        self.finish_reason = ""

    def feed(self, data: bytes, tokens: int, finish_reason: str) -> str:
        """The new text; sets `finish_reason` when this was the end.

        `finish_reason` is the engine's, "" while it goes on; a stop sequence ends it earlier.
        """
        self.tokens += tokens
        text = self._stop.feed(self._detokeniser.feed(data))
        if finish_reason and not self._stop.matched:
            text += self._stop.feed(self._detokeniser.finish())
            text += self._stop.finish()
        self.finish_reason = "stop" if self._stop.matched else finish_reason
        return text
