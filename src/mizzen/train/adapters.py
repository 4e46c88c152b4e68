"""The adapters by name; only the one that is asked for is imported."""

from __future__ import annotations

from typing import cast

from mizzen.base import registry
from mizzen.train import frameworks
from mizzen.train.environment import Environment
from mizzen.train.errors import TrainError
from mizzen.train.framework import Adapter, Framework, Plain


def load(name: str | None, environment: Environment) -> Framework:
    """The adapter by name: a file of `frameworks`, or another distribution's entry point of the
    group "mizzen.train.frameworks". Errors: TrainError when it is unknown or not installed."""
    if name is None:
        return Plain()
    try:
        adapter = cast("Adapter", registry.named(frameworks.__name__, name, "FRAMEWORK"))
    except KeyError:
        known = ", ".join(f'"{each}"' for each in registry.names(frameworks.__name__))
        raise TrainError(
            f"framework {name!r} is not known; there are {known} and None (plain numpy)"
        ) from None
    except ImportError as error:
        raise TrainError(
            f"framework {name} cannot be imported ({error}): pip install 'mizzen[{name}]'"
        ) from error
    return adapter(environment)
