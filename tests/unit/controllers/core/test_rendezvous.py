"""Every framework's policy, and what a runtime without one gets."""

from __future__ import annotations

import pytest

from mizzen.base import rendezvous
from mizzen.base.resources import CLUSTER_TRAINING_RUNTIMES
from mizzen.controllers.core.bootstrap import defaults
from mizzen.controllers.core.rendezvous import Policy, environment, policies, policy_of
from mizzen.kinds.training.runtimes import POLICIES

ALL = list(policies().values())


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
def test_a_policy_is_served_and_has_a_runtime_of_its_own(policy: Policy) -> None:
    assert policy.name in POLICIES
    made = [c.object for c in defaults() if c.resource == CLUSTER_TRAINING_RUNTIMES]
    (runtime,) = (r for r in made if r["metadata"]["name"] == policy.runtime)
    assert policy_of(runtime["spec"]["mlPolicy"]) is policy


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
def test_ranks_differ_by_their_own_number_alone(policy: Policy) -> None:
    first, second, third = (environment(policy, "j-0.j", rank, 3) for rank in range(3))
    assert first[rendezvous.COORDINATOR] == f"j-0.j:{policy.port}"
    assert rendezvous.port_of(first[rendezvous.COORDINATOR]) == policy.port
    own = {name for name in second if second[name] != third[name]}
    assert {(second[name], third[name]) for name in own} <= {("1", "2")} and own


def test_jax_listens_at_rank_0s_own_address_alone() -> None:
    env = environment(policies()["jax"], "j-0.j", 0, 2)
    assert env["JAX_COORDINATOR_BIND_ADDRESS"] == env["JAX_COORDINATOR_ADDRESS"] == "j-0.j:29500"
    assert "JAX_COORDINATOR_BIND_ADDRESS" not in environment(policies()["jax"], "j-0.j", 1, 2)


def test_a_runtime_without_a_policy_leaves_it_to_the_program() -> None:
    assert policy_of({"numNodes": 3}) is None
