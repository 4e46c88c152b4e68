"""Control tokens that users spell out: in a message they are text like any other.

A chat template is rendered to one text in which the tokenizer finds the control tokens, those of
the template and those that a message spells. So that no message can end its turn and speak as
the system, the spellings in messages are cut by a mark before the template is rendered, and the
rendered text is tokenised piece by piece between the marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

_MARKS = range(0x10FFFD, 0x100000, -1)  # characters for private use: no text needs them


class ControlTokenTexts:
    """The texts of a model's control tokens."""

    def __init__(self, spellings: Iterable[str]) -> None:
        rests: dict[str, list[str]] = {}
        for text in sorted({text for text in spellings if len(text) > 1}):
            rests.setdefault(text[0], []).append(text[1:])
        # A match may begin inside another, so only the first character is consumed.
        ahead = "|".join(f"{re.escape(at)}(?={_any_of(rest)})" for at, rest in rests.items())
        self._begins = re.compile(ahead) if ahead else None

    def split(self, texts: Sequence[str]) -> tuple[list[str], str]:
        """The texts with a mark within each spelling, and the mark; "" when nothing was spelled.

        The mark occurs nowhere else. Errors: ValueError when every mark occurs in the texts.
        """
        begins = self._begins
        if begins is None or not any(begins.search(text) for text in texts):
            return list(texts), ""
        used = set[str]().union(*texts)
        mark = next((chr(code) for code in _MARKS if chr(code) not in used), "")
        if not mark:
            raise ValueError("holds every private-use character beside a control token")
        return [begins.sub(lambda found: found[0] + mark, text) for text in texts], mark


def _any_of(texts: Sequence[str]) -> str:
    """A pattern of any of these sorted texts, as a tree of what their beginnings share.

    Side by side, hundreds of tokens would all be tried at each `<` of a long text of them.
    """
    if "" in texts:
        return ""  # the shortest has matched, and no more than that is asked
    branches = [
        re.escape(first) + _any_of([text[1:] for text in alike])
        for first, alike in groupby(texts, key=lambda text: text[0])
    ]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
