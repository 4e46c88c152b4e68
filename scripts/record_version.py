"""Derives src/mizzen/kinds/introduced.json: the kinds and fields that this minor version added.

    python scripts/record_version.py            # against the recording of the version before
    python scripts/record_version.py --record 0.2   # when it is finished: records it

A recording (tests/recorded/versions/MINOR.json.xz) has every kind with every field of a minor version.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

from mizzen.base.versions import BINARY, STORE_FORMATS
from mizzen.kinds.compatibility import TABLE, field_paths
from mizzen.kinds.registry import builtin_kinds, converted_kinds

RECORDINGS = Path(__file__).resolve().parent.parent / "tests" / "recorded" / "versions"
Surface = dict[str, list[str]]  # apiVersion/plural -> fields; none of versions that are converted


def surface() -> Surface:
    """What this code can store and serves."""
    stored = {
        f"{kind.resource.api_version}/{kind.resource.plural}": sorted(set(field_paths(kind.schema)))
        for kind in builtin_kinds().values()
    }
    served: Surface = {
        f"{k.resource.api_version}/{k.resource.plural}": [] for k in converted_kinds()
    }
    return dict(sorted((stored | served).items()))


def recorded(version: str) -> Surface:
    """Errors: FileNotFoundError."""
    return json.loads(lzma.decompress((RECORDINGS / f"{version}.json.xz").read_bytes()))


def added(now: Surface, before: Surface) -> dict[str, object]:
    """New kinds, and new fields of kinds that were there: of new fields within new ones the outer."""
    fields: Surface = {}
    for name in now.keys() & before.keys():
        new = sorted(set(now[name]) - set(before[name]))
        outer = [p for p in new if not any(p != q and _is_within(p, q) for q in new)]
        if outer and before[name]:
            fields[name] = outer
    return {"resources": sorted(now.keys() - before.keys()), "fields": dict(sorted(fields.items()))}


def _is_within(path: str, outer: str) -> bool:
    return path.startswith((f"{outer}.", f"{outer}[", f"{outer}{{"))


def table() -> str:
    """The text of introduced.json: what older minor versions added stays as it was."""
    held: dict[str, object] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    before = list(STORE_FORMATS)[list(STORE_FORMATS).index(BINARY) - 1]
    held[BINARY] = added(surface(), recorded(before))
    return json.dumps(held, indent=1) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", metavar="MINOR", help="record this code as that minor version")
    arguments = parser.parse_args()
    if arguments.record:
        RECORDINGS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(surface(), separators=(",", ":")).encode()
        path = RECORDINGS / f"{arguments.record}.json.xz"
        path.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
        print(f"{path}: {path.stat().st_size} bytes")
        return
    TABLE.write_text(table())


if __name__ == "__main__":
    main()
