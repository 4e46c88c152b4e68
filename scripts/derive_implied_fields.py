"""Writes `src/mizzen/kinds/managed_fields/implied_fields.json` from upstream's Go types.

    python scripts/derive_implied_fields.py

Needs Go; the version is the one that `tests/kubernetes/peers/go.mod` pins.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "src" / "mizzen" / "kinds" / "managed_fields" / "implied_fields.json"


def main() -> None:
    command = ["go", "run", "-trimpath", "./implied"]  # as the peers are built
    done = subprocess.run(
        command, cwd=ROOT / "tests" / "kubernetes" / "peers", check=True, capture_output=True
    )
    lines: list[str] = []
    for line in done.stdout.decode().splitlines():
        version, kind, text = line.split(" ", 2)
        fields = json.loads(text)
        metadata = fields.pop("metadata", None)
        if metadata == {} and fields:  # all others imply an empty metadata alone
            value = json.dumps(fields, separators=(",", ":"))
            lines.append(f"{json.dumps(f'{version} {kind}')}: {value}")
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
