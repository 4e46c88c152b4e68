"""The rendezvous of a gang's processes, as far as it does not depend on the framework.

The controller writes these variables into the pods of a job whose runtime has a policy, beside the
framework's own (`controllers/core/policies`); agent and training library know no others.
"""

COORDINATOR = "MIZZEN_COORDINATOR"  # host:port of rank 0; no pod starts before the host is known
SIZE_MAX = "MIZZEN_SIZE_MAX"  # the most ranks that may run together
PORT = 29500  # where rank 0 listens, unless the policy says otherwise: upstream's for all of them


def port_of(coordinator: str) -> int:
    """The port in a `COORDINATOR`; the default where there is none."""
    port = coordinator.rpartition(":")[2]
    return int(port) if port.isdecimal() else PORT
