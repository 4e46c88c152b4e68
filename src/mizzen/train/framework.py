"""The interface of training frameworks, and its implementation for plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mizzen.train import trees
from mizzen.train.environment import Environment
from mizzen.train.errors import TrainError


@dataclass(frozen=True)
class Formation:
    """Ranks 0..size-1 that run together; the coordinator is rank 0's own address."""

    generation: int
    size: int
    rank: int
    coordinator_ip: str
    coordinator_port: int


class Framework(Protocol):
    """An adapter: how one framework connects processes, averages, and compiles."""

    def connect(self, formation: Formation) -> None:
        """Joins the formation; blocks until all its ranks did."""
        ...

    def disconnect(self) -> None:
        """Leaves it together with all its ranks."""
        ...

    def sum(self, tree: Any, step: int) -> Any:
        """The sum over all ranks of a tree of numbers; all ranks call it in the same order."""
        ...

    def scale(self, tree: Any, factor: float) -> Any:
        """Every leaf times `factor`."""
        ...

    def flatten(self, tree: Any) -> dict[str, Any]: ...

    def unflatten(self, template: Any, leaves: Mapping[str, Any]) -> Any: ...

    def compile(self, function: Callable[..., Any], examples: list[tuple[Any, ...]]) -> Any:
        """`function`, ready to be called with arguments like each of the examples."""
        ...


Adapter = Callable[[Environment], Framework]  # `FRAMEWORK` of a file of `mizzen.train.frameworks`


class Plain:
    """No framework: numpy in one process."""

    def connect(self, formation: Formation) -> None:
        if formation.size > 1:
            raise TrainError(
                f"a world of {formation.size} needs a framework to connect its ranks:"
                ' call train.init(framework="jax")'
            )

    def disconnect(self) -> None:
        """Nothing was connected."""

    def sum(self, tree: Any, step: int) -> Any:
        return tree

    def scale(self, tree: Any, factor: float) -> Any:
        leaves = {name: leaf * factor for name, leaf in self.flatten(tree).items()}
        return tree if factor == 1 else trees.unflatten(tree, leaves)

    def flatten(self, tree: Any) -> dict[str, Any]:
        return {name: np.asarray(leaf) for name, leaf in trees.flatten(tree).items()}

    def unflatten(self, template: Any, leaves: Mapping[str, Any]) -> Any:
        return trees.unflatten(template, leaves)

    def compile(self, function: Callable[..., Any], examples: list[tuple[Any, ...]]) -> Any:
        return function
