"""The rendezvous of a TrainJob's workers: a policy per framework, by `mlPolicy`'s name.

A policy says which variables its framework reads and which built-in runtime offers it; the
training library's side of it is `mizzen/train/frameworks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from mizzen.base import registry, rendezvous
from mizzen.base.objects import Obj


@dataclass(frozen=True, slots=True)
class Place:
    """One rank's place in its job; `coordinator` is rank 0's host:port, whose host the agent
    replaces by an address."""

    rank: int
    size_max: int
    coordinator: str


@dataclass(frozen=True, slots=True)
class Policy:
    """`name`: in a runtime's mlPolicy; `runtime`: of the built-in ClusterTrainingRuntime."""

    name: str
    runtime: str
    variables: Callable[[Place], Mapping[str, str]]
    port: int = rendezvous.PORT


@cache
def policies() -> Mapping[str, Policy]:
    """All policies by name."""
    return registry.by_name(f"{__package__}.policies", "POLICY")


def policy_of(ml_policy: Obj) -> Policy | None:
    """The policy that a runtime's mlPolicy names, None where it leaves that to the program."""
    return next((policy for name, policy in policies().items() if name in ml_policy), None)


def environment(policy: Policy, host: str, rank: int, size_max: int) -> dict[str, str]:
    """The variables by which one rank's process finds the others; `host`: rank 0's."""
    place = Place(rank, size_max, f"{host}:{policy.port}")
    return {
        rendezvous.COORDINATOR: place.coordinator,
        rendezvous.SIZE_MAX: str(size_max),
        **policy.variables(place),
    }
