"""The model on disk, as far as it is known before it is loaded, and why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class LoadError(Exception):
    """The engine cannot start; the message is one line for the user.

    `reason` is that of the endpoint's condition.
    """

    reason = "EngineFailed"


class EngineMissing(LoadError):
    """The inference library is not installed here."""

    def __init__(self, error: ImportError) -> None:
        super().__init__(
            f"the inference engine is not installed here ({error}): pip install 'mizzen[engine]'"
        )


class ModelError(LoadError):
    """The model cannot be loaded."""

    reason = "InvalidModel"

    def __init__(self, path: Path, why: str) -> None:
        named = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))  # one line
        super().__init__(f'model "{named}" cannot be loaded: {why}')


class ModelNotFound(ModelError):
    """There is no model at the path."""

    reason = "ModelNotFound"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model that was found; `context_length` in tokens.

    `kv_bytes` is what one token takes in the KV cache at f32, 0 when unknown; `mark` changes when
    the model is replaced.
    """

    path: Path
    context_length: int
    sentencepiece: bool = False
    kv_bytes: int = 0
    mark: tuple[int, ...] = ()
