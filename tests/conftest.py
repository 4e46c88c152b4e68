"""What needs Kubernetes' own programs runs only where its folder is named; no example is timed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

NAMED_ONLY = tuple(
    Path(__file__).parent / name for name in ("clients", "kubernetes", "kubernetes_node")
)
E2E = Path(__file__).parent / "e2e"
CLUSTER_TIMEOUT_S = 900.0

# How long an example takes says how busy the machine is.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path not in NAMED_ONLY:
        return None
    named = (config.invocation_params.dir / str(arg).split("::")[0] for arg in config.args)
    return None if any(path.resolve().is_relative_to(collection_path) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with real clusters of processes may take minutes on a machine that is busy."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in (E2E, *NAMED_ONLY)):
            item.add_marker(pytest.mark.timeout(CLUSTER_TIMEOUT_S))
