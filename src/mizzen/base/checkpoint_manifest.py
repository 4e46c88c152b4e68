"""What is written beside a durable checkpoint, last, so that a folder that has it is whole.

<MIZZEN_CHECKPOINTS>/step-<steps done>/state           the staged bytes
<MIZZEN_CHECKPOINTS>/step-<steps done>/manifest.json   this

The node agent writes it and the training library reads it, each with its own eyes on the files:
both work in a folder in which programs may write, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

BYTES_MAX = 4096  # of a manifest; ours are a hundred


@dataclass(frozen=True, slots=True)
class Manifest:
    """`checksum` is the workers' own, over samples (mizzen/train/state.py); `crc32` is over every
    byte, None in manifests from before it was kept."""

    step: int
    bytes: int
    checksum: int
    crc32: int | None

    def to_json(self) -> bytes:
        content = {"step": self.step, "bytes": self.bytes, "checksum": self.checksum}
        return json.dumps({**content, "crc32": self.crc32}).encode()


def parse(data: bytes) -> Manifest:
    """The manifest. Errors: ValueError that says what is wrong with it."""
    if len(data) > BYTES_MAX:
        raise ValueError(f"its manifest has more than {BYTES_MAX} bytes")
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its manifest is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"its manifest is no object but {type(found).__name__}")
    entries = cast("dict[str, Any]", found)
    for name in ("step", "bytes", "checksum"):
        if type(entries.get(name)) is not int:
            raise ValueError(f"its manifest has no whole number {name!r}")
    crc32 = entries.get("crc32")
    if crc32 is not None and type(crc32) is not int:
        raise ValueError("its manifest has no whole number 'crc32'")
    return Manifest(entries["step"], entries["bytes"], entries["checksum"], crc32)


def step_of(folder: str) -> int | None:
    """The steps done that a checkpoint's folder is named for; None: it is no checkpoint's."""
    number = folder.removeprefix("step-")
    is_ours = folder != number and number.isascii() and number.isdecimal()
    return int(number) if is_ours and str(int(number)) == number else None
