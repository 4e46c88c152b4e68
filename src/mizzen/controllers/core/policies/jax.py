"""JAX: one process a node, found by `jax.distributed.initialize` through its environment.

Source: Kubeflow Trainer v2 (trainer 8c0f505), pkg/runtime/framework/plugins/jax.
"""

from __future__ import annotations

from mizzen.controllers.core.rendezvous import Place, Policy


def _variables(place: Place) -> dict[str, str]:
    found = {
        "JAX_NUM_PROCESSES": str(place.size_max),
        "JAX_PROCESS_ID": str(place.rank),
        "JAX_COORDINATOR_ADDRESS": place.coordinator,
    }
    if place.rank == 0:  # by itself it would listen at every address
        found["JAX_COORDINATOR_BIND_ADDRESS"] = place.coordinator
    return found


POLICY = Policy(name="jax", runtime="jax-distributed", variables=_variables)
