"""The adapters by name; only the one that is asked for is imported."""

from __future__ import annotations

from mizzen.train.environment import Environment
from mizzen.train.errors import TrainError
from mizzen.train.framework import Framework, Plain


def load(name: str | None, environment: Environment) -> Framework:
    """The adapter by name. Errors: TrainError when it is unknown or not installed."""
    if name is None:
        return Plain()
    if name != "jax":
        raise TrainError(f'framework {name!r} is not known; there are "jax" and None (plain numpy)')
    try:
        from mizzen.train.jax import Jax
    except ImportError as error:
        raise TrainError(
            f"framework jax cannot be imported ({error}): pip install 'mizzen[jax]'"
        ) from error
    return Jax(environment)
