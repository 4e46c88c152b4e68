"""`tests/kubernetes` needs peers built with Go: it runs only where it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

KUBERNETES = Path(__file__).parent / "kubernetes"
E2E = Path(__file__).parent / "e2e"
CLUSTER_TIMEOUT_S = 900.0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path != KUBERNETES:
        return None
    named = (config.invocation_params.dir / str(arg).split("::")[0] for arg in config.args)
    return None if any(path.resolve().is_relative_to(KUBERNETES) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with real clusters of processes may take minutes on a machine that is busy."""
    for item in items:
        if item.path.is_relative_to(E2E) or item.path.is_relative_to(KUBERNETES):
            item.add_marker(pytest.mark.timeout(CLUSTER_TIMEOUT_S))
