"""`tests/kubernetes` needs peers built with Go: it runs only where it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

KUBERNETES = Path(__file__).parent / "kubernetes"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path != KUBERNETES:
        return None
    named = (config.invocation_params.dir / str(arg).split("::")[0] for arg in config.args)
    return None if any(path.resolve().is_relative_to(KUBERNETES) for path in named) else True
